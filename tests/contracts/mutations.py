"""Mistakes in a template, and the contract that must notice each mistake. A contract is a rule for every template.

A fault is a sentence about one place in a template that breaks the rule. The contract returns it.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tests.contracts.changes import (
    DNS,
    NO_EGRESS,
    Change,
    add,
    allow,
    allow_all_but,
    allow_all_in_bucket_policy,
    allow_every_action_of,
    allow_on_everything,
    attach_managed_policy,
    change_retry_strategies,
    close_load_balancer,
    create_log_groups,
    drop,
    drop_dependencies,
    export_outputs,
    forbid,
    mix_instance_types,
    move_nat_gateway_into_private_subnet,
    open_ssh,
    put,
    put_into_containers,
    put_update,
    remove_public_addresses,
    remove_tag,
    require_parameter,
    set_policy,
    swap_target_type,
    unset,
    use_amazon_linux_2,
    use_function_in_network,
    use_port_80,
)

WEB = "ecs_ec2 fargate"
NETWORKS = "ecs_ec2 fargate batch"
PRODUCTION = ("production",)
AL2 = {"ImageType": "ECS_AL2"}
BASIC_EXECUTION_ROLE = "service-role/AWSLambdaBasicExecutionRole"
APP_CLIENT = "AWS::Cognito::UserPoolClient"
ASSOCIATION = "AWS::ECS::ClusterCapacityProviderAssociations"
AUTHORIZER = "AWS::ApiGateway::Authorizer"
BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
BUCKET = "AWS::S3::Bucket"
CAPACITY_PROVIDER = "AWS::ECS::CapacityProvider"
CLUSTER = "AWS::ECS::Cluster"
ECS_INSTANCES = "service-role/AmazonEC2ContainerServiceforEC2Role"
COMPUTE_ENVIRONMENT = "AWS::Batch::ComputeEnvironment"
FIXED_RESPONSE = {"Type": "fixed-response"}
FUNCTION = "AWS::Lambda::Function"
SECURITY_GROUP = "AWS::EC2::SecurityGroup"
JOB_DEFINITION = "AWS::Batch::JobDefinition"
LAUNCH_TEMPLATE = "AWS::EC2::LaunchTemplate"
LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
METHOD = "AWS::ApiGateway::Method"
NAT_GATEWAY = "AWS::EC2::NatGateway"
LOG_GROUP = "AWS::Logs::LogGroup"
OTHER_TAGS = [{"Key": key, "Value": "x"} for key in ("project", "example", "profile")]
PASSWORDS = "ALLOW_USER_PASSWORD_AUTH"
POLICY = "AWS::IAM::Policy"
PROVISIONED = {"ProvisionedConcurrentExecutions": 1}
QUEUE = "AWS::SQS::Queue"
QUEUE_POLICY = "AWS::SQS::QueuePolicy"
RECOVERY = "PointInTimeRecoverySpecification"
REGISTER = "ecs:RegisterContainerInstance"
REPOSITORY = "AWS::ECR::Repository"
SCALING_GROUP = "AWS::AutoScaling::AutoScalingGroup"
SERVER = "AWS::Lightsail::Instance"
STAGE = "AWS::ApiGateway::Stage"
STATIC_IP = "AWS::Lightsail::StaticIp"
SUBNET = "AWS::EC2::Subnet"
TABLE = "AWS::DynamoDB::Table"
TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
V2_ROUTE = "AWS::ApiGatewayV2::Route"
V2_STAGE = "AWS::ApiGatewayV2::Stage"
TO_443 = {"Type": "redirect", "RedirectConfig": {"Port": "443"}}
USERS = "AWS::Cognito::UserPool"
PROTECTED = {"Key": "deletion_protection.enabled", "Value": "true"}
ENHANCED = {"Name": "containerInsights", "Value": "enhanced"}
NO_ROUTE = "there is neither a gateway nor an endpoint"


class Mutation(NamedTuple):
    """A mistake, and the fault that its contract must report."""

    name: str
    stems: str
    """The short names of the examples in which the mistake is tried, separated by spaces, such as `ecs_ec2 fargate`."""
    change: Change
    """Makes the mistake in a template."""
    fault: str
    """Some words of the fault that the contract must report."""
    profiles: tuple[str, ...] = ()
    """Profiles in which the mistake is tried. If it is empty, the mistake is tried in all profiles of the contract."""


M = Mutation
MUTATIONS: Mapping[str, tuple[Mutation, ...]] = {
    "reachable": (
        M("load balancer without egress (aws-cdk-examples #695)", "ecs_ec2", close_load_balancer, "to its targets"),
        M("targets without ingress", WEB, drop(f"{SECURITY_GROUP}Ingress"), "of the targets do not allow"),
        M(
            "without an egress rule, everything is allowed",
            WEB,
            drop(f"{SECURITY_GROUP}Egress"),
            "allowed to reach 0.0.0.0/0",
        ),
        M("rules for another port", WEB, use_port_80, "to its targets"),
        M(
            "load balancer without ingress",
            WEB,
            unset(SECURITY_GROUP, "SecurityGroupIngress"),
            "internet does not reach",
        ),
        M("wrong target type", WEB, swap_target_type, "but its tasks need"),
        M("health check at another port", WEB, put(TARGET_GROUP, "HealthCheckPort", "9000"), "checks the health"),
        M("target group with another port", "fargate", put(TARGET_GROUP, "Port", 80), "which no task opens"),
        M("listener without targets", WEB, put(LISTENER, "DefaultActions", [FIXED_RESPONSE]), "no listener forwards"),
        M("redirect to a closed port", WEB, put(LISTENER, "DefaultActions", [TO_443]), "which has no listener"),
        M("no listener", WEB, drop(LISTENER), "has no listener"),
        M("no service", WEB, drop("AWS::ECS::Service"), "no service registers"),
        M("network load balancer", WEB, put(BALANCER, "Type", "network"), "checks no other type"),
        M("internal load balancer", WEB, put(BALANCER, "Scheme", "internal"), "checks no other type"),
        M("ingress of another protocol", WEB, put(SECURITY_GROUP, "SecurityGroupIngress", [DNS]), "no listener uses"),
        M(
            "egress of another protocol",
            WEB,
            put(SECURITY_GROUP, "SecurityGroupEgress", [DNS]),
            "allowed to reach 0.0.0.0/0",
        ),
        M("SSH open to everybody", NETWORKS, open_ssh, "is open to 0.0.0.0/0"),
        M("no route out", NETWORKS, drop("AWS::EC2::Route"), NO_ROUTE),
        M("no route in", WEB, drop("AWS::EC2::Route"), "the internet does not reach"),
        M("no route table", NETWORKS, drop("AWS::EC2::SubnetRouteTableAssociation"), NO_ROUTE),
        M("gateway not attached", NETWORKS, drop("AWS::EC2::VPCGatewayAttachment"), NO_ROUTE),
        M("neither addresses nor NAT: no image", NETWORKS, remove_public_addresses, "cannot reach ecr.dkr"),
        M("neither addresses nor NAT: no agent", "ecs_ec2 batch", remove_public_addresses, "reach ecs-agent"),
        M("NAT gateway without address", NETWORKS, unset(NAT_GATEWAY, "AllocationId"), "ecr.api", PRODUCTION),
        M(
            "NAT gateway in a private subnet",
            NETWORKS,
            move_nat_gateway_into_private_subnet,
            "cannot reach ecr.api",
            PRODUCTION,
        ),
        M(
            "workloads without egress",
            NETWORKS,
            put(SECURITY_GROUP, "SecurityGroupEgress", [NO_EGRESS]),
            "to the services",
        ),
        M("instances without launch template", "ecs_ec2", unset(SCALING_GROUP, "LaunchTemplate"), "no security group"),
        M("one zone", NETWORKS, put(SUBNET, "AvailabilityZone", "us-east-1a"), "not in two availability zones"),
        M("no DNS", NETWORKS, put("AWS::EC2::VPC", "EnableDnsSupport", value=False), "cannot resolve names"),
        M("function in a public subnet", WEB, use_function_in_network, "cannot reach ecr.api"),
        M("database in the network", NETWORKS, add("AWS::RDS::DBInstance", VPCSecurityGroups=[]), "not know AWS::RDS"),
        M("classic load balancer", WEB, add("AWS::ElasticLoadBalancing::LoadBalancer"), "not know AWS::ElasticLoadB"),
        M("network ACL", NETWORKS, add("AWS::EC2::NetworkAcl"), "does not know AWS::EC2::NetworkAcl"),
    ),
    "destroyable": (
        M("retained bucket", "thumbnail batch", set_policy(BUCKET, "DeletionPolicy", "Retain"), "Retain"),
        M("table with a last backup", "api cron", set_policy(TABLE, "UpdateReplacePolicy", "Snapshot"), "Snapshot"),
        M("database without a policy", "api", add("AWS::RDS::DBInstance"), "leaves a snapshot behind"),
        M("bucket that is not emptied", "thumbnail api", drop("Custom::S3AutoDeleteObjects"), "nothing empties it"),
        M("repository with images", "ecr", put(REPOSITORY, "EmptyOnDelete", value=False), "when it holds an image"),
        M("hosted zone with DNS records", "api", add("AWS::Route53::HostedZone"), "only when it is empty"),
        M("protected load balancer", WEB, put(BALANCER, "LoadBalancerAttributes", [PROTECTED]), "is protected"),
        M("protected table", "cron", put(TABLE, "DeletionProtectionEnabled", value=True), "is protected"),
        M("protected user pool", "api", put(USERS, "DeletionProtection", "ACTIVE"), "is protected"),
        M(
            "protected instances (aws-cdk #18179)",
            "ecs_ec2",
            put(CAPACITY_PROVIDER, "AutoScalingGroupProvider.ManagedTerminationProtection", "ENABLED"),
            "is protected",
        ),
        M(
            "protection from scaling in",
            "ecs_ec2",
            put(SCALING_GROUP, "NewInstancesProtectedFromScaleIn", 1),
            "protected",
        ),
        M(
            "undeletable instances",
            "ecs_ec2 batch",
            put(LAUNCH_TEMPLATE, "LaunchTemplateData.DisableApiTermination", 1),
            "protected",
        ),
        M("Container Insights", WEB, put(CLUSTER, "ClusterSettings", [ENHANCED]), "ECS creates and leaves behind"),
        M(
            "sandbox with backup",
            "thumbnail",
            put(TABLE, f"{RECOVERY}.PointInTimeRecoveryEnabled", 1),
            "leaves a backup",
        ),
    ),
    "logged": (
        M("function with Lambda's group", "thumbnail ecr", unset(FUNCTION, "LoggingConfig"), "Lambda creates"),
        M("log group without retention", "cron", put(LOG_GROUP, "RetentionInDays", 0), "for ever"),
        M("CDK's default role", "api cron", attach_managed_policy(BASIC_EXECUTION_ROLE), "could create log groups"),
        M("any action on logs", "batch fargate", allow("logs:*"), "could create log groups"),
        M("tasks without logs", WEB, put_into_containers("LogConfiguration", {}), "does not log to a"),
        M("tasks that create their group", WEB, create_log_groups, "would create its log group"),
        M(
            "job in Batch's group",
            "batch",
            put(JOB_DEFINITION, "ContainerProperties.LogConfiguration", {}),
            "does not log to",
        ),
        M("job of several containers", "batch", unset(JOB_DEFINITION, "ContainerProperties"), "no ContainerProperties"),
        M("API Gateway's own logs", "api", put(STAGE, "MethodSettings", [{"LoggingLevel": "INFO"}]), "execution logs"),
        M("no access log", "api", unset(STAGE, "AccessLogSetting"), "no access log"),
        M(
            "WebSocket access log in another group",
            "websocket",
            put(V2_STAGE, "AccessLogSettings", {"DestinationArn": "arn:aws:logs:us-east-1:1:log-group:x"}),
            "outside the stack",
        ),
        M(
            "API Gateway's own logs of a WebSocket API",
            "websocket",
            put(V2_STAGE, "DefaultRouteSettings.LoggingLevel", "INFO"),
            "execution logs",
        ),
        M("the account's role for API Gateway", "api", add("AWS::ApiGateway::Account"), "by itself"),
        M("flow log in another group", NETWORKS, put("AWS::EC2::FlowLog", "LogGroupName", "/vpc"), "does not write to"),
    ),
    "retained": (
        M("table deleted with its stack", "api", set_policy(TABLE, "DeletionPolicy", "Delete"), "may be lost"),
        M(
            "bucket lost by replacement",
            "thumbnail batch",
            set_policy(BUCKET, "UpdateReplacePolicy", "Delete"),
            "be lost",
        ),
        M("queue that loses its policy", "cron", set_policy(QUEUE_POLICY, "DeletionPolicy", "Delete"), "may be lost"),
        M(
            "logs deleted with their stack",
            "fargate api",
            set_policy(LOG_GROUP, "DeletionPolicy", "Delete"),
            "may be lost",
        ),
        M("user pool without protection", "api", put(USERS, "DeletionProtection", "INACTIVE"), "not protected"),
        M("logs without their key", "api", add("AWS::KMS::Key"), "may be lost: its DeletionPolicy"),
        M("server without its address", "lightsail", set_policy(STATIC_IP, "DeletionPolicy", "Delete"), "may be lost"),
        M("table without recovery", "api cron thumbnail", unset(TABLE, RECOVERY), "no point-in-time recovery"),
        M("table without protection", "api", unset(TABLE, "DeletionProtectionEnabled"), "not protected"),
        M("no versions", "thumbnail batch", unset(BUCKET, "VersioningConfiguration"), "keeps no versions"),
        M(
            "logs that never expire, without versions",
            "api",
            unset(BUCKET, "LifecycleConfiguration"),
            "keeps no versions",
        ),
        M(
            "tags that a push can overwrite",
            "ecr",
            put(REPOSITORY, "ImageTagMutability", "MUTABLE"),
            "overwrite an image",
        ),
        M("images deleted with the repository", "ecr", put(REPOSITORY, "EmptyOnDelete", value=True), "would empty"),
        M("database without backups", "lightsail", add("AWS::Lightsail::Database"), "Added has no backups"),
        M("Lightsail bucket without versions", "lightsail", add("AWS::Lightsail::Bucket"), "Added keeps no versions"),
        M("server without snapshots", "lightsail", unset(SERVER, "AddOns"), "no snapshots"),
        M("emptied bucket", "thumbnail", add("Custom::S3AutoDeleteObjects", ServiceToken="x"), "empties a store"),
        M("unknown store in cfn-lint's list", "api", add("AWS::EFS::FileSystem"), "looks like a store"),
        M("unknown store by its schema", "api", add("AWS::DSQL::Cluster"), "looks like a store"),
        M("unknown store by its name", "api", add("AWS::Timestream::Table"), "looks like a store"),
        M("type newer than cfn-lint", "api", add("AWS::New::Thing"), "looks like a store"),
    ),
    "quotas": (
        M("16 vCPUs", "batch", put(COMPUTE_ENVIRONMENT, "ComputeResources.MaxvCpus", 16), "but a new account has 5"),
        M("third instance for a new AMI", "ecs_ec2", put_update("MinInstancesInService", 2), "6 vCPUs at once"),
        M("two new instances at once", "ecs_ec2", put_update("MaxBatchSize", 2), "6 vCPUs at once"),
        M("no update policy", "ecs_ec2", put_update("MinInstancesInService", None), "keeps no instance"),
        M("three instances", "ecs_ec2", put(SCALING_GROUP, "MinSize", "3"), "6 vCPUs at once"),
        M(
            "unknown size",
            "ecs_ec2",
            put(LAUNCH_TEMPLATE, "LaunchTemplateData.InstanceType", "m8g.large"),
            "does not know",
        ),
        M(
            "one child",
            "batch",
            put(COMPUTE_ENVIRONMENT, "ComputeResources.MaxvCpus", 2),
            "not enough for an array job",
        ),
    ),
    "retries": (
        M("one attempt", "batch", put(JOB_DEFINITION, "RetryStrategy.Attempts", 1), "only one attempt"),
        M(
            "no strategy: every bug is retried",
            "batch",
            unset(JOB_DEFINITION, "RetryStrategy"),
            "is retried after a bug",
        ),
        M(
            "no last strategy",
            "batch",
            change_retry_strategies(lambda strategies: strategies.pop()),
            "is retried after a bug",
        ),
        M(
            "wrong order",
            "batch",
            change_retry_strategies(lambda strategies: strategies.reverse()),
            "given up after a failure",
        ),
        M("lost instance", "batch", change_retry_strategies(lambda strategies: strategies.pop(0)), "Host EC2"),
        M(
            "container that does not start",
            "batch",
            change_retry_strategies(lambda strategies: strategies.pop(1)),
            "DockerTime",
        ),
        M(
            "image that cannot be pulled",
            "batch",
            change_retry_strategies(lambda strategies: strategies.pop(2)),
            "CannotPull",
        ),
        M("stopped child", "batch", change_retry_strategies(lambda strategies: strategies.pop(3)), "exit_code=143"),
        M(
            "six strategies",
            "batch",
            change_retry_strategies(lambda strategies: strategies.append(strategies[-1])),
            "6 retry strategies",
        ),
        M(
            "any exit code that begins with 14",
            "batch",
            change_retry_strategies(lambda strategies: strategies[3].update(OnExitCode="14*")),
            "exit_code=14)",
        ),
        M(
            "asterisk in the middle",
            "batch",
            change_retry_strategies(lambda strategies: strategies[0].update(OnStatusReason="Host * terminated.")),
            "does not accept",
        ),
    ),
    "recoverable": (
        M("protected load balancer", WEB, put(BALANCER, "LoadBalancerAttributes", [PROTECTED]), "AWS bills it"),
        M("retained queue", "batch cron", set_policy(QUEUE, "DeletionPolicy", "Retain"), "stays behind"),
        M("retained repository", "ecr", set_policy(REPOSITORY, "DeletionPolicy", "Retain"), "stays behind"),
        M("retained logs", "fargate api", set_policy(LOG_GROUP, "DeletionPolicy", "Retain"), "stays behind"),
        M(
            "protected table that the rollback deletes",
            "api cron thumbnail",
            set_policy(TABLE, "DeletionPolicy", "RetainExceptOnCreate"),
            "cannot be deleted",
            PRODUCTION,
        ),
        M(
            "protected user pool that the rollback deletes",
            "api",
            set_policy(USERS, "DeletionPolicy", "RetainExceptOnCreate"),
            "cannot be deleted",
            PRODUCTION,
        ),
        M(
            "log bucket that the rollback deletes",
            WEB,
            set_policy(BUCKET, "DeletionPolicy", "RetainExceptOnCreate"),
            "cannot be deleted",
            PRODUCTION,
        ),
    ),
    "registration": (
        M("association not first", "ecs_ec2", drop_dependencies(POLICY), "may join the cluster before it has"),
        M("every policy lets instances join", "ecs_ec2", allow(REGISTER), "may join the cluster before it has"),
        M("any action on ECS", "ecs_ec2", allow("ecs:*"), "may join the cluster before it has"),
        M("AWS's policy for instances", "ecs_ec2", attach_managed_policy(ECS_INSTANCES), "may join the cluster before"),
        M("no permission", "ecs_ec2", forbid(REGISTER), "can never join"),
        M("no association", "ecs_ec2", drop(ASSOCIATION), "is not associated"),
        M("another provider", "ecs_ec2", put(ASSOCIATION, "CapacityProviders", ["FARGATE"]), "is not associated"),
        M("service not last", "ecs_ec2", drop_dependencies("AWS::ECS::Service"), "may start before the instances"),
    ),
    "tagged": (
        M("missing tag", "cron batch", remove_tag, "has no tag profile"),
        M("tag of another stack", "thumbnail", put(TABLE, "Tags", OTHER_TAGS), "tagged thumbnail and x"),
    ),
    "independent": (
        M("export", "ecr", export_outputs, "is exported"),
        M("import", WEB, put("AWS::ECS::Service", "Cluster", {"Fn::ImportValue": "cluster"}), "imports cluster"),
        M("parameter without default", NETWORKS, require_parameter, "no value that exists in every account"),
        M("secret of the account", "cron", put(FUNCTION, "Role", "{{resolve:secretsmanager:mine}}"), "reads {{resolve"),
    ),
    "reproducible": (
        M("account id", "api", put(FUNCTION, "Role", "arn:aws:iam::210987654321:role/mine"), "account 210987654321"),
        M(
            "subnet of an account",
            "batch",
            put("AWS::Batch::ComputeEnvironment", "ComputeResources.Subnets", ["subnet-0aaaaaaa"]),
            "the network subnet-0aaaaaaa",
        ),
        M("date", "cron", put(FUNCTION, "Description", "of 2026-11-21T17:00"), "the date 2026-11-21"),
        M("path", "batch", put("AWS::Batch::JobQueue", "JobQueueName", "/home/me/project"), "a path of this machine"),
    ),
    "priced": (
        M("type without a price", "cron", add("AWS::OpenSearchService::Domain"), "add the reason to [free]"),
        M("provisioned table", "thumbnail api cron", put(TABLE, "BillingMode", "PROVISIONED"), "provisioned"),
        M("cache of the API", "api", put(STAGE, "CacheClusterEnabled", 1), "cache"),
        M(
            "provisioned concurrency",
            "ecr",
            put("AWS::Lambda::Version", "ProvisionedConcurrencyConfig", PROVISIONED),
            "concurrency",
        ),
        M("minimum of vCPUs", "batch", put(COMPUTE_ENVIRONMENT, "ComputeResources.MinvCpus", 2), "minimum of vCPUs"),
        M(
            "unpriced instance type",
            "ecs_ec2",
            put(LAUNCH_TEMPLATE, "LaunchTemplateData.InstanceType", "u7i.224xlarge"),
            "u7i",
        ),
        M("unpriced Lightsail plan", "lightsail", put(SERVER, "BundleId", "2xlarge_3_0"), "server-2xlarge"),
        M("several instance types", "ecs_ec2", mix_instance_types, "needs the property 'LaunchTemplate'"),
        M("network load balancer", WEB, put(BALANCER, "Type", "network"), "network load balancer"),
        M("enhanced Container Insights", WEB, put(CLUSTER, "ClusterSettings", [ENHANCED]), "enhanced"),
        M("alarm with a period of ten seconds", "thumbnail", put("AWS::CloudWatch::Alarm", "Period", 10), "minute"),
    ),
    "authorized": (
        M("connection without authorization", "websocket", put(V2_ROUTE, "AuthorizationType", "NONE"), "everybody"),
        M("no $connect route", "websocket", drop(V2_ROUTE), "has no $connect route"),
        M(
            "authorization of a message",
            "websocket",
            put(V2_ROUTE, "AuthorizationType", "AWS_IAM"),
            "only for $connect",
        ),
        M("no authorizer", "websocket", drop("AWS::ApiGatewayV2::Authorizer"), "has no authorizer of the stack"),
        M(
            "HTTP API without authorization",
            "websocket",
            put("AWS::ApiGatewayV2::Api", "ProtocolType", "HTTP"),
            "accepts everybody",
        ),
    ),
    "least_privilege": (
        M("unused action", "api", allow("dynamodb:Scan"), "is granted dynamodb:Scan"),
        M("missing action", "thumbnail", forbid("s3:GetObject"), "uses s3:GetObject on ${Up"),
        M("no permission to list a bucket", "thumbnail batch", forbid("s3:ListBucket"), "uses s3:ListBucket"),
        M("function without permission to log", "cron", forbid("logs:PutLogEvents"), "uses logs:PutLogEvents"),
        M("every WebSocket API", "websocket", allow_on_everything, "execute-api:ManageConnections"),
        M("every table", "api cron", allow_on_everything, "on *, and does not use"),
        M("every action", "api cron", allow_every_action_of("dynamodb"), "is granted dynamodb:* on ${"),
        M("administrator", "fargate ecr", attach_managed_policy("AdministratorAccess"), "AdministratorAccess on *"),
        M("everything but one service", "fargate", allow_all_but("iam:*"), "is granted * on *"),
        M("wide bucket policy", "thumbnail", allow_all_in_bucket_policy, "is granted s3:* on ${", ("sandbox",)),
    ),
    "signed_in": (
        M(
            "route of version 2 without authorizer",
            "api",
            put(METHOD, "AuthorizationType", "NONE"),
            "has no authorizer",
        ),
        M("route without a key", "api", put(METHOD, "ApiKeyRequired", value=False), "everybody can call"),
        M("authorizer outside the stack", "api", drop(AUTHORIZER), "is missing"),
        M("authorizer with a cache", "api", unset(AUTHORIZER, "AuthorizerResultTtlInSeconds"), "keeps its result"),
        M("pool outside the stack", "api", put(AUTHORIZER, "ProviderARNs", ["arn"]), "a pool outside the stack"),
        M("unknown authorizer", "api", put(AUTHORIZER, "Type", "TOKEN"), "does not know it"),
        M("unknown users differ", "api", unset(APP_CLIENT, "PreventUserExistenceErrors"), "which users exist"),
        M("session for ever", "api", unset(APP_CLIENT, "EnableTokenRevocation"), "cannot revoke"),
        M("passwords from everybody", "api", put(APP_CLIENT, "ExplicitAuthFlows", [PASSWORDS]), "send passwords"),
        M("tokens in URLs", "api", put(APP_CLIENT, "AllowedOAuthFlows", ["implicit"]), "without PKCE"),
    ),
    "supported": (
        M("old Python", "thumbnail cron api ecr", put(FUNCTION, "Runtime", "python3.9"), "python3.9 is not in"),
        M("runtime from a parameter", "cron", put(FUNCTION, "Runtime", {"Ref": "Runtime"}), "is not in"),
        M("Amazon Linux 2", "ecs_ec2", use_amazon_linux_2, "optimized-ami/amazon-linux-2/"),
        M(
            "fixed AMI without updates",
            "ecs_ec2",
            put(LAUNCH_TEMPLATE, "LaunchTemplateData.ImageId", "ami-0abcdef1"),
            "ami-0abcdef1 is not in",
        ),
        M(
            "Batch on Amazon Linux 2",
            "batch",
            put(COMPUTE_ENVIRONMENT, "ComputeResources.Ec2Configuration", [AL2]),
            "ECS_AL2 is not in",
        ),
        M("old Ubuntu", "lightsail", put(SERVER, "BlueprintId", "ubuntu_20_04"), "ubuntu_20_04 is not in"),
        M("retired plan", "lightsail", put(SERVER, "BundleId", "nano_2_0"), "nano_2_0 is not in"),
    ),
}
