"""The cases of test_updates.py: for each kind of resource, a property that the second deployment changes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath
from conftest import Client
from helpers import policy, trust_policy

CHANGED = "Changed"
"""The logical id of the resource that the second deployment changes."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request to a service, and the part of the answer that contains the changed value."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    """The name of a logical id stands for its physical id."""
    path: str
    """A JMESPath expression."""

    def send(self, client: Client, ids: Mapping[str, str]) -> Any:
        """Send the request. `ids` contains the physical id of each logical id. Return the part of the answer."""
        parameters = {
            name: [ids.get(item, item) for item in value] if isinstance(value, list) else ids.get(value, value)
            for name, value in self.parameters.items()
        }
        answer = getattr(client(self.service), self.operation)(**parameters)
        if "Payload" in answer:  # the answer of a function
            answer["Payload"] = answer["Payload"].read().decode()
        return jmespath.search(self.path, answer)


@dataclass(frozen=True, kw_only=True)
class Update:
    """A resource, the properties that the second deployment changes, and the values in the service."""

    kind: str
    """The type of the resource without `AWS::`."""
    first: Mapping[str, Any] = field(default_factory=dict)
    """The properties of the resource in the first template."""
    change: Mapping[str, Any]
    """The properties that differ in the second template."""
    read: Request
    values: tuple[Any, Any]
    """The results of `read` after the first and after the second deployment."""
    others: Mapping[str, Any] = field(default_factory=dict)
    """Other resources, which both templates contain."""
    is_replaced: bool = False
    """Whether the second deployment creates a new resource with another physical id."""


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    """Return a resource of a template. `kind` is the type without `AWS::`."""
    return {"Type": f"AWS::{kind}", "Properties": properties}


def request(service: str, operation: str, path: str, **parameters: Any) -> Request:
    """Return a request. `path` begins at the answer of boto3."""
    return Request(service=service, operation=operation, path=path, parameters=parameters)


def ref(logical_id: str) -> dict[str, str]:
    """Return a reference to the physical id of a resource."""
    return {"Ref": logical_id}


def attribute(logical_id: str, name: str = "Arn") -> dict[str, list[str]]:
    """Return a reference to an attribute of a resource."""
    return {"Fn::GetAtt": [logical_id, name]}


def function(code: str, **properties: Any) -> dict[str, Any]:
    """Return the properties of a function that returns the value of the Python expression `code`."""
    source = {"ZipFile": f"import os\ndef handler(event, context): return {code}"}
    return {"Handler": "index.handler", "Runtime": "python3.14", "Role": attribute("Role"), "Code": source} | properties


NOTHING = ref("AWS::NoValue")
"""The value of a property that an update removes from the template."""
TABLE: dict[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}
TABLE_WITH_INDEX = {
    **TABLE,
    "AttributeDefinitions": [*TABLE["AttributeDefinitions"], {"AttributeName": "day", "AttributeType": "S"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-day",
            "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}
ROLE = {"Role": resource("IAM::Role", AssumeRolePolicyDocument=json.loads(trust_policy({"Service": "*"})))}
FUNCTION = {**ROLE, "Function": resource("Lambda::Function", **function("1"))}
BUCKET = {"Bucket": resource("S3::Bucket")}
VPC = {"Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16")}
SUBNET = {"VpcId": ref("Vpc"), "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "us-east-1a"}
NETWORK = {**VPC, "Subnet": resource("EC2::Subnet", **SUBNET)}
BALANCER = {**NETWORK, "Balancer": resource("ElasticLoadBalancingV2::LoadBalancer", Subnets=[ref("Subnet")])}
GROUP = {"MinSize": "1", "MaxSize": "2", "VPCZoneIdentifier": [ref("Subnet")]}
API = {
    "Api": resource("ApiGateway::RestApi", Name="api"),
    "Path": resource(
        "ApiGateway::Resource", RestApiId=ref("Api"), ParentId=attribute("Api", "RootResourceId"), PathPart="notes"
    ),
}


def _document(action: str) -> str:
    return policy({"Action": action, "Principal": "*"})


def _inline(action: str) -> dict[str, Any]:
    return {"PolicyName": "p", "PolicyDocument": json.loads(_document(action))}


def _lifecycle(days: int) -> dict[str, Any]:
    return {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "ExpirationInDays": days}]}}


