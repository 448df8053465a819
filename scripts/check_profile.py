"""Stop `make deploy` if it would make one of two harmful changes to a deployed stack.

- If somebody deployed the sandbox profile over a production stack, the data of the stack would lose
  their protection.
- If somebody changed the processor type of a deployed ecs_ec2 stack, the deployment would wait for up to 48 hours,
  because the running tasks cannot move to the new instances.

The CDK CLI does not ask before such changes, because it asks only about permissions.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from config import PROFILES, from_context
from scripts.aws_errors import explain
from scripts.doctor.report import Result, State
from settings_checks import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

AMI_PARAMETER = "/aws/service/ecs/optimized-ami/"
"""The ecs_ec2 stack has a parameter with the name of a machine image. The name for arm64 contains `arm64`."""


def deployed_stacks(prefix: str) -> Sequence["StackTypeDef"]:
    """Return the stacks in the account whose names begin with this prefix. Raises botocore's errors."""
    pages = boto3.client("cloudformation").get_paginator("describe_stacks").paginate()
    return [stack for page in pages for stack in page["Stacks"] if stack["StackName"].startswith(f"{prefix}-")]


def profile_errors(stacks: Sequence["StackTypeDef"], profile: str) -> Iterator[Result]:
    """Yield a result for each stack that is deployed with another profile."""
    for stack in stacks:
        deployed = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}.get("profile", profile)
        if deployed != profile:
            remedy = f"{_update_remedy(deployed)}, or deploy beside it: make deploy PROFILE={profile} PREFIX=mine"
            text = f"is deployed with the profile {deployed}, not {profile}"
            yield Result(State.FAILS, stack["StackName"], text, remedy)


def _update_remedy(profile: str) -> str:
    """Return how to update a stack that is deployed with this profile. config.py may not have the profile."""
    return f"make deploy PROFILE={profile}" if profile in PROFILES else f"add the profile {profile} to config.py"


def architecture_errors(stacks: Sequence["StackTypeDef"], architecture: str) -> Iterator[Result]:
    """Yield a result for each stack whose instances have another processor type."""
    for stack in stacks:
        images = [parameter["ParameterValue"] for parameter in stack.get("Parameters", [])]
        for image in (image for image in images if image.startswith(AMI_PARAMETER)):
            deployed = "arm64" if "arm64" in image else "x86_64"
            if deployed != architecture:
                text = f"has instances of the type {deployed}, and their tasks cannot move to {architecture}"
                remedy = f"destroy the stack first: make destroy STACK={stack['StackName']}"
                yield Result(State.FAILS, stack["StackName"], text, remedy)


def main() -> None:
    """Exit with 1 and print the reasons if a change would do harm, or if AWS does not answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", required=True, help="the profile of this deployment")
    parser.add_argument("--stack", default="--all", help="names of the stacks to deploy, or --all")
    parser.add_argument("--context", "-c", action="append", default=[], help="a setting, as for cdk: name=value")
    arguments = parser.parse_args()
    settings = {**dict(each.partition("=")[::2] for each in arguments.context), "profile": arguments.profile}
    patterns = ["*" if name == "--all" else name for name in arguments.stack.split()]
    try:
        config = from_context(settings)
        stacks = deployed_stacks(config.prefix)
    except ConfigError as error:
        sys.exit(f"error: {error}")
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: {explain(error)}")
    updated = [stack for stack in stacks if any(fnmatchcase(stack["StackName"], pattern) for pattern in patterns)]
    errors = [*profile_errors(stacks, arguments.profile), *architecture_errors(updated, config.architecture)]
    for result in errors:
        print(f"error: {result.subject} {result.text}\n       {result.remedy}", file=sys.stderr)
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
