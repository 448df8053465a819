"""Every patch of a stack's resources is still necessary, and still works: each test compares both engines."""

import contextlib
import hashlib
import json
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.exceptions import ClientError, WaiterError
from conftest import Client
from helpers import deploy_stack
from ministack.core import iam_actions

from localaws.patches.ecr import evaluate_repository_arn


def test_the_patches_are_for_the_installed_version_of_ministack() -> None:
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]
    assert f"ministack=={version('ministack')}" in project["dependencies"]


# -- s3


def is_tls_only_bucket_readable(client: Client) -> bool:
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
    s3.put_bucket_policy(Bucket="tls-only", Policy=json.dumps({"Version": "2012-10-17", "Statement": [denial]}))
    iam.create_user(UserName="reader")
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="reader", PolicyName="s3", PolicyDocument=json.dumps(allowed))
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    reader = boto3.client(
        "s3",
        endpoint_url=s3.meta.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    try:
        reader.get_object(Bucket="tls-only", Key="a")
    except ClientError as error:
        return error.response["Error"]["Code"] != "AccessDenied"
    return True


def test_a_bucket_that_demands_tls_is_readable(stock: Client, patched: Client) -> None:
    assert not is_tls_only_bucket_readable(stock)
    assert is_tls_only_bucket_readable(patched)


def tags_of_deployed_bucket(client: Client, operation: str, value: str) -> dict[str, str]:
    properties = {"BucketName": "tagged", "Tags": [{"Key": "own", "Value": value}]}
    template = {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": properties}}}
    cloudformation = client("cloudformation")
    getattr(cloudformation, f"{operation}_stack")(
        StackName="tags", TemplateBody=json.dumps(template), Tags=[{"Key": "stack", "Value": "2"}]
    )
    waiter = cloudformation.get_waiter(f"stack_{operation}_complete")
    waiter.wait(StackName="tags", WaiterConfig={"Delay": 1})
    try:
        tags = client("s3").get_bucket_tagging(Bucket="tagged")["TagSet"]
    except client("s3").exceptions.ClientError as error:
        return {"error": error.response["Error"]["Code"]}
    return {tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")}


def test_a_bucket_keeps_its_tags_and_those_of_its_stack(stock: Client, patched: Client) -> None:
    assert tags_of_deployed_bucket(stock, "create", "1") == {"error": "NoSuchTagSet"}
    assert tags_of_deployed_bucket(patched, "create", "1") == {"own": "1", "stack": "2"}
    assert tags_of_deployed_bucket(patched, "update", "3") == {"own": "3", "stack": "2"}


# -- apigateway

ECHO = "def handler(event, context): return {'statusCode': 200, 'body': str(event['requestContext']['identity'])}"


def deploy_api(client: Client) -> str:
    """Deploy an API whose POST takes an object and answers with the caller's identity, and return its URL."""
    api = {"RestApiId": {"Ref": "Api"}}
    invocation = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"
    role = "arn:aws:iam::000000000000:role/echo"
    function = {"Runtime": "python3.14", "Handler": "index.handler", "Role": role, "Code": {"ZipFile": ECHO}}
    method = {
        **api,
        "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
        "HttpMethod": "POST",
        "AuthorizationType": "NONE",
        "RequestModels": {"application/json": {"Ref": "Model"}},
        "RequestValidatorId": {"Ref": "Validator"},
        "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": {"Fn::Sub": invocation}},
    }
    resources = {
        "Api": ("RestApi", {"Name": "echo"}),
        "Model": ("Model", {**api, "ContentType": "application/json", "Schema": {"type": "object"}}),
        "Validator": ("RequestValidator", {**api, "ValidateRequestBody": True}),
        "Method": ("Method", method),
        "Deployment": ("Deployment", api),
        "Stage": ("Stage", {**api, "StageName": "live", "DeploymentId": {"Ref": "Deployment"}}),
        "Key": ("ApiKey", {"Enabled": True, "Value": "a-key-for-this-test-alone"}),
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


def post(url: str, body: str, content_type: str = "application/json") -> tuple[int, str]:
    headers = {"X-Api-Key": "a-key-for-this-test-alone", "Content-Type": content_type}
    answer = requests.post(url, data=body, headers=headers, timeout=30)
    return answer.status_code, answer.text


def test_the_api_validates_bodies_and_passes_the_key_to_the_function(stock: Client, patched: Client) -> None:
    url = deploy_api(stock)
    assert post(url, "[]")[0] == 200
    status, identity = post(url, "{}")
    assert (status, "apiKeyId" in identity) == (200, False)
    url = deploy_api(patched)
    assert post(url, "[]")[0] == 400
    assert post(url, "[]", "text/plain")[0] == 200, "the model is for JSON alone"
    status, identity = post(url, "{}")
    assert (status, "'apiKeyId': " in identity) == (200, True)


# -- cloudwatch


def deploy_metric_math_alarm(client: Client) -> list[Any]:
    metric = {"Namespace": "Test", "MetricName": "Runs", "Dimensions": [{"Name": "service", "Value": "x"}]}
    runs = {"Id": "runs", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "SampleCount"}, "ReturnData": False}
    properties = {
        "ComparisonOperator": "LessThanThreshold",
        "EvaluationPeriods": 2,
        "Threshold": 1,
        "Metrics": [{"Id": "filled", "Expression": "FILL(runs, 0)"}, runs],
    }
    with contextlib.suppress(WaiterError):
        deploy_stack(client, "alarm", {"Alarm": ("AWS::CloudWatch::Alarm", properties)}, OnFailure="DELETE")
    alarms = client("cloudwatch").describe_alarms()["MetricAlarms"]
    return [(alarm["MetricName"], alarm["Statistic"], alarm["Period"]) for alarm in alarms]


def test_an_alarm_on_an_expression_is_an_alarm_on_its_metric(stock: Client, patched: Client) -> None:
    assert deploy_metric_math_alarm(stock) == []
    assert deploy_metric_math_alarm(patched) == [("Runs", "SampleCount", 300)]


# -- ecr

LAYER = b"a layer"
DIGEST = "sha256:" + hashlib.sha256(LAYER).hexdigest()


def upload_image(client: Client) -> tuple[str, int]:
    """Put an image of one layer into a repository through the API; return the layer's availability and its size."""
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
    (found,) = ecr.batch_check_layer_availability(repositoryName="web", layerDigests=[DIGEST])["layers"]
    return found["layerAvailability"], image["imageSizeInBytes"]


def test_images_can_be_uploaded_through_the_api(stock: Client, patched: Client) -> None:
    assert upload_image(stock)[0] == "UNAVAILABLE"
    assert upload_image(patched) == ("AVAILABLE", len(LAYER))


def test_a_missing_image_is_an_error(stock: Client, patched: Client) -> None:
    for client in (stock, patched):
        client("ecr").create_repository(repositoryName="empty")
    missing = {"repositoryName": "empty", "imageIds": [{"imageTag": "none"}]}
    assert stock("ecr").describe_images(**missing)["imageDetails"] == []
    with pytest.raises(ClientError, match="ImageNotFoundException"):
        patched("ecr").describe_images(**missing)


def repository_arn(name: str) -> str:
    """Return the resource against whose policies the engine evaluates a DescribeRepositories for one repository."""
    headers = {"x-amz-target": "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories"}
    body = json.dumps({"repositoryNames": [name]}).encode()
    return str(iam_actions.extract_resource_arn("ecr", "POST", "/", headers, body, {}, "us-east-1", "000000000000"))


def test_permission_for_one_repository_is_enough_to_describe_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iam_actions, "extract_resource_arn", iam_actions.extract_resource_arn)
    assert repository_arn("web") == "*"
    evaluate_repository_arn()
    assert repository_arn("web") == "arn:aws:ecr:us-east-1:000000000000:repository/web"


# -- ec2, batch, ecs and recorded types


def test_the_newest_ecs_image_is_a_public_parameter(stock: Client, patched: Client) -> None:
    name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id"
    with pytest.raises(ClientError, match="ParameterNotFound"):
        stock("ssm").get_parameter(Name=name)
    assert patched("ssm").get_parameter(Name=name)["Parameter"]["Value"].startswith("ami-")


GROUP_RULE = {"GroupId": {"Fn::GetAtt": ["Group", "GroupId"]}, "IpProtocol": "tcp", "CidrIp": "10.0.0.0/8"}
SERVER = {"InstanceName": "server", "BlueprintId": "debian_12", "BundleId": "nano_3_0"}
RESOURCES = {
    "Group": ("AWS::EC2::SecurityGroup", {"GroupDescription": "of a test"}),
    "Rule": ("AWS::EC2::SecurityGroupIngress", {**GROUP_RULE, "FromPort": 1, "ToPort": 2}),
    "Subnet": (
        "AWS::EC2::Subnet",
        {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "us-east-1b"},
    ),
    "Vpc": ("AWS::EC2::VPC", {"CidrBlock": "10.0.0.0/16"}),
    "Machines": (
        "AWS::AutoScaling::AutoScalingGroup",
        {"MinSize": "2", "MaxSize": "2", "VPCZoneIdentifier": [{"Ref": "Subnet"}], "LaunchConfigurationName": "x"},
    ),
    "Capacity": (
        "AWS::ECS::CapacityProvider",
        {"Name": "machines", "AutoScalingGroupProvider": {"AutoScalingGroupArn": {"Ref": "Machines"}}},
    ),
    "Job": ("AWS::Batch::JobDefinition", {"Type": "container", "ContainerProperties": {"Image": "job:1"}}),
    "Server": ("AWS::Lightsail::Instance", SERVER),
}


def test_cloudformation_has_more_types(stock: Client, patched: Client) -> None:
    with pytest.raises(ClientError, match="Unrecognized resource types"):
        deploy_stack(stock, "types", RESOURCES)
    ids = deploy_stack(patched, "types", RESOURCES)
    groups = patched("ec2").describe_security_groups()["SecurityGroups"]
    (rules,) = [group["IpPermissions"] for group in groups if group["Description"] == "of a test"]
    assert [rule["ToPort"] for rule in rules] == [2]
    assert ids["Server"] == "server"
    (machines,) = patched("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert [instance["AvailabilityZone"] for instance in machines["Instances"]] == ["us-east-1b"] * 2
    providers = patched("ecs").describe_capacity_providers(capacityProviders=["machines"])["capacityProviders"]
    assert [provider["status"] for provider in providers] == ["ACTIVE"]
    (job,) = patched("batch").describe_job_definitions(jobDefinitions=[ids["Job"]])["jobDefinitions"]
    assert job["containerProperties"]["image"] == "job:1"
