"""Every finding stops every synthesis, although a stack that has not changed is not checked again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs

from stacks import _validation
from stacks._app import new_app
from stacks._nag import acknowledge

pytestmark = pytest.mark.slow  # CDK's validator starts slowly


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache. `make test-fast` turns off CDK's validator, so turn it on."""
    monkeypatch.setattr(_validation, "CACHE", tmp_path / "validated")
    monkeypatch.delenv("CDK_VALIDATION", raising=False)
    return tmp_path / "validated"


def _synthesize(*edits: Callable[[cdk.Stack], None], names: tuple[str, ...] = ("one",)) -> None:
    """Synthesize an app with a queue in each stack. `edits` change the first stack."""
    app = new_app({}, outdir=None)
    stacks = [cdk.Stack(app, name) for name in names]
    for stack in stacks:
        queue = sqs.Queue(stack, "Queue", enforce_ssl=True)
        acknowledge(queue, "AwsSolutions-SQS3", "The test needs no dead-letter queue.")
    for edit in edits:
        edit(stacks[0])
    _validation.add_validation(app)
    app.synth()


def _add_unknown_property(stack: cdk.Stack) -> None:
    cast("cdk.CfnResource", stack.node.find_child("Queue").node.default_child).add_property_override("Nonsense", "x")


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


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Return a list that receives each program with the stacks that it checks."""
    calls: list[tuple[str, list[str]]] = []

    def record(name: str, run: _validation.Check) -> _validation.Check:
        def run_and_record(stacks: Any, context: Any) -> Any:
            calls.append((name, [stack.stack_construct_path for stack in stacks]))
            return run(stacks, context)

        return run_and_record

    for name in ("_run_cdk_nag", "_run_cloudformation_validator"):
        monkeypatch.setattr(_validation, name, record(name, getattr(_validation, name)))
    return calls


def test_only_changed_stacks_are_checked_again(checked: list[tuple[str, list[str]]], cache: Path) -> None:
    _synthesize(names=("one", "two"))
    assert checked == [("_run_cdk_nag", ["one", "two"]), ("_run_cloudformation_validator", ["one", "two"])]
    assert len([file for file in cache.rglob("*") if file.is_file()]) == 4
    checked.clear()
    _synthesize(names=("one", "two"))
    assert checked == []
    _synthesize(_add_queue_with_acknowledgements, names=("one", "two"))
    assert checked == [("_run_cdk_nag", ["one"]), ("_run_cloudformation_validator", ["one"])]


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (None, _add_unknown_property),
        (None, _add_queue_without_tls),
        (_add_queue_with_acknowledgements, _add_queue_without_tls),  # the template stays the same
        (_add_queue_that_the_app_acknowledges, _add_queue_without_tls),
    ],
)
def test_every_synthesis_reports_a_finding(
    before: Callable[[cdk.Stack], None] | None, change: Callable[[cdk.Stack], None]
) -> None:
    _synthesize(*([before] if before else []))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="ValidationFailed"):
            _synthesize(change)


@pytest.mark.parametrize("what", ["version", "day", "settings"])
def test_another_version_day_or_module_needs_a_new_check(
    monkeypatch: pytest.MonkeyPatch, checked: list[tuple[str, list[str]]], tmp_path: Path, what: str
) -> None:
    _synthesize()
    checked.clear()
    if what == "version":
        monkeypatch.setattr(_validation, "version", lambda _: "2.999.0")
    elif what == "day":
        monkeypatch.setattr(_validation, "_today", lambda: "2999-01-01")
    else:
        (tmp_path / "edited.py").write_text(Path(_validation.__file__).read_text() + "# edited")
        monkeypatch.setattr(_validation, "__file__", str(tmp_path / "edited.py"))
    _synthesize()
    assert [stacks for _, stacks in checked] == [["one"], ["one"]]


def test_files_of_earlier_days_are_deleted(cache: Path) -> None:
    (cache / "2020-01-01").mkdir(parents=True)
    _synthesize()
    assert [folder.name for folder in cache.iterdir()] == [_validation._today()]
