"""These functions read a template: references between resources, and the actions that roles allow."""

import json
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data

from tools.templates import Template, resources


def name_of(reference: Any) -> str:
    """Return the logical id in a `Ref` or a `Fn::GetAtt`, or an empty string for another value."""
    if isinstance(reference, dict):
        if "Ref" in reference:
            return str(reference["Ref"])
        if "Fn::GetAtt" in reference:
            return str(reference["Fn::GetAtt"][0])
    return ""


def subnet_of(reference: Any) -> str:
    """Return the logical id of a subnet, or the id of a subnet outside the stack, such as `subnet-0a`."""
    return reference if isinstance(reference, str) else name_of(reference)


def names_of(references: Iterable[Any]) -> frozenset[str]:
    """Return the logical ids in these references."""
    return frozenset(name_of(reference) for reference in references)


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key in a JSON value, and the value of the key. Inner objects are included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from walk(inner)
    if isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def referenced_ids(value: Any) -> set[str]:
    """Return every logical id in the `Ref`s and `Fn::GetAtt`s of a JSON value. `Fn::Sub` is not searched."""
    return {
        str(inner[0] if key == "Fn::GetAtt" else inner) for key, inner in walk(value) if key in ("Ref", "Fn::GetAtt")
    }


def dependencies(template: Template, name: str) -> set[str]:
    """Return the resources that CloudFormation creates before a resource, because of `DependsOn` or of a reference."""
    earlier: set[str] = set()
    waiting = [name]
    while waiting:
        resource = template["Resources"].get(waiting.pop(), {})
        depends_on = resource.get("DependsOn", [])
        direct = {*([depends_on] if isinstance(depends_on, str) else depends_on), *referenced_ids(resource)}
        waiting += direct - earlier
        earlier |= direct
    return earlier


def properties(template: Template, name: str) -> dict[str, Any]:
    """Return the properties of a resource, or an empty dict if the template does not have the resource."""
    result: dict[str, Any] = template["Resources"].get(name, {}).get("Properties", {})
    return result


def statements(template: Template, role: str) -> Iterator[dict[str, Any]]:
    """Yield the Allow statements of all policies of a role. Managed policies of AWS are included.

    Raises KeyError for a managed policy that is not in moto's list.
    """
    role_properties = properties(template, role)
    documents = [one["PolicyDocument"] for one in role_properties.get("Policies", [])]
    for kind in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy"):
        for policy in resources(template, kind).values():
            attached = [*policy["Properties"].get("Roles", []), policy["Properties"].get("RoleName")]
            if role in names_of(attached):
                documents.append(policy["Properties"]["PolicyDocument"])
    documents += [
        _managed()[_policy_name(arn)] for arn in role_properties.get("ManagedPolicyArns", []) if _policy_name(arn)
    ]
    for document in documents:
        yield from (statement for statement in _as_list(document["Statement"]) if statement["Effect"] == "Allow")


def allowed_actions(template: Template, role: str) -> set[str]:
    """Return the actions that a role's policies allow, in lower case. Raises KeyError as `statements` does."""
    return {action.lower() for statement in statements(template, role) for action in _as_list(statement["Action"])}


def allows(actions: Iterable[str], wanted: str) -> bool:
    """Whether one of these actions, which may have wildcards, includes the wanted action."""
    return any(fnmatchcase(wanted.lower(), action) for action in actions)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _policy_name(arn: Any) -> str:
    # In the template, the ARN of a managed policy is a list of texts, which Fn::Join joins. A reference is the ARN of a
    # policy in the stack, and `statements` finds such a policy in another way.
    if isinstance(arn, dict) and "Fn::Join" in arn:
        arn = arn["Fn::Join"][1][-1]
    return arn.rpartition("/")[2] if isinstance(arn, str) else ""


@cache
def _managed() -> dict[str, Any]:
    return {name: policy["Document"] for name, policy in json.loads(aws_managed_policies_data).items()}
