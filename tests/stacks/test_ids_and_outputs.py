"""The logical ids and outputs that deployments depend on."""

import pytest

from tests.support.apps import templates
from tools.templates import Template

LOGICAL_IDS = {
    # CloudFormation would delete a store whose logical id changes, or leave it behind with its data.
    ("thumbnail", "AWS::S3::Bucket"): {"Uploads4F6EB0FD", "Thumbnails115905A6"},
    ("thumbnail", "AWS::DynamoDB::Table"): {"MetadataBDB8F4DB"},
    ("thumbnail", "AWS::SQS::Queue"): {"DeadLettersBBF8BAAB"},
    ("cron", "AWS::DynamoDB::Table"): {"Results25575328"},
    ("cron", "AWS::SQS::Queue"): {"DeadLettersBBF8BAAB"},
    ("api", "AWS::DynamoDB::Table"): {"Notes5BB3582F"},
    ("api", "AWS::S3::Bucket"): {"AccessLogsBucket83982689"},
    ("api", "AWS::ApiGateway::RestApi"): {"ApiF70053CD"},  # the id of the API is in its URL, which clients use
    ("api", "AWS::ApiGateway::ApiKey"): {"Key961B73FD"},  # the key is in the settings of the clients
    ("ecr", "AWS::ECR::Repository"): {"Web3C8945DB"},  # services run the images in it
    ("batch", "AWS::S3::Bucket"): {"Input49F21B70", "OutputAB65CDDE"},
    ("batch", "AWS::SQS::Queue"): {"FailedJobs5900FD3C"},
}
OUTPUTS = {
    "thumbnail": {"UploadsBucketName", "ThumbnailsBucketName", "MetadataTableName", "DeadLetterQueueUrl"},
    "cron": {"FunctionName", "ResultsTableName", "ScheduleName", "DeadLetterQueueUrl"},
    "api": {"ApiUrl", "ApiKeyId", "TableName"},
    "ecr": {"RepositoryUri", "WebImage"},
    "batch": {"JobQueueArn", "JobDefinitionArn", "InputBucketName", "OutputBucketName"},
    "ecs_ec2": {"ServiceUrl", "ClusterName", "ServiceName"},
    "fargate": {"ServiceUrl", "ClusterName", "ServiceName"},
    "lightsail": {"StaticIp", "InstanceName", "Url"},
}
in_both_profiles = pytest.mark.parametrize("profile", ["sandbox", "production"])


@in_both_profiles
@pytest.mark.parametrize(("stem", "kind"), LOGICAL_IDS)
def test_logical_ids_never_change(profile: str, stem: str, kind: str) -> None:
    assert _ids(templates(profile)[stem], kind) == LOGICAL_IDS[stem, kind]


@in_both_profiles
@pytest.mark.parametrize("stem", OUTPUTS)
def test_outputs_have_the_names_that_lessons_and_smoke_tests_use(profile: str, stem: str) -> None:
    assert set(templates(profile)[stem]["Outputs"]) == OUTPUTS[stem]


def _ids(template: Template, kind: str) -> set[str]:
    return {name for name, resource in template["Resources"].items() if resource["Type"] == kind}
