"""What the roles of the deployed stacks have done, in the words of their templates, for tests/contracts/least_privilege.py."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from localaws.environment import ACCOUNT, REGION
from tests.support.folders import ROOT

Used = dict[str, dict[str, dict[str, list[str]]]]
"""By example, role and action: what it was granted for."""

USED_FILE = ROOT / "tests" / "contracts" / "used_permissions.json"
"""What the roles use, as it was put down last."""

_PSEUDO = {"arn:aws:": "arn:${AWS::Partition}:", ACCOUNT: "${AWS::AccountId}", REGION: "${AWS::Region}"}


@dataclass(frozen=True)
class Stack:
    """An example's stack: how the template names what AWS has given other names."""

    stem: str
    resources: Mapping[str, str]
    """Logical ids by names."""
    roles: Mapping[str, str]
    """Those of roles alone."""

    @classmethod
    def all(cls, cloudformation: Any) -> list[Self]:
        """Those of all examples."""
        names = [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]]
        return [cls.deployed(cloudformation, name) for name in names if name.startswith("compute-")]

    @classmethod
    def deployed(cls, cloudformation: Any, name: str) -> Self:
        """The stack as CloudFormation tells of it."""
        found = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        # What a queue is known by is its URL, of which its ARN has the end.
        names = {each["LogicalResourceId"]: re.sub(".*://.*/", "", each["PhysicalResourceId"]) for each in found}
        return cls(
            stem=name.partition("-")[2].replace("-", "_"),
            resources={names[logical]: logical for logical in names},
            roles={
                names[each["LogicalResourceId"]]: each["LogicalResourceId"]
                for each in found
                if each["ResourceType"] == "AWS::IAM::Role"
            },
        )

    def in_words_of_the_template(self, granted: str) -> str:
        """`arn:aws:s3:::mine-uploads-1a2b/*` as `${Uploads}/*`."""
        for name in sorted(self.resources, key=len, reverse=True):
            # The ARN of a log group ends with `:*`, which stands for its streams.
            arn = rf"(arn:[^*]*[:/])?(?<![\w-]){re.escape(name)}(?![\w-])((?<=log-group:{re.escape(name)}):\*)?"
            found = re.fullmatch(rf"{arn}(?P<rest>([:/].*)?)", granted)
            if found:
                return f"${{{self.resources[name]}}}{found['rest']}"
        for ours, templates in _PSEUDO.items():
            granted = granted.replace(ours, templates)
        return granted


def used_permissions(record: Path, stacks: Iterable[Stack]) -> Used:
    """What the roles of these stacks have used, as the local AWS has recorded it."""
    found: Used = {}
    for stack, role, action, granted, allowed in _recorded(record, stacks):
        if allowed:
            actions = found.setdefault(stack.stem, {}).setdefault(role, {})
            actions.setdefault(action, []).append(stack.in_words_of_the_template(granted))
    return found


def missing_permissions(record: Path, stacks: Iterable[Stack]) -> list[str]:
    """What the roles of these stacks were refused.

    To be asked before the stacks are destroyed: that takes permissions away from functions that are still at work.
    """
    return [
        f"{stack.stem}: {role} lacks {action} on {granted}"
        for stack, role, action, granted, allowed in _recorded(record, stacks)
        if not allowed
    ]


def _recorded(record: Path, stacks: Iterable[Stack]) -> Iterator[tuple[Stack, str, str, str, bool]]:
    by_role = {name: stack for stack in stacks for name in stack.roles}
    for name, action, granted, allowed in map(json.loads, record.read_text().splitlines()):
        if name in by_role:
            yield by_role[name], by_role[name].roles[name], action, granted, allowed


def differences(found: Used, stacks: Iterable[Stack], file: Path, *, complete: bool) -> list[str]:
    """What the roles use and the file does not tell; if the run was `whole`, also what it tells and none uses."""
    told, now = _flat(json.loads(file.read_text())), _flat(found)
    deployed = {(stack.stem, role) for stack in stacks for role in stack.roles.values()}
    gone = {one for one in told - now if one[:2] in deployed} if complete else set()
    return [
        *(f"new: {' '.join(one)}. See whether it is meant, and put it down: make permissions" for one in now - told),
        *(f"used no more: {' '.join(one)}. Narrow the grant, and put it down: make permissions" for one in gone),
    ]


def write_used(found: Used, stacks: Iterable[Stack], file: Path) -> None:
    """Write the file anew. Roles that are not deployed here, for want of a container tool, stay as they are."""
    deployed = {(stack.stem, role) for stack in stacks for role in stack.roles.values()}
    written: Used = {}
    for stem, role, action, granted in sorted(
        {one for one in _flat(json.loads(file.read_text())) if one[:2] not in deployed} | _flat(found)
    ):
        written.setdefault(stem, {}).setdefault(role, {}).setdefault(action, []).append(granted)
    file.write_text(json.dumps(written, indent=2) + "\n")


def _flat(told: Used) -> set[tuple[str, str, str, str]]:
    return {
        (stem, role, action, granted)
        for stem, roles in told.items()
        for role, actions in roles.items()
        for action, resources in actions.items()
        for granted in resources
    }
