"""CDK's validation, cdk-nag and cfn-lint report only acknowledged findings, each in its place and with a reason."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from aws_cdk import Validations
from cdk_nag import AwsSolutionsChecks

from app import build_app
from config import PROFILES
from tests.support.apps import assembly
from tools.templates import NO_BUNDLING

Findings = set[tuple[str, str]]
"""Findings of cdk-nag: the rule and the path of the resource."""
every_profile = pytest.mark.parametrize("profile", PROFILES)

ACKNOWLEDGED_BY_CDK = {"F3002", "F3003", "W3010"}
"""Rules that CDK's own constructs acknowledge, for flow logs and for zones that CDK names."""
IGNORED = {
    "W3005": "a DependsOn that a reference already implies: CDK writes those, and they do no harm",
    "I1022": "Fn::Sub would read better than Fn::Join, but CDK writes only Fn::Join",
    "I4010": "descriptions of the architecture for machines: the lessons have them for people",
}
"""Rules of cfn-lint that are ignored, with the reason."""


@cache
def _findings(profile: str) -> Findings:
    """Return the findings of cdk-nag without any acknowledgment."""
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
        met = [found for finds, found in findings if finds == rule and f"{found}/".startswith(f"{path}/")]
        if not met:
            yield f"{path} acknowledges {rule}, which cdk-nag does not find there: remove the acknowledgment"
        if len(met) > 1:
            yield f"{path} acknowledges {rule} for {len(met)} resources at once: acknowledge it on each construct"
        if len(reason.split()) < 4 or not reason.endswith("."):
            yield f"{path} acknowledges {rule} without a reason that a reviewer could judge: {reason!r}"


@every_profile
def test_each_finding_is_acknowledged_on_its_own_construct(profile: str) -> None:
    assert list(_faults(_findings(profile), _acknowledged(profile))) == []


@pytest.mark.parametrize(
    ("path", "reason", "fault"),
    [
        ("compute-cron/Results", "A table has no access log.", "does not find there"),
        ("compute-thumbnail", "Nobody wants to read access logs.", "for 2 resources at once"),
        ("compute-thumbnail/Uploads", "Not needed.", "without a reason"),
    ],
    ids=["needless", "for a whole stack", "without a reason"],
)
def test_a_bad_acknowledgment_is_reported(path: str, reason: str, fault: str) -> None:
    (found,) = _faults(_findings("sandbox"), {("AwsSolutions-S1", path): reason})
    assert fault in found


@pytest.mark.slow
@every_profile
def test_cfn_lint_reports_only_ignored_rules(profile: str) -> None:
    """cfn-lint checks all rules, experimental and informational ones included, for three regions."""
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
    assert {match["Rule"]["Id"] for match in matches} == set(IGNORED), "a rule of IGNORED is no longer found: remove it"
