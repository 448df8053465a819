"""Every finding appears in every synthesis, although templates without findings are not checked again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_sqs as sqs

from stacks import _validation
from stacks._app import new_app
from stacks._nag import acknowledge

pytestmark = pytest.mark.slow  # CDK's validator starts slowly

PROGRAMS = ["AwsSolutions", "CloudFormation Validate"]

Edit = Callable[[cdk.Stack], None]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache. `make test-fast` turns off CDK's validator, so turn it on."""
    monkeypatch.setattr(_validation, "CACHE", tmp_path / "validated")
    monkeypatch.delenv("CDK_VALIDATION", raising=False)
    return tmp_path / "validated"


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that receives the name of each program that runs."""
    names: list[str] = []

    def record(name: str, create: Callable[[], Any]) -> Callable[[], Any]:
        def create_and_record() -> Any:
            names.append(name)
            return create()

        return create_and_record

    for name, function in zip(PROGRAMS, ("_cdk_nag", "_cloudformation_validator"), strict=True):
        monkeypatch.setattr(_validation, function, record(name, getattr(_validation, function)))
    return names


def _synthesize(*edits: Edit) -> Path:
    """Synthesize an app with a queue, changed by `edits`. Return the folder of the cloud assembly."""
    app = new_app({}, outdir=None)
    stack = cdk.Stack(app, "one")
    acknowledge(sqs.Queue(stack, "Queue", enforce_ssl=True), "AwsSolutions-SQS3", "It needs no dead-letter queue.")
    for edit in edits:
        edit(stack)
    _validation.add_validation(app)
    return Path(app.synth().directory)


def _add_unknown_property(stack: cdk.Stack) -> None:
    cast("cdk.CfnResource", stack.node.find_child("Queue").node.default_child).add_property_override("Nonsense", "x")


def _add_fixed_zone(stack: cdk.Stack) -> None:
    cidr, zone = "10.0.0.0/24", "us-east-1a"
    ec2.CfnSubnet(stack, "Subnet", vpc_id="vpc-0aaaaaaa", cidr_block=cidr, availability_zone=zone)


def _add_queue_without_tls(stack: cdk.Stack) -> None:
    sqs.Queue(stack, "Plain")


def _add_queue_with_acknowledgements(stack: cdk.Stack) -> None:
    _add_queue_without_tls(stack)
    for rule in ("AwsSolutions-SQS3", "AwsSolutions-SQS4"):
        acknowledge(stack.node.find_child("Plain"), rule, "Only for this test.")


def _add_queue_that_the_app_acknowledges(stack: cdk.Stack) -> None:
    _add_queue_without_tls(stack)
    for rule in ("AwsSolutions-SQS3", "AwsSolutions-SQS4"):
        acknowledge(stack.node.root, rule, "Only for this test.")


def test_the_same_templates_are_not_checked_again(programs: list[str]) -> None:
    _synthesize()
    assert sorted(programs) == PROGRAMS
    programs.clear()
    _synthesize()
    assert programs == []
    _synthesize(_add_queue_with_acknowledgements)
    assert sorted(programs) == PROGRAMS


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (None, _add_unknown_property),
        (None, _add_queue_without_tls),
        (_add_queue_with_acknowledgements, _add_queue_without_tls),  # the template stays the same
        (_add_queue_that_the_app_acknowledges, _add_queue_without_tls),
    ],
)
def test_every_synthesis_reports_an_error(before: Edit | None, change: Edit) -> None:
    _synthesize(*([before] if before else []))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="ValidationFailed"):
            _synthesize(change)


def test_every_synthesis_reports_a_warning_and_does_not_stop() -> None:
    for _ in range(2):
        folder = _synthesize(_add_fixed_zone)
        reports = json.loads((folder / "validation-report.json").read_text())["pluginReports"]
        violations = [violation for report in reports for violation in report["violations"]]
        assert {report["conclusion"] for report in reports} == {"success"}
        assert [(violation["ruleName"], violation["severity"]) for violation in violations] == [("W3010", "warning")]


@pytest.mark.parametrize("what", ["version", "day", "module"])
def test_another_version_day_or_module_needs_a_new_check(
    monkeypatch: pytest.MonkeyPatch, programs: list[str], tmp_path: Path, what: str
) -> None:
    _synthesize()
    programs.clear()
    if what == "version":
        monkeypatch.setattr(_validation, "version", lambda _: "2.999.0")
    elif what == "day":
        monkeypatch.setattr(_validation, "_today", lambda: "2999-01-01")
    else:
        (tmp_path / "edited.py").write_text(Path(_validation.__file__).read_text() + "# edited")
        monkeypatch.setattr(_validation, "__file__", str(tmp_path / "edited.py"))
    _synthesize()
    assert sorted(programs) == PROGRAMS


def test_files_of_earlier_days_are_deleted(cache: Path) -> None:
    cache.mkdir()
    (cache / "2020-01-01-0123").touch()
    _synthesize()
    assert {file.name[:10] for file in cache.iterdir()} == {_validation._today()}
