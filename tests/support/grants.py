"""The grants in a template's IAM policies, in short form."""

from typing import Any

from tests.support.apps import properties_of
from tools.templates import Template

CDK_HASH_LENGTH = 8


def grants_of(template: Template, policy_prefix: str) -> set[tuple[str, str]]:
    """Return each action of a policy with its resource, such as `("s3:GetObject", "Uploads/*")`."""
    found = set()
    for statement in properties_of(template, "AWS::IAM::Policy", policy_prefix)["PolicyDocument"]["Statement"]:
        actions, resources = statement["Action"], statement["Resource"]
        for action in [actions] if isinstance(actions, str) else actions:
            for resource in resources if isinstance(resources, list) else [resources]:
                found.add((action, _short(resource)))
    return found


def _short(resource: Any) -> str:
    match resource:
        case {"Fn::Join": [_, parts]}:
            return "".join(_short(part) for part in parts)
        case {"Fn::GetAtt": [name, _]}:
            return str(name)[:-CDK_HASH_LENGTH]
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::Sub": text}:
            return str(text)
    return str(resource)
