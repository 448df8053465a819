"""The schemas of CloudFormation's resource types. They tell what a change of a property does. cfn-lint has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What the console needs of a schema."""

    create_only: Sequence[str]
    """The properties that CloudFormation sets only when it creates a resource. Another value needs a new one."""
    identifiers: Sequence[str]
    """The properties that identify a resource, such as its name."""


@cache
def schema(kind: str) -> Schema:
    """Return the schema of a resource type. The first call takes about a second, because it loads cfn-lint."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # noqa: PLC0415 - pages without schemas do not wait for it

    found = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    return Schema(create_only=_names(found, "createOnlyProperties"), identifiers=_names(found, "primaryIdentifier"))


def _names(found: Any, key: str) -> list[str]:
    return [path.removeprefix("/properties/") for path in found.get(key, [])]