def _mock(body: str) -> dict[str, Any]:
    response = {"StatusCode": "200", "ResponseTemplates": {"application/json": body}}
    return {"Type": "MOCK", "IntegrationResponses": [response]}


def _throttle(limit: int) -> dict[str, Any]:
    return {"HttpMethod": "*", "ResourcePath": "/*", "ThrottlingBurstLimit": limit, "ThrottlingRateLimit": limit}


def _fixed_response(status: str) -> dict[str, Any]:
    return {"DefaultActions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": status}}]}


def _ports(number: int) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "CidrIp": "10.0.0.0/8", "FromPort": number, "ToPort": number}


def _destination(prefix: str) -> dict[str, Any]:
    bucket, role = attribute("Bucket"), attribute("Role")
    return {"ExtendedS3DestinationConfiguration": {"BucketARN": bucket, "RoleARN": role, "Prefix": prefix}}


def _container(image: str) -> dict[str, Any]:
    return {"ContainerDefinitions": [{"Name": "web", "Image": image, "HealthCheck": {"Command": ["CMD", image]}}]}


def _provider(capacity: int) -> dict[str, Any]:
    scaling = {"Status": "ENABLED", "TargetCapacity": capacity}
    return {"AutoScalingGroupProvider": {"AutoScalingGroupArn": ref("Group"), "ManagedScaling": scaling}}


def _environment(maximum: int) -> dict[str, Any]:
    resources = {"Type": "FARGATE", "Subnets": [ref("Subnet")], "SecurityGroupIds": ["sg-1"], "MaxvCpus": maximum}
    return {"Type": "MANAGED", "ComputeEnvironmentName": "updated", "ComputeResources": resources}


