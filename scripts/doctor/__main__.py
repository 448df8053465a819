"""Check the AWS account before a deployment: `python -m scripts.doctor`, as `make doctor` and `make deploy` do."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError

from config import from_context
from scripts.aws_errors import explain
from scripts.doctor.account import Account
from scripts.doctor.checks import run_checks
from scripts.doctor.needs import Stack, stacks_of
from scripts.doctor.report import print_results
from settings_checks import ConfigError
from tools.templates import synthesize


def main() -> None:
    """Print the results, and exit with 1 if the deployment will fail."""
    parser = argparse.ArgumentParser(prog="python -m scripts.doctor", description=__doc__)
    parser.add_argument("--stack", default="--all", help="names of the stacks to deploy, or --all")
    parser.add_argument("--profile", default="sandbox")
    parser.add_argument("--context", "-c", action="append", default=[], help="a setting, as for cdk: name=value")
    arguments = parser.parse_args()
    settings = dict(setting.partition("=")[::2] for setting in arguments.context)
    try:
        stacks = _stacks(arguments.stack.split(), {**settings, "profile": arguments.profile})
    except ConfigError as error:
        sys.exit(f"error: {error}")
    try:
        account = Account(boto3.Session())
    except BotoCoreError as error:
        sys.exit(f"error: {explain(error)}")
    architecture = from_context({**settings, "profile": arguments.profile}).architecture
    if not print_results(run_checks(account, stacks, arguments.profile, architecture)):
        sys.exit(
            "error: this deployment would fail. Solve the problems above, or skip this check: make deploy DOCTOR=no"
        )


def _stacks(names: Sequence[str], settings: dict[str, str]) -> list[Stack]:
    patterns = ["*" if name == "--all" else name for name in names]
    with tempfile.TemporaryDirectory() as folder:
        synthesize(Path(folder), **settings)
        stacks = list(stacks_of(Path(folder)))
    selected_stacks = [stack for stack in stacks if any(fnmatchcase(stack.name, pattern) for pattern in patterns)]
    if not selected_stacks:
        sys.exit(f"error: no stack is named {' '.join(names)}. All stacks: {', '.join(stack.name for stack in stacks)}")
    return selected_stacks


if __name__ == "__main__":
    main()
