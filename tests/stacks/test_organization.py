"""With the setting `organization_rules`, the stacks follow more rules of AWS Control Tower.

`make guard` checks the rules themselves. These tests check what the rules do not see.
"""

from typing import Any

import pytest
from aws_cdk import App, RemovalPolicy, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk.aws_logs import RetentionDays

from config import PROFILES
from stacks._organization import follow_organization_rules, long_retention
from tests.support.apps import STACKS, templates
from tools.costs import idle
from tools.costs.prices import total
from tools.templates import Template, resources

RULES = {"organization_rules": "true", "alarm_email": "me@example.com"}
WITH_LOGS = sorted(set(STACKS) - {"lightsail"})
every_profile = pytest.mark.parametrize("profile", PROFILES)
pytestmark = pytest.mark.slow  # synthesizes every stack twice, with rules that few edits concern


def buckets(profile: str, stem: str) -> dict[str, Any]:
    return {
        name: bucket["Properties"]
        for name, bucket in resources(templates(profile, **RULES)[stem], "AWS::S3::Bucket").items()
    }


@every_profile
@pytest.mark.parametrize("stem", WITH_LOGS)
def test_every_log_group_of_a_stack_has_the_key_of_the_stack(profile: str, stem: str) -> None:
    template = templates(profile, **RULES)[stem]
    ((name, key),) = resources(template, "AWS::KMS::Key").items()
    log_groups = [group["Properties"] for group in resources(template, "AWS::Logs::LogGroup").values()]
    assert {(str(group["KmsKeyId"]), group["RetentionInDays"]) for group in log_groups} == {
        (str({"Fn::GetAtt": [name, "Arn"]}), 365)
    }
    assert key["DeletionPolicy"] == ("Delete" if profile == "sandbox" else "RetainExceptOnCreate")
    assert key["Properties"]["PendingWindowInDays"] == 7


def test_only_the_logs_of_this_account_and_region_may_use_the_key() -> None:
    (key,) = resources(templates("sandbox", **RULES)["cron"], "AWS::KMS::Key").values()
    (statement,) = [
        each for each in key["Properties"]["KeyPolicy"]["Statement"] if "Service" in each["Principal"]
    ]  # the others are for the account, and for everybody
    assert statement["Principal"] == {
        "Service": {"Fn::Join": ["", ["logs.", {"Ref": "AWS::Region"}, ".amazonaws.com"]]}
    }
    partition, region, account = ({"Ref": f"AWS::{name}"} for name in ("Partition", "Region", "AccountId"))
    logs_of_account = {"Fn::Join": ["", ["arn:", partition, ":logs:", region, ":", account, ":*"]]}
    assert statement["Condition"] == {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs_of_account}}


def test_a_load_balancer_can_write_into_its_bucket() -> None:
    """A load balancer can write only with S3's own key."""
    algorithms = {
        stem: {
            rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
            for bucket in buckets("production", stem).values()
            for rule in bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        }
        for stem in ("fargate", "ecs_ec2", "thumbnail", "batch", "api")
    }
    own, kms = {"AES256"}, {"aws:kms"}
    assert algorithms == {"fargate": own, "ecs_ec2": own, "thumbnail": kms, "batch": kms, "api": kms}


@every_profile
@pytest.mark.parametrize("stem", ["thumbnail", "batch", "api", "fargate", "ecs_ec2"])
def test_every_bucket_deletes_its_old_versions_and_their_delete_markers(profile: str, stem: str) -> None:
    """AWS refuses a rule that removes delete markers and also deletes objects by their age."""
    for bucket in buckets(profile, stem).values():
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        rules = bucket["LifecycleConfiguration"]["Rules"]
        (rule,) = (rule for rule in rules if "NoncurrentVersionExpiration" in rule)
        assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
        assert rule["ExpiredObjectDeleteMarker"] is True
        assert rule["Status"] == "Enabled"
        assert not {"ExpirationInDays", "TagFilters", "Prefix"} & {*rule}


def test_a_bucket_without_lifecycle_rules_gets_one() -> None:
    app = App()
    s3.Bucket(Stack(app, "Stack"), "Bucket")
    follow_organization_rules(app, removal=RemovalPolicy.DESTROY)
    (bucket,) = resources(app.synth().get_stack_by_name("Stack").template, "AWS::S3::Bucket").values()
    (rule,) = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert rule["ExpiredObjectDeleteMarker"] is True


def test_the_bucket_that_starts_a_function_keeps_its_notifications() -> None:
    """A custom resource sets these notifications. CloudFormation would set the property at the same time."""
    notifying = {
        name for name, bucket in buckets("sandbox", "thumbnail").items() if "NotificationConfiguration" in bucket
    }
    assert [name[:10] for name in notifying] == ["Thumbnails"]


def test_the_access_log_of_the_api_is_kept_for_a_year_too() -> None:
    ((_, bucket),) = buckets("sandbox", "api").items()
    assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 365


def test_the_zones_of_the_instances_are_those_of_their_subnets() -> None:
    template = templates("sandbox", **RULES)["ecs_ec2"]
    (group,) = resources(template, "AWS::AutoScaling::AutoScalingGroup").values()
    subnets = [template["Resources"][each["Ref"]]["Properties"] for each in group["Properties"]["VPCZoneIdentifier"]]
    assert group["Properties"]["AvailabilityZones"] == [subnet["AvailabilityZone"] for subnet in subnets]


@pytest.mark.parametrize(
    ("retention", "longer"),
    [
        (RetentionDays.ONE_DAY, RetentionDays.ONE_YEAR),
        (RetentionDays.SIX_MONTHS, RetentionDays.ONE_YEAR),
        (RetentionDays.ONE_YEAR, RetentionDays.ONE_YEAR),
        (RetentionDays.TEN_YEARS, RetentionDays.TEN_YEARS),
        (RetentionDays.INFINITE, RetentionDays.INFINITE),
    ],
)
def test_logs_that_are_kept_longer_than_a_year_stay_so(retention: RetentionDays, longer: RetentionDays) -> None:
    assert long_retention(retention) == longer


@every_profile
def test_the_rules_cost_as_much_as_the_document_says(profile: str) -> None:
    """The additional cost is a key for each stack with logs, and the metrics of two instances."""

    def cost(stacks: dict[str, Template]) -> float:
        return total(part for template in stacks.values() for part in idle.parts(template))

    with_rules = templates(profile, **RULES)
    with_logs = [one for one in with_rules.values() if resources(one, "AWS::Logs::LogGroup")]
    assert cost(with_rules) - cost(templates(profile)) == pytest.approx(len(with_logs) * 1.00 + 2 * 7 * 0.30)