_INVOCATION = request("lambda", "invoke", "Payload", FunctionName=CHANGED)
_TAG = [{"Key": "a", "Value": "1"}]
_METHOD = {
    "RestApiId": ref("Api"),
    "ResourceId": ref("Path"),
    "HttpMethod": "GET",
    "AuthorizationType": "NONE",
    "Integration": _mock("1"),
}
_ALARM = {"EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
_METRIC = {"Metric": {"MetricName": "m", "Namespace": "n"}, "Period": 60, "Stat": "Sum"}

UPDATES = {
    "code of a function": Update(
        kind="Lambda::Function",
        first=function("1"),
        change=function("2"),
        others=ROLE,
        read=_INVOCATION,
        values=("1", "2"),
    ),
    "environment of a function": Update(
        kind="Lambda::Function",
        first=function("int(os.environ['A'])", Environment={"Variables": {"A": "1"}}),
        change={"Environment": {"Variables": {"A": "2"}}},
        others=ROLE,
        read=_INVOCATION,
        values=("1", "2"),
    ),
    "timeout of a function": Update(
        kind="Lambda::Function",
        first=function("1"),
        change={"Timeout": 9},
        others=ROLE,
        read=request("lambda", "get_function_configuration", "Timeout", FunctionName=CHANGED),
        values=(3, 9),
    ),
    "retries of a function": Update(
        kind="Lambda::EventInvokeConfig",
        first={"FunctionName": ref("Function"), "Qualifier": "$LATEST", "MaximumRetryAttempts": 2},
        change={"MaximumRetryAttempts": 0},
        others=FUNCTION,
        read=request(
            "lambda",
            "get_function_event_invoke_config",
            "MaximumRetryAttempts",
            FunctionName="Function",
            Qualifier="$LATEST",
        ),
        values=(2, 0),
    ),
    "permission to invoke a function": Update(
        kind="Lambda::Permission",
        first={"FunctionName": ref("Function"), "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"},
        change={"Principal": "sns.amazonaws.com"},
        others=FUNCTION,
        read=request("lambda", "get_policy", "contains(Policy, 's3.amazonaws.com')", FunctionName="Function"),
        values=(True, False),
        is_replaced=True,
    ),
    "policy in a role": Update(
        kind="IAM::Role",
        first={**ROLE["Role"]["Properties"], "Policies": [_inline("s3:GetObject")]},
        change={"Policies": [_inline("s3:PutObject")]},
        read=request("iam", "get_role_policy", "PolicyDocument.Statement[].Action", RoleName=CHANGED, PolicyName="p"),
        values=(["s3:GetObject"], ["s3:PutObject"]),
    ),
    "policy of a role": Update(
        kind="IAM::Policy",
        first={**_inline("s3:GetObject"), "Roles": [ref("Role")]},
        change=_inline("s3:PutObject"),
        others=ROLE,
        read=request("iam", "get_role_policy", "PolicyDocument.Statement[].Action", RoleName="Role", PolicyName="p"),
        values=(["s3:GetObject"], ["s3:PutObject"]),
    ),
    "lifecycle of a bucket": Update(
        kind="S3::Bucket",
        first=_lifecycle(1),
        change=_lifecycle(3),
        read=request("s3", "get_bucket_lifecycle_configuration", "Rules[].Expiration.Days", Bucket=CHANGED),
        values=([1], [3]),
    ),
    "versioning of a bucket": Update(
        kind="S3::Bucket",
        first={"VersioningConfiguration": {"Status": "Enabled"}},
        change={"VersioningConfiguration": NOTHING},
        read=request("s3", "get_bucket_versioning", "Status", Bucket=CHANGED),
        values=("Enabled", "Suspended"),
    ),
    "policy of a bucket": Update(
        kind="S3::BucketPolicy",
        first={"Bucket": ref("Bucket"), "PolicyDocument": json.loads(_document("s3:GetObject"))},
        change={"PolicyDocument": json.loads(_document("s3:PutObject"))},
        others=BUCKET,
        read=request("s3", "get_bucket_policy", "Policy", Bucket="Bucket"),
        values=(_document("s3:GetObject"), _document("s3:PutObject")),
    ),
    "index of a table": Update(
        kind="DynamoDB::Table",
        first=TABLE,
        change=TABLE_WITH_INDEX,
        read=request("dynamodb", "describe_table", "Table.GlobalSecondaryIndexes[].IndexName", TableName=CHANGED),
        values=(None, ["by-day"]),
    ),
    "protection of a table": Update(
        kind="DynamoDB::Table",
        first=TABLE,
        change={"DeletionProtectionEnabled": True},
        read=request("dynamodb", "describe_table", "Table.DeletionProtectionEnabled", TableName=CHANGED),
        values=(False, True),
    ),
    "time to live of a table": Update(
        kind="DynamoDB::Table",
        first={**TABLE, "TimeToLiveSpecification": {"AttributeName": "end", "Enabled": True}},
        change={"TimeToLiveSpecification": NOTHING},
        read=request("dynamodb", "describe_time_to_live", "TimeToLiveDescription.TimeToLiveStatus", TableName=CHANGED),
        values=("ENABLED", "DISABLED"),
    ),
    "timeout of a queue": Update(
        kind="SQS::Queue",
        first={"VisibilityTimeout": 40},
        change={"VisibilityTimeout": 50},
        read=request(
            "sqs", "get_queue_attributes", "Attributes.*", QueueUrl=CHANGED, AttributeNames=["VisibilityTimeout"]
        ),
        values=(["40"], ["50"]),
    ),
    "policy of a queue": Update(
        kind="SQS::QueuePolicy",
        first={"Queues": [ref("Queue")], "PolicyDocument": json.loads(_document("sqs:SendMessage"))},
        change={"PolicyDocument": json.loads(_document("sqs:ReceiveMessage"))},
        others={"Queue": resource("SQS::Queue")},
        read=request("sqs", "get_queue_attributes", "Attributes.*", QueueUrl="Queue", AttributeNames=["Policy"]),
        values=([_document("sqs:SendMessage")], [_document("sqs:ReceiveMessage")]),
    ),
    "retention of a log": Update(
        kind="Logs::LogGroup",
        first={"RetentionInDays": 1},
        change={"RetentionInDays": 7},
        read=request("logs", "describe_log_groups", "logGroups[].retentionInDays", logGroupNamePrefix=CHANGED),
        values=([1], [7]),
    ),
    "pattern of a rule": Update(
        kind="Events::Rule",
        first={"Name": "updated", "EventPattern": {"source": ["a"]}},
        change={"EventPattern": {"source": ["b"]}},
        read=request("events", "describe_rule", "EventPattern", Name="updated"),
        values=('{"source": ["a"]}', '{"source": ["b"]}'),
    ),
    "time of a schedule": Update(
        kind="Scheduler::Schedule",
        first={
            "ScheduleExpression": "rate(1 hour)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": attribute("Function"), "RoleArn": attribute("Role")},
        },
        change={"ScheduleExpression": "rate(2 hours)"},
        others=FUNCTION,
        read=request("scheduler", "get_schedule", "ScheduleExpression", Name=CHANGED),
        values=("rate(1 hour)", "rate(2 hours)"),
    ),
    "threshold of an alarm": Update(
        kind="CloudWatch::Alarm",
        first={**_ALARM, "MetricName": "m", "Namespace": "n", "Statistic": "Sum", "Period": 60},
        change={"Threshold": 5},
        read=request("cloudwatch", "describe_alarms", "MetricAlarms[].Threshold", AlarmNames=[CHANGED]),
        values=([1], [5]),
    ),
    "threshold of an alarm on an expression": Update(
        kind="CloudWatch::Alarm",
        first={
            **_ALARM,
            "Metrics": [{"Id": "e", "Expression": "FILL(m, 0)"}, {"Id": "m", "MetricStat": _METRIC}],
        },
        change={"Threshold": 5},
        read=request("cloudwatch", "describe_alarms", "MetricAlarms[].Threshold", AlarmNames=[CHANGED]),
        values=([1], [5]),
    ),
    "body of a dashboard": Update(
        kind="CloudWatch::Dashboard",
        first={"DashboardBody": '{"widgets": []}'},
        change={"DashboardBody": '{"start": "-P1D", "widgets": []}'},
        read=request("cloudwatch", "get_dashboard", "DashboardBody", DashboardName=CHANGED),
        values=('{"widgets": []}', '{"start": "-P1D", "widgets": []}'),
    ),
    "lifecycle of a repository": Update(
        kind="ECR::Repository",
        first={"LifecyclePolicy": {"LifecyclePolicyText": "1"}},
        change={"LifecyclePolicy": {"LifecyclePolicyText": "2"}},
        read=request("ecr", "get_lifecycle_policy", "lifecyclePolicyText", repositoryName=CHANGED),
        values=("1", "2"),
    ),
    "settings of a cluster": Update(
        kind="ECS::Cluster",
        change={"ClusterSettings": [{"Name": "containerInsights", "Value": "enabled"}]},
        read=request(
            "ecs", "describe_clusters", "clusters[].settings[].value", clusters=[CHANGED], include=["SETTINGS"]
        ),
        values=(["disabled"], ["enabled"]),
    ),
    "image of a task definition": Update(
        kind="ECS::TaskDefinition",
        first={"Family": "updated", "RuntimePlatform": {"CpuArchitecture": "ARM64"}, **_container("web:1")},
        change={"RuntimePlatform": {"CpuArchitecture": "X86_64"}, **_container("web:2")},
        read=request(
            "ecs",
            "describe_task_definition",
            "[taskDefinition.runtimePlatform.cpuArchitecture, "
            "taskDefinition.containerDefinitions[0].[image, healthCheck.command[1]]][]",
            taskDefinition=CHANGED,
        ),
        values=(["ARM64", "web:1", "web:1"], ["X86_64", "web:2", "web:2"]),
        is_replaced=True,
    ),
    "scaling of a capacity provider": Update(
        kind="ECS::CapacityProvider",
        first=_provider(100),
        change=_provider(80),
        others={**NETWORK, "Group": resource("AutoScaling::AutoScalingGroup", **GROUP)},
        read=request(
            "ecs",
            "describe_capacity_providers",
            "capacityProviders[].autoScalingGroupProvider.managedScaling.targetCapacity",
            capacityProviders=[CHANGED],
        ),
        values=([100], [80]),
    ),
    "capacity providers of a cluster": Update(
        kind="ECS::ClusterCapacityProviderAssociations",
        first={"Cluster": ref("Cluster"), "CapacityProviders": ["FARGATE"], "DefaultCapacityProviderStrategy": []},
        change={"CapacityProviders": ["FARGATE_SPOT"]},
        others={"Cluster": resource("ECS::Cluster")},
        read=request("ecs", "describe_clusters", "clusters[].capacityProviders[]", clusters=["Cluster"]),
        values=(["FARGATE"], ["FARGATE_SPOT"]),
    ),
    "size of an Auto Scaling group": Update(
        kind="AutoScaling::AutoScalingGroup",
        first=GROUP,
        change={"MinSize": "2"},
        others=NETWORK,
        read=request(
            "autoscaling",
            "describe_auto_scaling_groups",
            "AutoScalingGroups[].length(Instances)",
            AutoScalingGroupNames=[CHANGED],
        ),
        values=([1], [2]),
    ),
    "data of a launch template": Update(
        kind="EC2::LaunchTemplate",
        first={"LaunchTemplateData": {"InstanceType": "t3.micro"}},
        change={"LaunchTemplateData": {"InstanceType": "t4g.micro"}},
        read=request(
            "ec2",
            "describe_launch_template_versions",
            "LaunchTemplateVersions[].LaunchTemplateData.InstanceType",
            LaunchTemplateId=CHANGED,
        ),
        values=(["t3.micro"], ["t4g.micro", "t3.micro"]),
    ),
    "attribute of a load balancer": Update(
        kind="ElasticLoadBalancingV2::LoadBalancer",
        first={"Subnets": [ref("Subnet")]},
        change={"LoadBalancerAttributes": [{"Key": "idle_timeout.timeout_seconds", "Value": "33"}]},
        others=NETWORK,
        read=request(
            "elbv2",
            "describe_load_balancer_attributes",
            "Attributes[?Key=='idle_timeout.timeout_seconds'].Value",
            LoadBalancerArn=CHANGED,
        ),
        values=(["60"], ["33"]),
    ),
    "action of a listener": Update(
        kind="ElasticLoadBalancingV2::Listener",
        first={"Port": 80, "Protocol": "HTTP", "LoadBalancerArn": ref("Balancer"), **_fixed_response("200")},
        change=_fixed_response("404"),
        others=BALANCER,
        read=request(
            "elbv2",
            "describe_listeners",
            "Listeners[].DefaultActions[].FixedResponseConfig.StatusCode",
            ListenerArns=[CHANGED],
        ),
        values=(["200"], ["404"]),
    ),
    "health check of a target group": Update(
        kind="ElasticLoadBalancingV2::TargetGroup",
        first={"VpcId": ref("Vpc"), "Port": 80, "Protocol": "HTTP", "HealthCheckPath": "/"},
        change={"HealthCheckPath": "/health"},
        others=VPC,
        read=request("elbv2", "describe_target_groups", "TargetGroups[].HealthCheckPath", TargetGroupArns=[CHANGED]),
        values=(["/"], ["/health"]),
    ),
    "image of a job definition": Update(
        kind="Batch::JobDefinition",
        first={"JobDefinitionName": "updated", "Type": "container", "ContainerProperties": {"Image": "job:1"}},
        change={"ContainerProperties": {"Image": "job:2"}},
        read=request(
            "batch",
            "describe_job_definitions",
            "jobDefinitions[?jobDefinitionName=='updated'].[revision, status, containerProperties.image]",
            jobDefinitionName="updated",
        ),
        values=([[1, "ACTIVE", "job:1"]], [[1, "INACTIVE", "job:1"], [2, "ACTIVE", "job:2"]]),
        is_replaced=True,
    ),
    "size of a compute environment": Update(
        kind="Batch::ComputeEnvironment",
        first=_environment(1),
        change=_environment(4),
        others=NETWORK,
        read=request(
            "batch",
            "describe_compute_environments",
            "computeEnvironments[].computeResources.maxvCpus",
            computeEnvironments=["updated"],
        ),
        values=([1], [4]),
    ),
    "priority of a job queue": Update(
        kind="Batch::JobQueue",
        first={"Priority": 1, "ComputeEnvironmentOrder": []},
        change={"Priority": 5},
        read=request("batch", "describe_job_queues", "jobQueues[].priority", jobQueues=[CHANGED]),
        values=([1], [5]),
    ),
    "rule in a security group": Update(
        kind="EC2::SecurityGroup",
        first={"GroupDescription": "d", "VpcId": ref("Vpc"), "SecurityGroupIngress": [_ports(80)]},
        change={"SecurityGroupIngress": [_ports(81)]},
        others=VPC,
        read=request(
            "ec2", "describe_security_groups", "SecurityGroups[].IpPermissions[].FromPort", GroupIds=[CHANGED]
        ),
        values=([80], [81]),
    ),
    "rule of a security group": Update(
        kind="EC2::SecurityGroupIngress",
        first={"GroupId": attribute("Firewall", "GroupId"), **_ports(80)},
        change=_ports(81),
        others={**VPC, "Firewall": resource("EC2::SecurityGroup", GroupDescription="d", VpcId=ref("Vpc"))},
        read=request(
            "ec2", "describe_security_groups", "SecurityGroups[].IpPermissions[].FromPort", GroupIds=["Firewall"]
        ),
        values=([80], [81]),
        is_replaced=True,
    ),
    "tags of an elastic IP address": Update(
        kind="EC2::EIP",
        first={"Domain": "vpc"},
        change={"Tags": _TAG},
        read=request("ec2", "describe_addresses", "Addresses[].Tags[].Value", PublicIps=[CHANGED]),
        values=([], ["1"]),
    ),
    "tags of a NAT gateway": Update(
        kind="EC2::NatGateway",
        first={"SubnetId": ref("Subnet"), "AllocationId": attribute("Address", "AllocationId")},
        change={"Tags": _TAG},
        others={**NETWORK, "Address": resource("EC2::EIP", Domain="vpc")},
        read=request("ec2", "describe_nat_gateways", "NatGateways[].Tags[].Value", NatGatewayIds=[CHANGED]),
        values=([], ["1"]),
    ),
    "traffic of a flow log": Update(
        kind="EC2::FlowLog",
        first={"ResourceType": "VPC", "ResourceId": ref("Vpc"), "TrafficType": "ALL", "LogGroupName": "flows"},
        change={"TrafficType": "REJECT"},
        others=VPC,
        read=request("ec2", "describe_vpcs", "length(Vpcs)", VpcIds=["Vpc"]),  # the engine only stores flow logs
        values=(1, 1),
        is_replaced=True,
    ),
    "public addresses of a subnet": Update(
        kind="EC2::Subnet",
        first=SUBNET,
        change={"MapPublicIpOnLaunch": True},
        others=VPC,
        read=request("ec2", "describe_subnets", "Subnets[].MapPublicIpOnLaunch", SubnetIds=[CHANGED]),
        values=([False], [True]),
    ),
    "integration of a method": Update(
        kind="ApiGateway::Method",
        first=_METHOD,
        change={"Integration": _mock("2")},
        others=API,
        read=request(
            "apigateway",
            "get_method",
            'methodIntegration.integrationResponses."200".responseTemplates."application/json"',
            restApiId="Api",
            resourceId="Path",
            httpMethod="GET",
        ),
        values=("1", "2"),
    ),
    "throttling of a stage": Update(
        kind="ApiGateway::Stage",
        first={
            "RestApiId": ref("Api"),
            "DeploymentId": ref("Deployment"),
            "StageName": "v1",
            "MethodSettings": [_throttle(1)],
        },
        change={"MethodSettings": [_throttle(2)]},
        others={
            **API,
            "Method": resource("ApiGateway::Method", **_METHOD),
            "Deployment": {**resource("ApiGateway::Deployment", RestApiId=ref("Api")), "DependsOn": "Method"},
        },
        read=request(
            "apigateway", "get_stage", "methodSettings.*.throttlingBurstLimit", restApiId="Api", stageName="v1"
        ),
        values=([1], [2]),
    ),
    "throttling of a usage plan": Update(
        kind="ApiGateway::UsagePlan",
        first={"Throttle": {"BurstLimit": 1, "RateLimit": 1}},
        change={"Throttle": {"BurstLimit": 2, "RateLimit": 2}},
        read=request("apigateway", "get_usage_plan", "throttle.burstLimit", usagePlanId=CHANGED),
        values=(1, 2),
    ),
    "destination of a delivery stream": Update(
        kind="KinesisFirehose::DeliveryStream",
        first=_destination("a/"),
        change=_destination("b/"),
        others={**ROLE, **BUCKET},
        read=request(
            "firehose",
            "describe_delivery_stream",
            "DeliveryStreamDescription.Destinations[].ExtendedS3DestinationDescription.Prefix",
            DeliveryStreamName=CHANGED,
        ),
        values=(["a/"], ["b/"]),
    ),
}
"""The keys name the changed part of the resource."""
