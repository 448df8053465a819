"""Stop `make deploy` if it would change the profile (sandbox or production) of a deployed stack.

If somebody deployed the sandbox profile over a production stack, the data of the stack would lose their protection. The
CDK CLI does not ask before such a change, because it asks only about permissions.
"""

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


def find_other_profiles(cloudformation: "CloudFormationClient", *, prefix: str, profile: str) -> Mapping[str, str]:
    """Return the stacks with this prefix that are deployed with another profile. The values are their profiles.

    Raises botocore's errors.
    """
    others = {}
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            deployed = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}.get("profile", profile)
            if stack["StackName"].startswith(f"{prefix}-") and deployed != profile:
                others[stack["StackName"]] = deployed
    return others


def main() -> None:
    """Exit with 1 and print the reason if a stack has another profile, or if AWS does not answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefix", required=True, help="the first part of the stacks' names")
    parser.add_argument("--profile", required=True, help="the profile of this deployment")
    arguments = parser.parse_args()
    try:
        others = find_other_profiles(boto3.client("cloudformation"), prefix=arguments.prefix, profile=arguments.profile)
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: cannot use an AWS account ({error}). Try: aws configure")
    for name, deployed in others.items():
        print(
            f"error: {name} is deployed with the profile {deployed}. Update it with: make deploy PROFILE={deployed}\n"
            f"       or deploy {arguments.profile} beside it: make deploy PROFILE={arguments.profile} PREFIX=mine",
            file=sys.stderr,
        )
    sys.exit(1 if others else 0)


if __name__ == "__main__":
    main()
