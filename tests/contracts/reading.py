"""Reading a template: references between resources, and the actions that its roles allow."""

import json
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data

from tools.templates import Template, resources


def name_of(reference: Any) -> str:
    """Return the logical id that a `Ref` or a `Fn::GetAtt` names, or an empty string for anything else."""
    if isinstance(reference, dict):
        if "Ref" in reference:
            return str(reference["Ref"])
        if "Fn::GetAtt" in reference:
            return str(reference["Fn::GetAtt"][0])
    return ""


def names_of(references: Iterable[Any]) -> frozenset[str]:
    """Return the logical ids that these references name."""
    return frozenset(name_of(reference) for reference in references)


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key of a JSON value with its value, at any depth."""
    if isinstance(value, dict):
        for key, held in value.items():
            yield key, held
            yield from walk(held)
    if isinstance(value, list):
        for held in value:
            yield from walk(held)


def referred(value: Any) -> set[str]:
    """Return every logical id in a JSON value. `Fn::Sub` is not read, because CDK does not write it for these."""
    return {str(held[0] if key == "Fn::GetAtt" else held) for key, held in walk(value) if key in ("Ref", "Fn::GetAtt")}


def properties(template: Template, name: str) -> dict[str, Any]:
    """Return the properties of a resource, or an empty dict if the template does not have it."""
    found: dict[str, Any] = template["Resources"].get(name, {}).get("Properties", {})
    return found


def statements(template: Template, role: str) -> Iterator[dict[str, Any]]:
    """Yield every statement that allows something in a role's policies, AWS's managed policies included.

    Raises KeyError for a managed policy that moto does not know.
    """
    found = properties(template, role)
    documents = [one["PolicyDocument"] for one in found.get("Policies", [])]
    for kind in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy"):
        for policy in resources(template, kind).values():
            attached = [*policy["Properties"].get("Roles", []), policy["Properties"].get("RoleName")]
            if role in names_of(attached):
                documents.append(policy["Properties"]["PolicyDocument"])
    documents += [_managed()[_policy_name(arn)] for arn in found.get("ManagedPolicyArns", []) if _policy_name(arn)]
    for document in documents:
        yield from (one for one in _listed(document["Statement"]) if one["Effect"] == "Allow")


def allowed_actions(template: Template, role: str) -> set[str]:
    """Return the actions and patterns that a role's policies allow, in lower case. Raises as `statements` does."""
    return {action.lower() for found in statements(template, role) for action in _listed(found["Action"])}


def allows(actions: Iterable[str], wanted: str) -> bool:
    """Whether one of these actions or patterns covers the wanted action."""
    return any(fnmatchcase(wanted.lower(), action) for action in actions)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _policy_name(arn: Any) -> str:
    # CDK joins the ARN from parts. A reference names a policy of the stack, which itself names the role.
    if isinstance(arn, dict) and "Fn::Join" in arn:
        arn = arn["Fn::Join"][1][-1]
    return arn.rpartition("/")[2] if isinstance(arn, str) else ""


@cache
def _managed() -> dict[str, Any]:
    return {name: policy["Document"] for name, policy in json.loads(aws_managed_policies_data).items()}
