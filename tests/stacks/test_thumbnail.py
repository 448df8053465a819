"""What the thumbnail stack means to be; the snapshot beside it says what it is to the letter."""

from typing import Any

import pytest

from tests.support.apps import only_resource, properties_of, templates
from tools.templates import resources

SANDBOX = templates("sandbox")["thumbnail"]
PRODUCTION = templates("production")["thumbnail"]
both = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])


@both
def test_the_ids_of_stores_never_change(template: dict[str, Any]) -> None:
    """Another id is another resource: CloudFormation would delete this one, or leave it behind with its data."""
    assert set(resources(template, "AWS::S3::Bucket")) == {"Uploads4F6EB0FD", "Thumbnails115905A6"}
    assert set(resources(template, "AWS::DynamoDB::Table")) == {"MetadataBDB8F4DB"}
    assert set(resources(template, "AWS::SQS::Queue")) == {"DeadLettersBBF8BAAB"}


@both
def test_the_outputs_are_what_the_smoke_tests_and_lessons_use(template: dict[str, Any]) -> None:
    assert set(template["Outputs"]) == {
        "UploadsBucketName",
        "ThumbnailsBucketName",
        "MetadataTableName",
        "DeadLetterQueueUrl",
    }


@both
def test_buckets_are_private_encrypted_and_refuse_plain_http(template: dict[str, Any]) -> None:
    policies = {
        policy["Properties"]["Bucket"]["Ref"]: policy["Properties"]["PolicyDocument"]["Statement"]
        for policy in resources(template, "AWS::S3::BucketPolicy").values()
    }
    for name, bucket in resources(template, "AWS::S3::Bucket").items():
        properties = bucket["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["BucketEncryption"]
        assert any(
            statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            for statement in policies[name]
        )


@both
def test_the_function_may_do_what_it_does_and_no_more(template: dict[str, Any]) -> None:
    policy = properties_of(template, "AWS::IAM::Policy", "RoleDefaultPolicy")["PolicyDocument"]
    allowed: set[tuple[str, str]] = set()
    for statement in policy["Statement"]:
        actions, where = statement["Action"], statement["Resource"]
        for action in [actions] if isinstance(actions, str) else actions:
            for resource in where if isinstance(where, list) else [where]:
                allowed.add((action, _short(resource)))
    assert allowed == {
        ("s3:GetObject", "Uploads/*"),
        ("s3:ListBucket", "Uploads"),  # or a missing object is answered 403, and never known to be gone
        ("s3:PutObject", "Thumbnails/*"),
        ("s3:DeleteObject", "Thumbnails/*"),
        ("s3:ListBucket", "Thumbnails"),
        ("dynamodb:GetItem", "Metadata"),
        ("dynamodb:PutItem", "Metadata"),
        ("dynamodb:DeleteItem", "Metadata"),
        ("sqs:SendMessage", "DeadLetters"),
        ("logs:CreateLogStream", "Logs"),
        ("logs:PutLogEvents", "Logs"),
        ("xray:PutTraceSegments", "*"),
        ("xray:PutTelemetryRecords", "*"),
    }


def _short(resource: Any) -> str:
    if resource == "*":
        return "*"
    if "Fn::Join" in resource:
        first, rest = resource["Fn::Join"][1]
        return _short(first) + str(rest)
    return str(resource["Fn::GetAtt"][0][:-8])  # without CDK's hash


@both
def test_created_removed_and_restored_objects_trigger_the_function(template: dict[str, Any]) -> None:
    notifications = properties_of(template, "Custom::S3BucketNotifications")
    assert notifications["BucketName"] == {"Ref": "Uploads4F6EB0FD"}, "its own output would trigger it again"
    configurations = notifications["NotificationConfiguration"]["LambdaFunctionConfigurations"]
    assert {event for one in configurations for event in one["Events"]} == {
        "s3:ObjectCreated:*",
        "s3:ObjectRemoved:*",
        "s3:ObjectRestore:Completed",
    }
    assert all("Filter" not in one for one in configurations), "what is a picture is decided by content"


@pytest.mark.parametrize(
    ("template", "early"), [(SANDBOX, set()), (PRODUCTION, {"Errors", "Throttles"})], ids=["sandbox", "production"]
)
def test_failed_events_reach_the_queue_and_an_alarm(template: dict[str, Any], early: set[str]) -> None:
    queue = {"Fn::GetAtt": ["DeadLettersBBF8BAAB", "Arn"]}
    invocations = properties_of(template, "AWS::Lambda::EventInvokeConfig")
    assert invocations["DestinationConfig"] == {"OnFailure": {"Destination": queue}}
    assert invocations["MaximumRetryAttempts"] == 2
    assert invocations["MaximumEventAgeInSeconds"] == 6 * 3600
    alarmed = {alarm["Properties"]["MetricName"] for alarm in resources(template, "AWS::CloudWatch::Alarm").values()}
    assert alarmed == {"ApproximateNumberOfMessagesVisible", *early}


@both
def test_the_trigger_waits_until_the_function_knows_its_queue(template: dict[str, Any]) -> None:
    trigger = only_resource(template, "Custom::S3BucketNotifications")
    assert set(resources(template, "AWS::Lambda::EventInvokeConfig")) <= set(trigger["DependsOn"])


def test_on_destroy_the_trigger_and_the_function_go_before_their_buckets_are_emptied() -> None:
    """Deletion runs against the dependencies: what depends on the emptying is gone when it begins."""
    emptying = {
        custom["Properties"]["BucketName"]["Ref"]: name
        for name, custom in resources(SANDBOX, "Custom::S3AutoDeleteObjects").items()
    }
    assert emptying["Uploads4F6EB0FD"] in only_resource(SANDBOX, "Custom::S3BucketNotifications")["DependsOn"]
    assert emptying["Thumbnails115905A6"] in only_resource(SANDBOX, "AWS::Lambda::Function", "Function")["DependsOn"]


@both
def test_no_concurrency_is_reserved_unless_configured(template: dict[str, Any]) -> None:
    """A new account has 10 concurrent executions in all and must leave 10 unreserved: it could not deploy."""
    assert "ReservedConcurrentExecutions" not in properties_of(template, "AWS::Lambda::Function", "Function")


def test_production_can_undo_an_overwritten_upload() -> None:
    uploads = resources(PRODUCTION, "AWS::S3::Bucket")["Uploads4F6EB0FD"]["Properties"]
    assert uploads["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = uploads["LifecycleConfiguration"]["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rule["ExpiredObjectDeleteMarker"] is True
