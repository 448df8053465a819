"""These tests check the GitHub workflows: their commands exist, they test the supported Pythons, and they are safe."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks._requirements import PYTHON_VERSION
from tests.support.folders import ROOT
from tools import upgrade

WORKFLOWS = {file.stem: yaml.safe_load(file.read_text()) for file in sorted((ROOT / ".github/workflows").glob("*.yml"))}
STEPS = [
    pytest.param(step, id=f"{workflow}: {step['run']}")
    for workflow, content in WORKFLOWS.items()
    for job in content["jobs"].values()
    for step in job["steps"]
    if "run" in step
]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("step", STEPS)
def test_every_step_runs_a_make_target_or_a_script(step: dict[str, Any]) -> None:
    command, argument = step["run"].split()  # a longer command must be moved into a script
    assert argument in TARGETS if command == "make" else (command in ("sh", "bash") and (ROOT / argument).is_file())


def test_pull_requests_are_tested_on_the_oldest_and_the_newest_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = project["requires-python"].removeprefix(">=")
    assert WORKFLOWS["ci"]["jobs"]["test"]["strategy"]["matrix"]["python"] == [oldest, PYTHON_VERSION]


def test_zizmor_has_no_findings_in_the_workflows() -> None:
    """zizmor checks workflows for security problems.

    It finds actions without a hash, unused permissions, credentials that stay on disk, and code injection.
    """
    run = subprocess.run(
        [Path(sys.executable).with_name("zizmor"), "--offline", "--pedantic", "--no-progress", ROOT / ".github"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


# -- the scripts of the scheduled workflow


@pytest.mark.parametrize(("open_issue", "command"), [("", "issue create --title"), ("7", "issue comment 7 --body")])
def test_a_failed_run_opens_an_issue_or_comments_on_an_open_issue(
    tmp_path: Path, open_issue: str, command: str
) -> None:
    gh = tmp_path / "gh"
    gh.write_text(f'#!/bin/sh\ncase "$2" in list) echo "{open_issue}" ;; *) echo "$@" ;; esac\n')
    gh.chmod(0o755)
    run = subprocess.run(
        ["sh", ROOT / "tools" / "open_issue.sh"],
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "RUN_URL": "https://example.com/runs/1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith(command)
    assert "https://example.com/runs/1" in run.stdout


def test_an_upgraded_version_keeps_its_extras_and_its_comment() -> None:
    text = 'a = ["boto3==1.1", "moto[s3,sts]==5.0", # why\n "kept==2"]'
    newest = {"boto3": "1.2", "moto": "6.0.1", "other": "3"}
    assert upgrade.raise_pins(text, newest) == 'a = ["boto3==1.2", "moto[s3,sts]==6.0.1", # why\n "kept==2"]'


def test_separate_packages_do_not_limit_the_versions_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = "cdklabs-cdk-validator-cfnguard"
    versions = {
        frozenset({"checkov"}): {"checkov": "3", "boto3": "0.1"},
        frozenset({guard}): {guard: "0.1", "boto3": "0.2"},
        frozenset({"boto3"}): {"boto3": "1.2"},
    }
    monkeypatch.setattr(upgrade, "resolve", lambda packages: versions[frozenset(packages)])
    assert upgrade.newest_versions({"checkov", guard, "boto3"}) == {"checkov": "3", guard: "0.1", "boto3": "1.2"}


@pytest.mark.parametrize("package", sorted(upgrade.SEPARATE_PACKAGES))
def test_every_separate_package_is_pinned(package: str) -> None:
    assert re.search(rf'"{package}==', (ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("command", ["checkov", "guard"])
def test_the_newest_templates_are_compared_with_the_acknowledged_findings(command: str) -> None:
    assert f"make {command}" in [step.get("run") for step in WORKFLOWS["scheduled"]["jobs"]["test"]["steps"]]


def test_pip_checks_the_hash_of_the_program_of_make_guard() -> None:
    lock = (ROOT / "requirements-guard.txt").read_text()
    assert re.findall(r"^[a-z-]+==", lock, re.MULTILINE) == ["cdklabs-cdk-validator-cfnguard=="]
    assert "--hash=sha256:" in lock


def test_every_version_bound_belongs_to_a_used_package() -> None:
    assert set(upgrade.BOUNDS) <= set(re.findall(r'"([a-z0-9-]+)==', (ROOT / "pyproject.toml").read_text()))


def test_npm_upgrades_stay_within_the_major_versions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(upgrade, "ROOT", tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: calls.append(command))
    shutil.copy(ROOT / "package.json", tmp_path)
    upgrade.upgrade_node()
    assert "aws-cdk@2" in calls[0]
    assert all(re.fullmatch(r"@?[a-z0-9./-]+@\d+", package) for package in calls[0][7:])
    assert len(calls[0]) > 7
