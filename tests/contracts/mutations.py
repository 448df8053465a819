"""The table of mistakes that a contract must notice: each somebody has made, or could make."""

from dataclasses import dataclass

from tests.contracts.changes import (
    DNS,
    NOWHERE,
    Change,
    add,
    all_but,
    allow,
    amazon_linux_2,
    ask,
    by_the_buckets_policy,
    drop,
    every_action_of,
    export,
    for_everything,
    forbid,
    forget_the_targets,
    function_inside,
    in_containers,
    lose_a_tag,
    make_log_groups,
    manage,
    mix_machines,
    nat_gateway_inside,
    no_public_addresses,
    open_the_targets,
    policy,
    put,
    rules_for_port_80,
    swap_target_type,
    unset,
)

WEB = ("ecs_ec2", "fargate")
NETWORKS = (*WEB, "batch")
PRODUCTION = ("production",)
BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
GROUP = "AWS::EC2::SecurityGroup"
SUBNET = "AWS::EC2::Subnet"
TABLE = "AWS::DynamoDB::Table"


@dataclass(frozen=True)
class Mutation:
    """A mistake, and what its contract says of it."""

    name: str
    contract: str
    """The module's name."""
    stems: tuple[str, ...]
    change: Change
    """Changes a template in place."""
    says: str
    """A part of a fault that was not there before."""
    profiles: tuple[str, ...] = ()
    """Where it is tried; in all that the contract holds for, unless these are named."""


