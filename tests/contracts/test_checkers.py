"""No finding of CDK's validation, cdk-nag or cfn-lint but what is accepted, each where it is and with a reason."""

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
"""Of cdk-nag: the rule, and the path of the resource."""
every_profile = pytest.mark.parametrize("profile", PROFILES)

CDKS_OWN = {"F3002", "F3003", "W3010"}
"""What CDK's constructs say in advance to CDK's own validation: of flow logs, and of zones that it names itself."""
IGNORED = {
    "W3005": "a DependsOn that a reference implies already: CDK writes those, and they do no harm",
    "I1022": "Fn::Sub reads better than Fn::Join: CDK writes no other",
    "I4010": "descriptions of the architecture for machines: a lesson has them for people, and the types name the rest",
}
"""The rules of cfn-lint that are not held to, and why."""


@cache
def _findings(profile: str) -> Findings:
    """What cdk-nag finds when nothing is accepted."""
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
def _accepted(profile: str) -> Mapping[tuple[str, str], str]:
    """The reason for each rule and path of a construct that the app was synthesized with."""
    return {
        (rule.removeprefix("Annotation::"), path.removeprefix("/")): reason
        for file in assembly(profile).glob("*.metadata.json")
        for path, entries in json.loads(file.read_text()).items()
        for entry in entries
        if entry["type"] == "aws:cdk:acknowledged-rules"
        for rule, reason in entry["data"].items()
        if rule not in {f"CloudFormation-Validate::{known}" for known in CDKS_OWN}
    }


def _faults(findings: Findings, accepted: Mapping[tuple[str, str], str]) -> Iterator[str]:
    for (rule, path), reason in accepted.items():
        met = [found for finds, found in findings if finds == rule and f"{found}/".startswith(f"{path}/")]
        if not met:
            yield f"{path} accepts {rule}, which cdk-nag does not find there: take it away"
        if len(met) > 1:
            yield f"{path} accepts {rule} for {len(met)} resources at once: accept each on its own construct"
        if len(reason.split()) < 4 or not reason.endswith("."):
            yield f"{path} accepts {rule} without a reason that a reviewer could judge: {reason!r}"


@every_profile
def test_each_finding_is_accepted_on_its_own_construct_and_nothing_else_is(profile: str) -> None:
    assert list(_faults(_findings(profile), _accepted(profile))) == []


def test_an_acceptance_that_nothing_needs_is_noticed() -> None:
    accepted = {("AwsSolutions-S1", "compute-cron/Results"): "A table has no access log."}
    (fault,) = _faults(_findings("sandbox"), accepted)
    assert "does not find there" in fault


def test_an_acceptance_for_a_whole_stack_is_noticed() -> None:
    accepted = {("AwsSolutions-S1", "compute-thumbnail"): "Nobody wants to read access logs."}
    (fault,) = _faults(_findings("sandbox"), accepted)
    assert "for 2 resources at once" in fault


def test_an_acceptance_without_a_reason_is_noticed() -> None:
    accepted = {("AwsSolutions-S1", "compute-thumbnail/Uploads"): "Not needed."}
    (fault,) = _faults(_findings("sandbox"), accepted)
    assert "without a reason" in fault


@pytest.mark.slow
@every_profile
def test_cfn_lint_finds_nothing_but_what_is_ignored(profile: str) -> None:
    """Every rule that there is, experimental and informational ones among them, in three regions."""
    found = [str(template) for template in sorted(assembly(profile).glob("*.template.json"))]
    options = ("--include-checks", "I", "--include-experimental", "--format", "json")
    regions = ("--regions", "us-east-1", "eu-west-1", "ap-southeast-2")
    run = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), *options, *regions, "--", *found],
        capture_output=True,
        text=True,
        check=False,
    )
    matches = json.loads(run.stdout)
    assert [match for match in matches if match["Rule"]["Id"] not in IGNORED] == []
    assert {match["Rule"]["Id"] for match in matches} == set(IGNORED), "no longer found: take it out of IGNORED"
