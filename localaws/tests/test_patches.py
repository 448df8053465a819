"""Tests of the patches of API Gateway, Batch, CloudFormation, CloudWatch, EC2, ECR, ECS and S3.

Each test compares the stock engine (ministack without the patches) with the patched engine. The test fails if a patch
does not work or is no longer necessary.
"""

import contextlib
import hashlib
import json
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError, WaiterError
from conftest import Client
from helpers import deploy_stack, policy, s3_client
from ministack.core import iam_actions

from localaws.patches.ecr import evaluate_repository_arn


def test_the_patches_are_for_the_installed_version_of_ministack() -> None:
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]
    assert f"ministack=={version('ministack')}" in project["dependencies"]


# -- s3


def is_tls_only_bucket_readable(client: Client) -> bool:
    """Create a bucket that denies requests without TLS, and return whether a user can read the bucket over HTTP."""
    s3, iam = client("s3"), client("iam")
    s3.create_bucket(Bucket="tls-only")
    s3.put_object(Bucket="tls-only", Key="a", Body=b"a")
    denial = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::tls-only", "arn:aws:s3:::tls-only/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket="tls-only", Policy=policy(denial))
    iam.create_user(UserName="reader")
    iam.put_user_policy(UserName="reader", PolicyName="s3", PolicyDocument=policy({"Action": "s3:*"}))
    reader = s3_client(s3.meta.endpoint_url, iam.create_access_key(UserName="reader")["AccessKey"])
    try:
        reader.get_object(Bucket="tls-only", Key="a")
    except ClientError as error:
        return error.response["Error"]["Code"] != "AccessDenied"
    return True


def test_a_bucket_that_requires_tls_is_readable_over_http(stock: Client, patched: Client) -> None:
    assert not is_tls_only_bucket_readable(stock)
    assert is_tls_only_bucket_readable(patched)


