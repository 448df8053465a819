"""Refuses to deploy one profile over another.

A sandbox deployed over production would take the protection off its data, and the CLI would only ask about permissions.
"""

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


def others(cloudformation: "CloudFormationClient", *, prefix: str, profile: str) -> Mapping[str, str]:
    """The stacks under the prefix that are deployed with another profile, and which.

    Raises botocore's errors.
    """
    found = {}
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            deployed = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}.get("profile", profile)
            if stack["StackName"].startswith(f"{prefix}-") and deployed != profile:
                found[stack["StackName"]] = deployed
    return found


def main() -> None:
    """Exit with an explanation if there is such a stack, or no way to know."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--profile", required=True)
    arguments = parser.parse_args()
    try:
        found = others(boto3.client("cloudformation"), prefix=arguments.prefix, profile=arguments.profile)
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: no way into an AWS account ({error}); try: aws configure")
    for name, deployed in found.items():
        print(
            f"error: {name} is deployed with the profile {deployed}. Update it with: make deploy PROFILE={deployed}\n"
            f"       or deploy {arguments.profile} beside it: make deploy PROFILE={arguments.profile} PREFIX=mine",
            file=sys.stderr,
        )
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
