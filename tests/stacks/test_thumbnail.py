"""These tests check important properties of the thumbnail stack. test_snapshots.py compares its whole template."""

import pytest

from tests.support.apps import only_resource, properties_of, templates
from tools.templates import Template, resources

SANDBOX = templates("sandbox")["thumbnail"]
PRODUCTION = templates("production")["thumbnail"]
in_both_profiles = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])


@in_both_profiles
def test_buckets_are_private_and_encrypted_and_reject_requests_without_tls(template: Template) -> None:
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


@in_both_profiles
def test_s3_invokes_the_function_for_created_removed_and_restored_objects(template: Template) -> None:
    notifications = properties_of(template, "Custom::S3BucketNotifications")
    assert notifications["BucketName"] == {"Ref": "Uploads4F6EB0FD"}, (
        "if thumbnails were in this bucket, they would invoke the function again"
    )
    configurations = notifications["NotificationConfiguration"]["LambdaFunctionConfigurations"]
    assert {event for configuration in configurations for event in configuration["Events"]} == {
        "s3:ObjectCreated:*",
        "s3:ObjectRemoved:*",
        "s3:ObjectRestore:Completed",
    }
    assert all("Filter" not in configuration for configuration in configurations), (
        "a key does not show whether an object is a picture"
    )


@pytest.mark.parametrize(
    ("template", "other_metrics"),
    [(SANDBOX, set()), (PRODUCTION, {"Errors", "Throttles"})],
    ids=["sandbox", "production"],
)
def test_failed_events_go_to_a_queue_with_an_alarm(template: Template, other_metrics: set[str]) -> None:
    queue = {"Fn::GetAtt": ["DeadLettersBBF8BAAB", "Arn"]}
    retries = properties_of(template, "AWS::Lambda::EventInvokeConfig")
    assert retries["DestinationConfig"] == {"OnFailure": {"Destination": queue}}
    assert retries["MaximumRetryAttempts"] == 2
    assert retries["MaximumEventAgeInSeconds"] == 6 * 3600
    metrics = {alarm["Properties"]["MetricName"] for alarm in resources(template, "AWS::CloudWatch::Alarm").values()}
    assert metrics == {"ApproximateNumberOfMessagesVisible", *other_metrics}


@in_both_profiles
def test_s3_sends_events_after_the_function_has_its_dead_letter_queue(template: Template) -> None:
    notifications = only_resource(template, "Custom::S3BucketNotifications")
    assert set(resources(template, "AWS::Lambda::EventInvokeConfig")) <= set(notifications["DependsOn"])


def test_buckets_are_emptied_after_notifications_and_function_are_deleted() -> None:
    """CloudFormation deletes a dependent resource first. The deletion of the custom resource empties the bucket."""
    emptiers = {
        custom["Properties"]["BucketName"]["Ref"]: name
        for name, custom in resources(SANDBOX, "Custom::S3AutoDeleteObjects").items()
    }
    assert emptiers["Uploads4F6EB0FD"] in only_resource(SANDBOX, "Custom::S3BucketNotifications")["DependsOn"]
    assert emptiers["Thumbnails115905A6"] in only_resource(SANDBOX, "AWS::Lambda::Function", "Function")["DependsOn"]


@in_both_profiles
def test_the_function_reserves_no_concurrency_by_default(template: Template) -> None:
    """A new account has 10 concurrent executions, which must all stay unreserved. There, a reservation would fail."""
    assert "ReservedConcurrentExecutions" not in properties_of(template, "AWS::Lambda::Function", "Function")


def test_production_keeps_an_overwritten_upload_for_30_days() -> None:
    uploads = resources(PRODUCTION, "AWS::S3::Bucket")["Uploads4F6EB0FD"]["Properties"]
    assert uploads["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = uploads["LifecycleConfiguration"]["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rule["ExpiredObjectDeleteMarker"] is True
