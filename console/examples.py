"""The deployed examples, read from CloudFormation."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from console.account import Account, AccountError

PROJECT_TAG = ("project", "aws-compute-examples")
"""app.py tags every stack of this project with this key and value."""
ORDER = (
    *("thumbnail", "cron", "api", "ecr", "ecs_ec2", "fargate", "lightsail", "batch", "websocket", "function_image"),
)
"""The order of the table in the README. Further examples follow in the order of their names."""

Template = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Example:
    """One deployed stack."""

    stem: str
    """The short name of the example, such as ecs_ec2."""
    stack: str
    """The name of the stack."""
    status: str
    """The status of the stack, such as CREATE_COMPLETE."""
    changed_at: str
    """The time of the last deployment."""
    description: str
    outputs: Mapping[str, str]
    template: Template

    @property
    def is_complete(self) -> bool:
        """Whether the last deployment of the stack has ended without an error."""
        return self.status.endswith("_COMPLETE") and "ROLLBACK" not in self.status

    def require_outputs(self) -> None:
        """Raise AccountError if the stack lacks outputs of its template, because its deployment has not succeeded."""
        if missing := set(self.template.get("Outputs", ())) - set(self.outputs):
            raise AccountError(
                f"The stack {self.stack} is not ready. Its state is {self.status}, and it has no output {min(missing)}."
            )

    def resources(self, *kinds: str) -> dict[str, dict[str, Any]]:
        """Return the template's resources of these CloudFormation types, by logical id."""
        return {name: found for name, found in self.template["Resources"].items() if found["Type"] in kinds}


def deployed_examples(account: Account) -> dict[str, Example]:
    """Return the examples whose stacks are deployed, by stem. Raises the errors of boto3, and AccountError."""
    cloudformation = account.client("cloudformation")
    found = {example.stem: example for example in _read_examples(account, cloudformation)}
    return {stem: found[stem] for stem in sorted(found, key=_position)}


def _position(stem: str) -> tuple[int, str]:
    return (ORDER.index(stem) if stem in ORDER else len(ORDER), stem)


def _read_examples(account: Account, cloudformation: Any) -> Iterator[Example]:
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
            name = stack["StackName"]
            expected_name = f"{account.prefix}-{tags.get('example', '').replace('_', '-')}"
            is_shown = account.prefix is None or name == expected_name  # compute-test-api has another prefix
            is_shown = is_shown and stack["StackStatus"] != "REVIEW_IN_PROGRESS"  # such a stack has no template yet
            if tags.get(PROJECT_TAG[0]) == PROJECT_TAG[1] and "example" in tags and is_shown:
                changed_at = str(stack.get("LastUpdatedTime") or stack["CreationTime"])
                template = _template(cloudformation, stack["StackId"], f"{changed_at} {stack['StackStatus']}")
                yield Example(
                    stem=tags["example"],
                    stack=name,
                    status=stack["StackStatus"],
                    changed_at=changed_at,
                    description=template.get("Description", ""),
                    outputs={output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
                    template=template,
                )


@lru_cache(maxsize=64)
def _template(cloudformation: Any, stack_id: str, deployment: str) -> Template:
    # The template changes only with a deployment, so the time and the state of the deployment are in the cache's key.
    del deployment
    body = cloudformation.get_template(StackName=stack_id)["TemplateBody"]
    return {"Resources": {}, **(json.loads(body) if isinstance(body, str) else body)}