MUTATIONS = [
    # -- load balancers and their targets
    Mutation(
        "the load balancer is let through to nobody (aws-cdk-examples #695)",
        "reachable",
        ("ecs_ec2",),
        forget_the_targets,
        "may not reach its targets",
    ),
    Mutation("the targets let nobody in", "reachable", WEB, drop(f"{GROUP}Ingress"), "do not let"),
    Mutation("no rule for going out, which is all", "reachable", WEB, drop(f"{GROUP}Egress"), "may reach 0.0.0.0/0"),
    Mutation("both rules are for another port", "reachable", WEB, rules_for_port_80, "may not reach its targets"),
    Mutation(
        "no rule lets the world in", "reachable", WEB, unset(GROUP, "SecurityGroupIngress"), "world does not reach"
    ),
    Mutation("targets of the other type", "reachable", WEB, swap_target_type, "where the tasks are"),
    Mutation(
        "health is asked at another port",
        "reachable",
        WEB,
        put(TARGET_GROUP, "HealthCheckPort", "9000"),
        "asks after the health of another port",
    ),
    Mutation(
        "another port than the tasks'", "reachable", ("fargate",), put(TARGET_GROUP, "Port", 80), "nobody listens"
    ),
    Mutation(
        "the listener forwards to nobody",
        "reachable",
        WEB,
        put(LISTENER, "DefaultActions", [{"Type": "fixed-response"}]),
        "no listener forwards",
    ),
    Mutation(
        "the listener redirects to where nobody listens",
        "reachable",
        WEB,
        put(LISTENER, "DefaultActions", [{"Type": "redirect", "RedirectConfig": {"Port": "443"}}]),
        "where nobody listens",
    ),
    Mutation("no listener", "reachable", WEB, drop(LISTENER), "listens nowhere"),
    Mutation("no service", "reachable", WEB, drop("AWS::ECS::Service"), "nothing registers with"),
    Mutation("a load balancer of another kind", "reachable", WEB, put(BALANCER, "Type", "network"), "knows no other"),
    Mutation("a load balancer from inside", "reachable", WEB, put(BALANCER, "Scheme", "internal"), "knows no other"),
    Mutation(
        "another protocol comes in",
        "reachable",
        WEB,
        put(GROUP, "SecurityGroupIngress", [DNS]),
        "where it does not listen",
    ),
    Mutation(
        "another protocol goes out", "reachable", WEB, put(GROUP, "SecurityGroupEgress", [DNS]), "may reach 0.0.0.0/0"
    ),
    # -- networks
    Mutation("SSH is open to the world", "reachable", WEB, open_the_targets, "is open to 0.0.0.0/0"),
    Mutation("SSH into a job's machine", "reachable", ("batch",), open_the_targets, "is open to 0.0.0.0/0"),
    Mutation("no route leads out", "reachable", NETWORKS, drop("AWS::EC2::Route"), "neither a gateway nor an endpoint"),
    Mutation("no route leads in", "reachable", WEB, drop("AWS::EC2::Route"), "the internet does not lead to"),
    Mutation(
        "no subnet has a route table",
        "reachable",
        NETWORKS,
        drop("AWS::EC2::SubnetRouteTableAssociation"),
        "neither a gateway nor an endpoint",
    ),
    Mutation(
        "the gateway is nobody's",
        "reachable",
        NETWORKS,
        drop("AWS::EC2::VPCGatewayAttachment"),
        "neither a gateway nor an endpoint",
    ),
    Mutation("neither addresses nor NAT: no image", "reachable", NETWORKS, no_public_addresses, "to ecr.dkr"),
    Mutation(
        "neither addresses nor NAT: no agent", "reachable", ("ecs_ec2", "batch"), no_public_addresses, "to ecs-agent"
    ),
    Mutation(
        "the NAT gateway has no address",
        "reachable",
        NETWORKS,
        unset("AWS::EC2::NatGateway", "AllocationId"),
        "to ecr.api",
        PRODUCTION,
    ),
    Mutation("the NAT gateway is itself inside", "reachable", NETWORKS, nat_gateway_inside, "to ecr.api", PRODUCTION),
    Mutation(
        "who runs may reach nobody",
        "reachable",
        NETWORKS,
        put(GROUP, "SecurityGroupEgress", [NOWHERE]),
        "may not reach the services that it calls",
    ),
    Mutation(
        "machines without a launch template",
        "reachable",
        ("ecs_ec2",),
        unset("AWS::AutoScaling::AutoScalingGroup", "LaunchTemplate"),
        "has no security group",
    ),
    Mutation(
        "all in one zone", "reachable", NETWORKS, put(SUBNET, "AvailabilityZone", "us-east-1a"), "not in two zones"
    ),
    Mutation(
        "no names", "reachable", NETWORKS, put("AWS::EC2::VPC", "EnableDnsSupport", value=False), "look up a name"
    ),
    Mutation("a function in a public subnet", "reachable", WEB, function_inside, "where Added is, to ecr.api"),
    Mutation(
        "a database in the network",
        "reachable",
        NETWORKS,
        add("AWS::RDS::DBInstance", VPCSecurityGroups=[], DBSubnetGroupName="x"),
        "knows nothing of AWS::RDS::DBInstance",
    ),
    Mutation(
        "another kind of load balancer",
        "reachable",
        WEB,
        add("AWS::ElasticLoadBalancing::LoadBalancer", Listeners=[]),
        "knows nothing of AWS::ElasticLoadBalancing::LoadBalancer",
    ),
    Mutation(
        "a network ACL", "reachable", NETWORKS, add("AWS::EC2::NetworkAcl"), "knows nothing of AWS::EC2::NetworkAcl"
    ),
    # -- a sandbox that is destroyed
    Mutation(
        "a bucket is kept",
        "destroyable",
        ("thumbnail", "batch"),
        policy("AWS::S3::Bucket", "DeletionPolicy", "Retain"),
        "Retain",
    ),
    Mutation(
        "a table is copied",
        "destroyable",
        ("api", "cron"),
        policy(TABLE, "UpdateReplacePolicy", "Snapshot"),
        "Snapshot",
    ),
    Mutation(
        "a database, and no word", "destroyable", ("api",), add("AWS::RDS::DBInstance"), "leaves a snapshot behind"
    ),
    Mutation(
        "no bucket empties itself",
        "destroyable",
        ("thumbnail", "api"),
        drop("Custom::S3AutoDeleteObjects"),
        "nothing empties it",
    ),
    Mutation(
        "images in the way",
        "destroyable",
        ("ecr",),
        put("AWS::ECR::Repository", "EmptyOnDelete", value=False),
        "once an image",
    ),
    Mutation(
        "records in the way", "destroyable", ("api",), add("AWS::Route53::HostedZone"), "cannot tell what empties"
    ),
    Mutation(
        "the load balancer is protected",
        "destroyable",
        WEB,
        put(BALANCER, "LoadBalancerAttributes", [{"Key": "deletion_protection.enabled", "Value": "true"}]),
        "is protected from deletion",
    ),
    Mutation(
        "a table is protected",
        "destroyable",
        ("cron",),
        put(TABLE, "DeletionProtectionEnabled", value=True),
        "is protected",
    ),
    Mutation(
        "instances are protected (aws-cdk #18179)",
        "destroyable",
        ("ecs_ec2",),
        put("AWS::ECS::CapacityProvider", "AutoScalingGroupProvider.ManagedTerminationProtection", "ENABLED"),
        "is protected",
    ),
    Mutation(
        "instances are protected from scaling in",
        "destroyable",
        ("ecs_ec2",),
        put("AWS::AutoScaling::AutoScalingGroup", "NewInstancesProtectedFromScaleIn", value=True),
        "is protected",
    ),
    Mutation(
        "instances cannot be terminated",
        "destroyable",
        ("ecs_ec2", "batch"),
        put("AWS::EC2::LaunchTemplate", "LaunchTemplateData.DisableApiTermination", value=True),
        "is protected",
    ),
    Mutation(
        "Container Insights",
        "destroyable",
        WEB,
        put("AWS::ECS::Cluster", "ClusterSettings", [{"Name": "containerInsights", "Value": "enhanced"}]),
        "ECS makes and leaves behind",
    ),
    Mutation(
        "a backup of a sandbox",
        "destroyable",
        ("thumbnail",),
        put(TABLE, "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled", value=True),
        "leaves a backup",
    ),
    # -- logs
    Mutation(
        "a function of CDK's logs where Lambda likes",
        "logged",
        ("thumbnail", "ecr"),
        unset("AWS::Lambda::Function", "LoggingConfig"),
        "a log group that Lambda makes",
    ),
    Mutation("a group for ever", "logged", ("cron",), put("AWS::Logs::LogGroup", "RetentionInDays", 0), "for ever"),
    Mutation(
        "CDK's default role for functions",
        "logged",
        ("api", "cron"),
        manage("service-role/AWSLambdaBasicExecutionRole"),
        "could make log groups",
    ),
    Mutation("any action on logs", "logged", ("batch", "fargate"), allow("logs:*"), "could make log groups"),
    Mutation("tasks without logs", "logged", WEB, in_containers("LogConfiguration", {}), "does not log to a group"),
    Mutation("tasks that make their group", "logged", WEB, make_log_groups, "would make its log group"),
    Mutation(
        "a job in Batch's own group",
        "logged",
        ("batch",),
        put("AWS::Batch::JobDefinition", "ContainerProperties.LogConfiguration", {}),
        "does not log to a group",
    ),
    Mutation(
        "a job of several containers",
        "logged",
        ("batch",),
        unset("AWS::Batch::JobDefinition", "ContainerProperties"),
        "has other containers",
    ),
    Mutation(
        "execution logs of the gateway",
        "logged",
        ("api",),
        put("AWS::ApiGateway::Stage", "MethodSettings", [{"LoggingLevel": "ERROR"}]),
        "execution logs",
    ),
    Mutation(
        "nobody notes who calls",
        "logged",
        ("api",),
        unset("AWS::ApiGateway::Stage", "AccessLogSetting"),
        "who calls it",
    ),
    Mutation("the account's role for the gateway", "logged", ("api",), add("AWS::ApiGateway::Account"), "by itself"),
    Mutation(
        "packets in a group of their own",
        "logged",
        NETWORKS,
        put("AWS::EC2::FlowLog", "LogGroupName", "/vpc/refused"),
        "does not write to a group",
    ),
    # -- what production keeps
    Mutation(
        "a table goes with its stack", "retained", ("api",), policy(TABLE, "DeletionPolicy", "Delete"), "may be lost"
    ),
    Mutation(
        "a bucket goes when it is replaced",
        "retained",
        ("thumbnail", "batch"),
        policy("AWS::S3::Bucket", "UpdateReplacePolicy", "Delete"),
        "may be lost",
    ),
    Mutation(
        "a queue loses its policy",
        "retained",
        ("cron",),
        policy("AWS::SQS::QueuePolicy", "DeletionPolicy", "Delete"),
        "may be lost",
    ),
    Mutation(
        "the logs of what serves go",
        "retained",
        ("fargate", "api"),
        policy("AWS::Logs::LogGroup", "DeletionPolicy", "Delete"),
        "may be lost",
    ),
    Mutation(
        "the server loses its address",
        "retained",
        ("lightsail",),
        policy("AWS::Lightsail::StaticIp", "DeletionPolicy", "Delete"),
        "may be lost",
    ),
    Mutation(
        "no way back to yesterday",
        "retained",
        ("api", "cron", "thumbnail"),
        unset(TABLE, "PointInTimeRecoverySpecification"),
        "no point-in-time recovery",
    ),
    Mutation(
        "a table at a slip of the hand",
        "retained",
        ("api",),
        unset(TABLE, "DeletionProtectionEnabled"),
        "not protected",
    ),
    Mutation(
        "pictures are overwritten for good",
        "retained",
        ("thumbnail", "batch"),
        unset("AWS::S3::Bucket", "VersioningConfiguration"),
        "keeps no versions",
    ),
    Mutation(
        "logs that are kept for ever have no copy",
        "retained",
        ("api",),
        unset("AWS::S3::Bucket", "LifecycleConfiguration"),
        "keeps no versions",
    ),
    Mutation(
        "a push overwrites an image",
        "retained",
        ("ecr",),
        put("AWS::ECR::Repository", "ImageTagMutability", "MUTABLE"),
        "overwrite an image",
    ),
    Mutation(
        "images go with their registry",
        "retained",
        ("ecr",),
        put("AWS::ECR::Repository", "EmptyOnDelete", value=True),
        "would be emptied",
    ),
    Mutation(
        "a database without backups",
        "retained",
        ("lightsail",),
        add("AWS::Lightsail::Database"),
        "Added has no backups",
    ),
    Mutation(
        "a bucket without versions",
        "retained",
        ("lightsail",),
        add("AWS::Lightsail::Bucket"),
        "Added keeps no versions",
    ),
    Mutation(
        "no snapshots of the server",
        "retained",
        ("lightsail",),
        unset("AWS::Lightsail::Instance", "AddOns"),
        "no snapshots",
    ),
    Mutation(
        "a bucket is emptied with its stack",
        "retained",
        ("thumbnail",),
        add("Custom::S3AutoDeleteObjects", ServiceToken="x"),
        "empties a store",
    ),
    Mutation("a store in cfn-lint's list", "retained", ("api",), add("AWS::EFS::FileSystem"), "looks like a store"),
    Mutation("a store by its schema alone", "retained", ("api",), add("AWS::DSQL::Cluster"), "looks like a store"),
    Mutation("what nobody knows", "retained", ("api",), add("AWS::New::Thing"), "looks like a store"),
    Mutation("a store by its name alone", "retained", ("api",), add("AWS::Timestream::Table"), "looks like a store"),
    # -- whose it is, and of nobody
    Mutation("a tag is missing", "tagged", ("cron", "batch"), lose_a_tag, "has no tag profile"),
    Mutation(
        "another's tag",
        "tagged",
        ("thumbnail",),
        put(TABLE, "Tags", [{"Key": key, "Value": "x"} for key in ("project", "example", "profile")]),
        "tagged thumbnail and x",
    ),
    Mutation("an export", "independent", ("ecr",), export, "is exported"),
    Mutation(
        "an import",
        "independent",
        WEB,
        put("AWS::ECS::Service", "Cluster", {"Fn::ImportValue": "cluster"}),
        "imports cluster",
    ),
    Mutation("a parameter", "independent", NETWORKS, ask, "has to be given"),
    Mutation(
        "a secret of somebody's",
        "independent",
        ("cron",),
        put("AWS::Lambda::Function", "Environment.Variables.PASSWORD", "{{resolve:secretsmanager:mine}}"),
        "reads {{resolve",
    ),
    Mutation(
        "an account",
        "reproducible",
        ("api",),
        put("AWS::Lambda::Function", "Role", "arn:aws:iam::210987654321:role/mine"),
        "the account 210987654321",
    ),
    Mutation(
        "the day of the synthesis",
        "reproducible",
        ("cron",),
        put("AWS::Lambda::Function", "Description", "of 2026-11-21T17:00"),
        "the date 2026-11-21",
    ),
    Mutation(
        "a path",
        "reproducible",
        ("batch",),
        put("AWS::Batch::JobQueue", "JobQueueName", "/home/me/project"),
        "a path of this machine",
    ),
    # -- what has a price
    Mutation(
        "a type that nobody has priced", "priced", ("cron",), add("AWS::OpenSearchService::Domain"), "in [free] there"
    ),
    Mutation(
        "capacity is provisioned",
        "priced",
        ("thumbnail", "api", "cron"),
        put(TABLE, "BillingMode", "PROVISIONED"),
        "provisioned capacity",
    ),
    Mutation(
        "the API has a cache", "priced", ("api",), put("AWS::ApiGateway::Stage", "CacheClusterEnabled", 1), "cache"
    ),
    Mutation(
        "functions are kept warm",
        "priced",
        ("ecr",),
        put("AWS::Lambda::Version", "ProvisionedConcurrencyConfig", {"ProvisionedConcurrentExecutions": 1}),
        "provisioned concurrency",
    ),
    Mutation(
        "Batch keeps instances without a job",
        "priced",
        ("batch",),
        put("AWS::Batch::ComputeEnvironment", "ComputeResources.MinvCpus", 2),
        "always keeps",
    ),
    Mutation(
        "instances of another type",
        "priced",
        ("ecs_ec2",),
        put("AWS::EC2::LaunchTemplate", "LaunchTemplateData.InstanceType", "u7i-12tb.224xlarge"),
        "u7i-12tb.224xlarge",
    ),
    Mutation(
        "a larger server",
        "priced",
        ("lightsail",),
        put("AWS::Lightsail::Instance", "BundleId", "2xlarge_3_0"),
        "server-2xlarge",
    ),
    Mutation("instances of many types", "priced", ("ecs_ec2",), mix_machines, "only with 'LaunchTemplate'"),
    Mutation("another kind of load balancer", "priced", WEB, put(BALANCER, "Type", "network"), "network load balancer"),
    Mutation(
        "insights of the dearer kind",
        "priced",
        WEB,
        put("AWS::ECS::Cluster", "ClusterSettings", [{"Name": "containerInsights", "Value": "enhanced"}]),
        "enhanced",
    ),
    Mutation(
        "alarms that look every ten seconds",
        "priced",
        ("thumbnail",),
        put("AWS::CloudWatch::Alarm", "Period", 10),
        "minute",
    ),
    # -- what roles may
    Mutation(
        "an action that nobody uses", "least_privilege", ("api",), allow("dynamodb:Scan"), "is granted dynamodb:Scan"
    ),
    Mutation(
        "an action is missing", "least_privilege", ("thumbnail",), forbid("s3:GetObject"), "uses s3:GetObject on ${Up"
    ),
    Mutation(
        "a bucket may not be listed, so that what is not there is 403",
        "least_privilege",
        ("thumbnail", "batch"),
        forbid("s3:ListBucket"),
        "uses s3:ListBucket",
    ),
    Mutation("no log", "least_privilege", ("cron",), forbid("logs:PutLogEvents"), "uses logs:PutLogEvents"),
    Mutation("every table", "least_privilege", ("api", "cron"), for_everything, "is granted dynamodb:PutItem on *"),
    Mutation(
        "every action", "least_privilege", ("api", "cron"), every_action_of("dynamodb"), "is granted dynamodb:* on ${"
    ),
    Mutation(
        "everything", "least_privilege", ("fargate", "ecr"), manage("AdministratorAccess"), "AdministratorAccess on *"
    ),
    Mutation("everything but something", "least_privilege", ("fargate",), all_but("iam:*"), "is granted * on *"),
    Mutation(
        "more by a bucket's policy",
        "least_privilege",
        ("thumbnail",),
        by_the_buckets_policy,
        "is granted s3:* on ${",
        ("sandbox",),
    ),
    # -- what is mended no more
    Mutation(
        "functions on an old Python",
        "supported",
        ("thumbnail", "cron", "api", "ecr"),
        put("AWS::Lambda::Function", "Runtime", "python3.9"),
        "python3.9 is not in",
    ),
    Mutation(
        "a runtime that only the deployment knows",
        "supported",
        ("cron",),
        put("AWS::Lambda::Function", "Runtime", {"Ref": "Runtime"}),
        "is not in",
    ),
    Mutation("instances on Amazon Linux 2", "supported", ("ecs_ec2",), amazon_linux_2, "optimized-ami/amazon-linux-2/"),
    Mutation(
        "an image that no update reaches",
        "supported",
        ("ecs_ec2",),
        put("AWS::EC2::LaunchTemplate", "LaunchTemplateData.ImageId", "ami-0abcdef1234567890"),
        "ami-0abcdef1234567890 is not in",
    ),
    Mutation(
        "Batch on Amazon Linux 2",
        "supported",
        ("batch",),
        put("AWS::Batch::ComputeEnvironment", "ComputeResources.Ec2Configuration", [{"ImageType": "ECS_AL2"}]),
        "ECS_AL2 is not in",
    ),
    Mutation(
        "a server on an old Ubuntu",
        "supported",
        ("lightsail",),
        put("AWS::Lightsail::Instance", "BlueprintId", "ubuntu_20_04"),
        "ubuntu_20_04 is not in",
    ),
    Mutation(
        "a plan that is retired",
        "supported",
        ("lightsail",),
        put("AWS::Lightsail::Instance", "BundleId", "nano_2_0"),
        "nano_2_0 is not in",
    ),
]
