"""These functions read and compare the permissions that the roles of deployed stacks used.

The local AWS, a program that imitates AWS on this machine, records these permissions.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from localaws.environment import ACCOUNT, REGION
from tests.support.apps import PREFIX
from tests.support.folders import ROOT

Permission = tuple[str, ...]
"""The example, the role, the action and the resource of a used permission.

The example has its short name, such as ecs_ec2. The role and the resource have their names in the template.
"""

USED_FILE = ROOT / "tests" / "contracts" / "used_permissions.txt"
"""The permissions that the roles use, one on each line, as the last `make permissions` recorded them."""
_HEADER = "# example role action resource (`make permissions` writes this file)\n"

_PSEUDO_PARAMETERS = {"arn:aws:": "arn:${AWS::Partition}:", ACCOUNT: "${AWS::AccountId}", REGION: "${AWS::Region}"}


@dataclass(frozen=True)
class Stack:
    """A deployed stack. Its methods translate physical names, which AWS chose, into names of the template."""

    stem: str
    resources: Mapping[str, str]
    """Logical ids by physical names."""
    roles: Mapping[str, str]
    """Logical ids of the roles by physical names."""

    @classmethod
    def all(cls, cloudformation: Any) -> list[Self]:
        """Return the stacks of all examples."""
        names = [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]]
        return [cls.deployed(cloudformation, name) for name in names if name.startswith(f"{PREFIX}-")]

    @classmethod
    def deployed(cls, cloudformation: Any, name: str) -> Self:
        """Return the stack that CloudFormation describes under this name."""
        found = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        # The physical id of a queue is a URL. The name of the queue is the end of this URL.
        names = {one["LogicalResourceId"]: re.sub(".*://.*/", "", one["PhysicalResourceId"]) for one in found}
        return cls(
            stem=name.partition("-")[2].replace("-", "_"),
            resources={names[logical]: logical for logical in names},
            roles={
                names[one["LogicalResourceId"]]: one["LogicalResourceId"]
                for one in found
                if one["ResourceType"] == "AWS::IAM::Role"
            },
        )

    def template_name(self, granted: str) -> str:
        """Return the template's name for an ARN: `${Uploads}/*` for `arn:aws:s3:::mine-uploads-1a2b/*`."""
        for name in sorted(self.resources, key=len, reverse=True):
            # The ARN of a log group ends with `:*`, which means all its streams.
            arn = rf"(arn:[^*]*[:/])?(?<![\w-]){re.escape(name)}(?![\w-])((?<=log-group:{re.escape(name)}):\*)?"
            match = re.fullmatch(rf"{arn}(?P<rest>([:/].*)?)", granted)
            if match:
                return f"${{{self.resources[name]}}}{match['rest']}"
        for value, parameter in _PSEUDO_PARAMETERS.items():
            granted = granted.replace(value, parameter)
        return granted


def read_permissions(file: Path) -> set[Permission]:
    """Return the permissions in a file, which has one on each line."""
    return {tuple(line.split(" ")) for line in file.read_text().splitlines() if not line.startswith("#")}


def used_permissions(record: Path, stacks: Iterable[Stack]) -> set[Permission]:
    """Return the permissions that the roles of these stacks used, from the record that the local AWS wrote."""
    return {
        (stack.stem, role, action, stack.template_name(granted))
        for stack, role, action, granted, allowed in _recorded(record, stacks)
        if allowed
    }


def missing_permissions(record: Path, stacks: Iterable[Stack]) -> list[str]:
    """Return the permissions that the local AWS refused to the roles of these stacks.

    Call this function before the stacks are destroyed, because a destruction removes permissions of functions that
    still run.
    """
    return [
        f"{stack.stem}: {role} lacks {action} on {granted}"
        for stack, role, action, granted, allowed in _recorded(record, stacks)
        if not allowed
    ]


def _recorded(record: Path, stacks: Iterable[Stack]) -> Iterator[tuple[Stack, str, str, str, bool]]:
    stacks_by_role = {name: stack for stack in stacks for name in stack.roles}
    for name, action, granted, allowed in map(json.loads, record.read_text().splitlines()):
        if name in stacks_by_role:
            yield stacks_by_role[name], stacks_by_role[name].roles[name], action, granted, allowed


def differences(used: set[Permission], stacks: Iterable[Stack], file: Path, *, complete: bool) -> list[str]:
    """Return a sentence for each used permission that is missing in the file.

    If the run was complete, there is also a sentence for each permission in the file that no role used.
    """
    recorded = read_permissions(file)
    unused = _permissions_of(stacks, recorded - used) if complete else set()
    return [
        *(f"new: {' '.join(one)}. If this is intended, record it: make permissions" for one in used - recorded),
        *(f"no longer used: {' '.join(one)}. Narrow the grant, and record it: make permissions" for one in unused),
    ]


def write_used(used: set[Permission], stacks: Iterable[Stack], file: Path) -> None:
    """Write the used permissions into the file. Permissions of roles that were not deployed stay in the file.

    For example, some roles are not deployed if this machine has no container tool.
    """
    recorded = read_permissions(file)
    not_deployed = recorded - _permissions_of(stacks, recorded)
    file.write_text(_HEADER + "".join(f"{' '.join(one)}\n" for one in sorted(not_deployed | used)))


def _permissions_of(stacks: Iterable[Stack], permissions: set[Permission]) -> set[Permission]:
    deployed = {(stack.stem, role) for stack in stacks for role in stack.roles.values()}
    return {one for one in permissions if one[:2] in deployed}
