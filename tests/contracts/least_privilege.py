"""Each permission of a role has a use in the local AWS, or a reason.

The local AWS is a program that imitates AWS on this machine. `make permissions` writes the permissions that roles use
there into used_permissions.txt. unused_permissions.py has the reasons for the other permissions.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.contracts.unused_permissions import REASONS
from tests.support.permissions import USED_FILE, read_permissions
from tools.templates import Template, resources

_API_ARN = re.compile(r"^arn:\$\{AWS::Partition\}:execute-api:\$\{AWS::Region\}:\$\{AWS::AccountId\}:(?=\$\{)")
"""The beginning of the ARN of an API of the stack. A template has no attribute with this ARN."""


@dataclass(frozen=True, order=True)
class Grant:
    """A role may do one action on one resource. A used permission also has this type.

    A used permission has the action that the role called, and the resource of the grant that allowed the action.
    """

    role: str
    """The logical id of the role."""
    action: str
    """An action such as `s3:GetObject` or `s3:Get*`. For a managed policy of AWS, it is `policy/service-role/…`."""
    resource: str
    """Resources such as `${Uploads}/*`. `${…}` is the ARN of a resource of the stack."""

    @property
    def is_wide(self) -> bool:
        """Whether the action has a wildcard, so that it means several actions. Such a grant always needs a reason."""
        return any(wildcard in self.action for wildcard in "*?")

    def allows(self, used: "Grant") -> bool:
        """Whether this grant allows the used permission."""
        return (
            self.role == used.role
            and self.resource == used.resource
            and fnmatchcase(used.action.lower(), self.action.lower())
        )


def faults(template: Template) -> list[str]:
    """Return the grants that have neither a use nor a reason, and the used permissions that have no grant."""
    stem, services = example(template), services_of(template)

    def has_reason(grant: Grant) -> bool:
        return any(reason.covers(stem, services[grant.role], grant.action, grant.resource) for reason in REASONS)

    used_permissions = {used for used in permissions_used_by(stem) if used.role in services}
    return list(compare(grants(template), used_permissions, has_reason))


def compare(granted: set[Grant], used_permissions: set[Grant], has_reason: Callable[[Grant], bool]) -> Iterator[str]:
    """Yield a sentence for each role and resource with grants that are not needed, and for each missing grant."""
    unexplained: dict[tuple[str, str], list[str]] = {}
    for grant in sorted(granted):
        needed = not grant.is_wide and any(grant.allows(used) for used in used_permissions)
        if needed and has_reason(grant):
            text = f"{grant.role} is granted {grant.action} on {grant.resource}"
            yield f"{text} and uses it: remove the reason from unused_permissions.py, because it is no longer true"
        if not needed and not has_reason(grant):
            unexplained.setdefault((grant.role, grant.resource), []).append(grant.action)
    for (role, resource), actions in unexplained.items():
        yield (
            f"{role} is granted {', '.join(actions)} on {resource}, and does not use this in the local AWS: remove the "
            "grant from the stack, or add a Reason to REASONS in tests/contracts/unused_permissions.py"
        )
    for used in sorted(used_permissions):
        if not any(grant.allows(used) for grant in granted):
            yield f"{used.role} uses {used.action} on {used.resource} without a grant: run `make permissions`"


def permissions_used_by(stem: str) -> set[Grant]:
    """Return the permissions in used_permissions.txt that the roles of an example use."""
    return {
        Grant(*permission) for permission_stem, *permission in read_permissions(USED_FILE) if permission_stem == stem
    }


def example(template: Template) -> str:
    """Return the stem of the template's example, such as `ecs_ec2`, from the tags of its resources."""
    tags = (
        tag["Value"]
        for resource in template["Resources"].values()
        if isinstance(resource.get("Properties", {}).get("Tags"), list)
        for tag in resource["Properties"]["Tags"]
        if tag["Key"] == "example"
    )
    return str(next(tags, ""))


def services_of(template: Template) -> dict[str, str]:
    """Return the AWS service that can assume each role, such as `lambda`, by the role's logical id."""
    return {
        role: ",".join(
            str(statement["Principal"].get("Service", "")).removesuffix(".amazonaws.com")
            for statement in resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        )
        for role, resource in resources(template, "AWS::IAM::Role").items()
    }


def grants(template: Template) -> set[Grant]:
    """Return all grants to the roles of a template.

    The grants are in the policies of the roles, in managed policies, and in policies of resources such as buckets.
    """
    all_grants = {*_managed_grants(template)}
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        attached = [name, *map(_text, properties.get("Roles", []))]
        for statement in _statements(properties):
            principals = statement.get("Principal", {"AWS": attached})
            if statement["Effect"] == "Allow" and isinstance(principals, dict):
                roles = {_text(role).removeprefix("${").removesuffix("}") for role in _list(principals.get("AWS", []))}
                all_grants.update(_granted(roles & {*resources(template, "AWS::IAM::Role")}, statement))
    return all_grants


def _managed_grants(template: Template) -> Iterator[Grant]:
    for role, resource in resources(template, "AWS::IAM::Role").items():
        for policy in map(_text, resource["Properties"].get("ManagedPolicyArns", [])):
            yield Grant(role, policy[policy.index("policy/") :] if "policy/" in policy else policy, "*")


def _statements(value: Any) -> Iterator[Any]:
    # The search goes through all properties, because each type names its policies differently.
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Statement":
                yield from _list(inner)
            elif key != "AssumeRolePolicyDocument":
                yield from _statements(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _statements(inner)


def _granted(roles: set[str], statement: Any) -> Iterator[Grant]:
    # A statement with NotAction counts as every action, and a statement with NotResource as every resource.
    for role in roles:
        for action in _list(statement.get("Action", "*")):
            for resource in _list(statement.get("Resource", "*")):
                yield Grant(role, action, _text(resource))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    """Return a value as text. `${Name}` replaces a reference to a resource or to its ARN."""
    match value:
        case {"Ref": name} | {"Fn::GetAtt": [name, "Arn"]}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Join": [separator, values]}:
            return _API_ARN.sub("", str(separator).join(map(_text, values)))
        case {"Fn::Sub": text}:
            return str(text)
    return str(value)
