"""These tests check how `make guard` reads the report of cfn-guard and compares it with docs/security.md.

They do not run cfn-guard, because it is not in the common environment.
"""

import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools import guard
from tools.acknowledged import Finding, differences, exit_if_different

MESSAGE = {"custom_message": "\n [CT.S3.PR.4]: Require event notifications\n [FIX]: Set them.", "error_message": None}
NOTES, LOGS = (Finding("CT.S3.PR.4", "api", name, "sandbox") for name in ("Notes", "Logs"))


def rule(*checks: Any, messages: Any = MESSAGE) -> Any:
    """Return cfn-guard's report of a failed rule."""
    inner = {"Rule": {"name": "check", "messages": messages, "checks": list(checks)}}
    return {"Rule": {"name": "s3_check", "messages": {"custom_message": None}, "checks": [inner]}}


def unresolved(path: str) -> Any:
    """Return a check that failed because a property is missing."""
    value = {"traversed_to": {"path": path, "value": {}}, "remaining_query": "NotificationConfiguration"}
    return {"Clause": {"Unary": {"check": {"UnResolved": {"value": value}}}}}


def compared(path: str) -> Any:
    """Return a check that failed because a property has another value, in a block of alternatives."""
    binary = {"check": {"Resolved": {"from": {"path": path, "value": 7}, "to": {"path": "", "value": 365}}}}
    return {"Disjunctions": {"checks": [{"Clause": {"Binary": binary}}]}}


@pytest.mark.parametrize("check", [unresolved, compared])
def test_a_failed_rule_names_the_control_and_the_resources(check: Any) -> None:
    report = rule(check("/Resources/Logs1234ABCD/Properties"), check("/Resources/Notes/Properties/RetentionInDays"))
    assert guard.findings_of_rule(report) == {("CT.S3.PR.4", "Logs1234ABCD"), ("CT.S3.PR.4", "Notes")}


@pytest.mark.parametrize(
    "report",
    [rule(), rule(unresolved("/Parameters/Size")), rule(unresolved("/Resources/Notes"), messages=None)],
    ids=["no check", "no resource", "no control"],
)
def test_a_failed_rule_that_cannot_be_read_is_an_error(report: Any) -> None:
    with pytest.raises(ValueError, match="a rule without a control or a resource"):
        guard.findings_of_rule(report)


def run_guard(monkeypatch: pytest.MonkeyPatch, code: int, report: Any) -> set[Finding]:
    """Return the findings of a cfn-guard that ends with an exit code and prints this report."""
    monkeypatch.setattr(guard, "synthesize", lambda *_, **__: None)
    run = subprocess.CompletedProcess([], code, json.dumps(report))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: run)
    return guard.current_findings("sandbox", {})


def test_the_file_name_of_a_template_is_the_stem_of_the_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = rule(unresolved("/Resources/LogsF2CF3CD4/Properties"))
    report = [
        {"name": "/tmp/x/compute-ecs-ec2.template.json", "not_compliant": [failed]},  # noqa: S108 - only a name
        {"name": "/tmp/x/compute-api.template.json", "not_compliant": []},  # noqa: S108
    ]
    assert run_guard(monkeypatch, 19, report) == {Finding("CT.S3.PR.4", "ecs_ec2", "Logs", "sandbox")}


def test_an_error_of_cfn_guard_is_not_a_template_without_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_guard(monkeypatch, 0, []) == set()
    with pytest.raises(SystemExit, match="error: cfn-guard could not check the templates"):
        run_guard(monkeypatch, 5, [])


@pytest.mark.parametrize(
    ("system", "machine", "folder"),
    [
        ("Linux", "x86_64", "ubuntu/x86_64"),
        ("Linux", "aarch64", "ubuntu/aarch64"),
        ("Darwin", "arm64", "macos/aarch64"),
    ],
)
def test_the_program_is_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, folder: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert guard.guard_program() == guard.PACKAGE / "bin" / Path(folder) / "cfn-guard"


def test_another_machine_is_an_error_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    with pytest.raises(SystemExit, match=r"error: cfn-guard does not run on Windows .*\. Use Linux or macOS\."):
        guard.guard_program()


def test_each_difference_between_report_and_table_is_an_error() -> None:
    lines = differences({NOTES}, {LOGS}, "cfn-guard")
    assert lines == [
        "not in the table, but cfn-guard reports it: CT.S3.PR.4 api Notes sandbox",
        "in the table, but cfn-guard no longer reports it: CT.S3.PR.4 api Logs sandbox",
    ]
    with pytest.raises(SystemExit, match=r"Change the stack, or the table in docs/security\.md\."):
        exit_if_different(lines)
    assert differences({NOTES}, {NOTES}, "cfn-guard") == []
    exit_if_different([])


@pytest.mark.parametrize("still_reported", [True, False])
def test_a_reason_that_names_the_setting_must_be_true(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, still_reported: bool
) -> None:
    """With the setting, the controls report only findings whose reason does not name the setting."""
    document = tmp_path / "security.md"
    document.write_text(
        "| CT.S3.PR.4 | events | `api/Notes` (sandbox) | `organization_rules` turns them on. |\n"
        "| CT.S3.PR.4 | events | `api/Logs` (sandbox) | Nobody needs them. |\n"
    )
    monkeypatch.setattr(guard, "DOCUMENT", document)

    def reported(profile: str, settings: Any) -> set[Finding]:
        found = {LOGS} if settings and not still_reported else {NOTES, LOGS}
        return found if profile == "sandbox" else set()

    monkeypatch.setattr(guard, "current_findings", reported)
    if still_reported:
        with pytest.raises(SystemExit, match=r"cfn-guard \(with organization_rules=true\) reports it: .* api Notes"):
            guard.main()
    else:
        guard.main()