def tags_of_deployed_bucket(client: Client, operation: str, value: str) -> dict[str, str]:
    """Create or update a stack with a bucket, and return the tags of the bucket."""
    properties = {"BucketName": "tagged", "Tags": [{"Key": "own", "Value": value}]}
    template = json.dumps({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": properties}}})
    cloudformation = client("cloudformation")
    provision = getattr(cloudformation, f"{operation}_stack")
    provision(StackName="tags", TemplateBody=template, Tags=[{"Key": "stack", "Value": "2"}])
    cloudformation.get_waiter(f"stack_{operation}_complete").wait(StackName="tags", WaiterConfig={"Delay": 1})
    try:
        tags = client("s3").get_bucket_tagging(Bucket="tagged")["TagSet"]
    except ClientError as error:
        return {"error": error.response["Error"]["Code"]}
    return {tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")}


def test_a_bucket_has_the_tags_of_the_template_and_of_the_stack(stock: Client, patched: Client) -> None:
    assert tags_of_deployed_bucket(stock, "create", "1") == {"error": "NoSuchTagSet"}
    assert tags_of_deployed_bucket(patched, "create", "1") == {"own": "1", "stack": "2"}
    assert tags_of_deployed_bucket(patched, "update", "3") == {"own": "3", "stack": "2"}


# -- apigateway

API_KEY = "a-key-only-for-this-test"
RETURN_IDENTITY = "def handler(event, _): return {'statusCode': 200, 'body': str(event['requestContext']['identity'])}"


def deploy_api(client: Client) -> str:
    """Deploy an API whose POST accepts a JSON object and returns the caller's identity. Return the URL of the API."""
    api = {"RestApiId": {"Ref": "Api"}}
    invocation = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"
    role = "arn:aws:iam::000000000000:role/echo"
    function = {"Runtime": "python3.14", "Handler": "index.handler", "Role": role, "Code": {"ZipFile": RETURN_IDENTITY}}
    method = {
        **api,
        "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
        "HttpMethod": "POST",
        "AuthorizationType": "NONE",
        "ApiKeyRequired": True,
        "RequestModels": {"application/json": {"Ref": "Model"}},
        "RequestValidatorId": {"Ref": "Validator"},
        "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": {"Fn::Sub": invocation}},
    }
    resources = {
        "Api": ("RestApi", {"Name": "echo"}),
        "Model": ("Model", {**api, "ContentType": "application/json", "Schema": {"type": "object"}}),
        "Validator": ("RequestValidator", {**api, "ValidateRequestBody": True}),
        "Method": ("Method", method),
        "MethodWithoutKey": ("Method", {**method, "HttpMethod": "PUT", "ApiKeyRequired": False}),
        "Deployment": ("Deployment", api),
        "Stage": ("Stage", {**api, "StageName": "live", "DeploymentId": {"Ref": "Deployment"}}),
        "Key": ("ApiKey", {"Enabled": True, "Value": API_KEY}),
        "Plan": ("UsagePlan", {"ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "Stage"}}]}),
        "PlanKey": ("UsagePlanKey", {"KeyId": {"Ref": "Key"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "Plan"}}),
    }
    ids = deploy_stack(
        client,
        "echo",
        {
            "Function": ("AWS::Lambda::Function", function),
            **{name: (f"AWS::ApiGateway::{kind}", properties) for name, (kind, properties) in resources.items()},
        },
    )
    return f"{client('s3').meta.endpoint_url}/_aws/execute-api/{ids['Api']}/live/"


def send(url: str, body: str, content_type: str = "application/json", method: str = "POST") -> tuple[int, str]:
    """Send a request with the API key. Return the status and the body of the answer."""
    headers = {"X-Api-Key": API_KEY, "Content-Type": content_type}
    answer = requests.request(method, url, data=body, headers=headers, timeout=30)
    return answer.status_code, answer.text


def test_the_api_validates_bodies_and_passes_the_api_key_to_the_function(stock: Client, patched: Client) -> None:
    url = deploy_api(stock)
    assert send(url, "[]")[0] == 200
    status, identity = send(url, "{}")
    assert (status, "apiKeyId" in identity) == (200, False)
    url = deploy_api(patched)
    assert send(url, "[]")[0] == 400
    assert send(url, "[]", "text/plain")[0] == 200, "the model applies only to JSON"
    status, identity = send(url, "{}")
    assert (status, "'apiKeyId': " in identity) == (200, True)
    status, identity = send(url, "{}", method="PUT")
    assert (status, "'apiKey" in identity) == (200, False), "this method requires no API key"


# -- cloudwatch


def deploy_metric_math_alarm(client: Client) -> list[Any]:
    """Deploy an alarm on an expression. Return the metric, statistic and period of each new alarm."""
    metric = {"Namespace": "Test", "MetricName": "Runs", "Dimensions": [{"Name": "service", "Value": "x"}]}
    runs = {"Id": "runs", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "SampleCount"}, "ReturnData": False}
    properties = {
        "ComparisonOperator": "LessThanThreshold",
        "EvaluationPeriods": 2,
        "Threshold": 1,
        "Metrics": [{"Id": "filled", "Expression": "FILL(runs, 0)"}, runs],
    }
    others = {alarm["AlarmName"] for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]}
    with contextlib.suppress(WaiterError):
        deploy_stack(client, "alarm", {"Alarm": ("AWS::CloudWatch::Alarm", properties)}, OnFailure="DELETE")
    alarms = client("cloudwatch").describe_alarms()["MetricAlarms"]
    new_alarms = [alarm for alarm in alarms if alarm["AlarmName"] not in others]
    return [(alarm["MetricName"], alarm["Statistic"], alarm["Period"]) for alarm in new_alarms]


def test_an_alarm_on_an_expression_becomes_an_alarm_on_the_metric(stock: Client, patched: Client) -> None:
    assert deploy_metric_math_alarm(stock) == []
    assert deploy_metric_math_alarm(patched) == [("Runs", "SampleCount", 300)]


# -- ecr

LAYER = b"a layer"
DIGEST = "sha256:" + hashlib.sha256(LAYER).hexdigest()


def upload_image(client: Client) -> tuple[str, int]:
    """Upload an image with one layer through the ECR API. Return the availability of the layer and the image size."""
    ecr = client("ecr")
    ecr.create_repository(repositoryName="web", imageTagMutability="IMMUTABLE")
    upload = ecr.initiate_layer_upload(repositoryName="web")["uploadId"]
    ecr.upload_layer_part(
        repositoryName="web", uploadId=upload, partFirstByte=0, partLastByte=len(LAYER) - 1, layerPartBlob=LAYER
    )
    ecr.complete_layer_upload(repositoryName="web", uploadId=upload, layerDigests=[DIGEST])
    layer = {"digest": DIGEST, "size": len(LAYER)}
    ecr.put_image(repositoryName="web", imageTag="1", imageManifest=json.dumps({"config": layer, "layers": [layer]}))
    (image,) = ecr.describe_images(repositoryName="web")["imageDetails"]
    (layer_status,) = ecr.batch_check_layer_availability(repositoryName="web", layerDigests=[DIGEST])["layers"]
    return layer_status["layerAvailability"], image["imageSizeInBytes"]


def test_an_image_can_be_uploaded_through_the_api(stock: Client, patched: Client) -> None:
    assert upload_image(stock)[0] == "UNAVAILABLE"
    assert upload_image(patched) == ("AVAILABLE", len(LAYER))


def test_a_missing_image_is_an_error(stock: Client, patched: Client) -> None:
    for client in (stock, patched):
        client("ecr").create_repository(repositoryName="empty")
    missing_image = {"repositoryName": "empty", "imageIds": [{"imageTag": "none"}]}
    assert stock("ecr").describe_images(**missing_image)["imageDetails"] == []
    with pytest.raises(ClientError, match="ImageNotFoundException"):
        patched("ecr").describe_images(**missing_image)


def repository_arn(name: str) -> str:
    """Return the resource for which the engine requires permission when a request describes one repository."""
    headers = {"x-amz-target": "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories"}
    body = json.dumps({"repositoryNames": [name]}).encode()
    return str(iam_actions.extract_resource_arn("ecr", "POST", "/", headers, body, {}, "us-east-1", "000000000000"))


def test_permission_for_a_repository_is_sufficient_to_describe_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iam_actions, "extract_resource_arn", iam_actions.extract_resource_arn)
    assert repository_arn("web") == "*"
    evaluate_repository_arn()
    assert repository_arn("web") == "arn:aws:ecr:us-east-1:000000000000:repository/web"


# -- resource types of ec2, batch, ecs and lightsail


def test_a_public_parameter_contains_the_id_of_the_ecs_machine_image(stock: Client, patched: Client) -> None:
    name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id"
    with pytest.raises(ClientError, match="ParameterNotFound"):
        stock("ssm").get_parameter(Name=name)
    assert patched("ssm").get_parameter(Name=name)["Parameter"]["Value"].startswith("ami-")


SECURITY_GROUP_RULE = {"GroupId": {"Fn::GetAtt": ["Group", "GroupId"]}, "IpProtocol": "tcp", "CidrIp": "10.0.0.0/8"}
SUBNET = {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "us-east-1b"}
SCALING_GROUP = {
    "MinSize": "2",
    "MaxSize": "2",
    "VPCZoneIdentifier": [{"Ref": "Subnet"}],
    "LaunchConfigurationName": "x",
}
CAPACITY_PROVIDER = {"Name": "provider", "AutoScalingGroupProvider": {"AutoScalingGroupArn": {"Ref": "Instances"}}}
SERVER = {"InstanceName": "server", "BlueprintId": "debian_12", "BundleId": "nano_3_0"}
RESOURCES = {
    "Group": ("AWS::EC2::SecurityGroup", {"GroupDescription": "test group"}),
    "Rule": ("AWS::EC2::SecurityGroupIngress", {**SECURITY_GROUP_RULE, "FromPort": 1, "ToPort": 2}),
    "Subnet": ("AWS::EC2::Subnet", SUBNET),
    "Vpc": ("AWS::EC2::VPC", {"CidrBlock": "10.0.0.0/16"}),
    "Instances": ("AWS::AutoScaling::AutoScalingGroup", SCALING_GROUP),
    "Capacity": ("AWS::ECS::CapacityProvider", CAPACITY_PROVIDER),
    "Job": ("AWS::Batch::JobDefinition", {"Type": "container", "ContainerProperties": {"Image": "job:1"}}),
    "Server": ("AWS::Lightsail::Instance", SERVER),
}


def test_cloudformation_creates_the_additional_types(stock: Client, patched: Client) -> None:
    with pytest.raises(ClientError, match="Unrecognized resource types"):
        deploy_stack(stock, "types", RESOURCES)
    ids = deploy_stack(patched, "types", RESOURCES)
    security_groups = patched("ec2").describe_security_groups()["SecurityGroups"]
    (rules,) = [group["IpPermissions"] for group in security_groups if group["Description"] == "test group"]
    assert [rule["ToPort"] for rule in rules] == [2]
    assert ids["Server"] == "server"
    groups = patched("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[ids["Instances"]])
    (scaling_group,) = groups["AutoScalingGroups"]
    assert [instance["AvailabilityZone"] for instance in scaling_group["Instances"]] == ["us-east-1b"] * 2
    providers = patched("ecs").describe_capacity_providers(capacityProviders=["provider"])["capacityProviders"]
    assert [provider["status"] for provider in providers] == ["ACTIVE"]
    (job,) = patched("batch").describe_job_definitions(jobDefinitions=[ids["Job"]])["jobDefinitions"]
    assert job["containerProperties"]["image"] == "job:1"


def described_definitions(client: Client) -> list[list[str]]:
    """Register three job definitions, and return the names in four answers to requests for some of them."""
    batch = client("batch")
    container = {"image": "job:1", "resourceRequirements": []}
    names = ["described-a", "described-a", "described-b"]
    arns = [
        batch.register_job_definition(jobDefinitionName=name, type="container", containerProperties=container)[
            "jobDefinitionArn"
        ]
        for name in names
    ]
    selections: list[dict[str, Any]] = [
        {"jobDefinitions": [arns[1], "described-b:1"]},
        {"jobDefinitionName": "described-a"},
        {"jobDefinitionName": "described-a", "status": "ACTIVE"},
        {"jobDefinitionName": "described-a", "status": "INACTIVE"},
    ]
    answers = [batch.describe_job_definitions(**selection)["jobDefinitions"] for selection in selections]
    return [[f"{item['jobDefinitionName']}:{item['revision']}" for item in answer] for answer in answers]


def test_only_the_requested_job_definitions_are_described(stock: Client, patched: Client) -> None:
    both = ["described-a:1", "described-a:2"]
    expected = [["described-a:2", "described-b:1"], both, both, []]
    assert described_definitions(stock) != expected
    assert described_definitions(patched) == expected
