"""These tests check the options and the region of the Makefile's commands, and what npm prints."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.folders import ROOT


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
        ({}, "unset"),
    ],
)
def test_python_programs_use_the_region_of_the_cdk_cli(variables: dict[str, str], region: str) -> None:
    """The CDK CLI prefers AWS_REGION, but boto3 reads only AWS_DEFAULT_REGION."""
    run = subprocess.run(
        ["make", "-f", "Makefile", "-f", "-", "print-region"],
        input="print-region: ; @echo $${AWS_DEFAULT_REGION-unset}",
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == f"{region}\n"


@pytest.mark.parametrize(("value", "runs_all"), [("yes", True), ("no", False), ("", False)])
def test_only_yes_runs_all_fast_tests(value: str, *, runs_all: bool) -> None:
    command = ["make", "--dry-run", "test-fast", f"ALL={value}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ("tools.fast_tests --all" in run.stdout) == runs_all


def test_npm_and_npx_print_no_notice_about_new_versions(tmp_path: Path) -> None:
    """A person who runs `npx cdk deploy` would look for a reason in the notice, or install another npm."""
    npm = Path(sys.executable).with_name("npm")
    environment = {"PATH": f"{npm.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    command = [str(npm), "config", "get", "update-notifier"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "false\n", "the file .npmrc must contain the line update-notifier=false"
