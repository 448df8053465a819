"""These tests check that this project accepts every finding of cdk-nag and cfn-lint with a reason.

Acknowledgments in the app accept findings of cdk-nag. IGNORED has the rules of cfn-lint that this project does
not follow.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import Validations
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks

from app import build_app
from config import PROFILES
from stacks._stores import dead_letter_queue
from tests.support.apps import PREFIX, assembly
from tools.templates import NO_BUNDLING

Findings = set[tuple[str, str]]
"""Findings of cdk-nag: the name of the rule, and the path of the resource in the app."""
every_profile = pytest.mark.parametrize("profile", PROFILES)

ACKNOWLEDGED_BY_CDK = {"F3002", "F3003", "W3010"}
"""Rules that CDK's own constructs acknowledge, for flow logs and for availability zones."""
ALWAYS_ACKNOWLEDGED = {"AwsSolutions-SQS3"}
"""Rules that a helper acknowledges for every construct: dead_letter_queue(). cdk-nag reports such a queue of a function
or a schedule, but recognizes the dead-letter queue of another queue."""
IGNORED = {
    "W3005": "a reference already implies this DependsOn: CDK writes it anyway, and it does no harm",
    "I1022": "Fn::Sub would read better than Fn::Join, but CDK writes only Fn::Join",
    "I4010": "cfn-lint wants a machine-readable description of the architecture; the lessons have one for people",
}
"""The rules of cfn-lint that the project does not follow, with reasons."""


@cache
def _findings(profile: str) -> Findings:
    """Return all findings of cdk-nag, including acknowledged ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Validations, "acknowledge", lambda *_: None)
        app = build_app({"profile": profile, **NO_BUNDLING})
    report = AwsSolutionsChecks(app).validate_scope(app)
    return {
        (violation.rule_name, resource.construct_path)
        for violation in report.violations
        for resource in violation.violating_resources
        if resource.construct_path
    }


@cache
def _acknowledged(profile: str) -> Mapping[tuple[str, str], str]:
    """Return the reason of each acknowledgment in the app, by rule and path of the construct."""
    return {
        (rule.removeprefix("Annotation::"), path.removeprefix("/")): reason
        for file in assembly(profile).glob("*.metadata.json")
        for path, entries in json.loads(file.read_text()).items()
        for entry in entries
        if entry["type"] == "aws:cdk:acknowledged-rules"
        for rule, reason in entry["data"].items()
        if rule not in {f"CloudFormation-Validate::{known}" for known in ACKNOWLEDGED_BY_CDK}
    }


def _faults(findings: Findings, acknowledged: Mapping[tuple[str, str], str]) -> Iterator[str]:
    for (rule, path), reason in acknowledged.items():
        matches = [place for name, place in findings if name == rule and f"{place}/".startswith(f"{path}/")]
        if not matches and rule not in ALWAYS_ACKNOWLEDGED:
            yield f"{path} acknowledges {rule}, but cdk-nag has no such finding there: remove the acknowledgment"
        if len(matches) > 1:
            yield f"{path} acknowledges {rule} for {len(matches)} resources at once: acknowledge it on each construct"
        if len(reason.split()) < 4 or not reason.endswith("."):
            yield f"{path} acknowledges {rule} without a reason in a sentence: {reason!r}"


@every_profile
def test_every_finding_is_acknowledged_on_its_own_construct(profile: str) -> None:
    assert list(_faults(_findings(profile), _acknowledged(profile))) == []


@pytest.mark.parametrize(
    ("path", "reason", "fault"),
    [
        (f"{PREFIX}-cron/Results", "A table has no access log.", "no such finding there"),
        (f"{PREFIX}-thumbnail", "Nobody reads access logs.", "for 2 resources at once"),
        (f"{PREFIX}-thumbnail/Uploads", "Not needed.", "without a reason"),
    ],
    ids=["no such finding", "acknowledged for a whole stack", "no reason"],
)
def test_a_wrong_acknowledgment_is_reported(path: str, reason: str, fault: str) -> None:
    (reported,) = _faults(_findings("sandbox"), {("AwsSolutions-S1", path): reason})
    assert fault in reported


def test_a_dead_letter_queue_of_a_queue_needs_no_other_helper() -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "Stack")
    failed = dead_letter_queue(stack, "Failed", removal=cdk.RemovalPolicy.DESTROY)
    redrive = sqs.DeadLetterQueue(queue=failed, max_receive_count=3)
    sqs.Queue(stack, "Jobs", enforce_ssl=True, dead_letter_queue=redrive)
    assert AwsSolutionsChecks(app).validate_scope(app).success
    acknowledged = {("AwsSolutions-SQS3", "Stack/Failed"): "This queue is a dead-letter queue itself."}
    assert list(_faults(set(), acknowledged)) == []


@pytest.mark.slow
@every_profile
def test_cfn_lint_reports_only_ignored_rules(profile: str) -> None:
    """cfn-lint checks all its rules in three regions, including experimental and informational rules."""
    files = [str(template) for template in sorted(assembly(profile).glob("*.template.json"))]
    options = ("--include-checks", "I", "--include-experimental", "--format", "json")
    regions = ("--regions", "us-east-1", "eu-west-1", "ap-southeast-2")
    run = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), *options, *regions, "--", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    matches = json.loads(run.stdout)
    assert [match for match in matches if match["Rule"]["Id"] not in IGNORED] == []
    assert {match["Rule"]["Id"] for match in matches} == set(IGNORED), (
        "cfn-lint no longer reports a rule of IGNORED: remove the rule"
    )
