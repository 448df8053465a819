"""Data about resource types that AWS publishes: their schemas, and lists. They are in cfn-lint.

These functions import cfn-lint, because its import takes longer than most tests.
"""

from functools import cache
from typing import Any


@cache
def schema(kind: str) -> dict[str, Any] | None:
    """Return the schema of a resource type, or None if cfn-lint does not know the type."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError  # noqa: PLC0415

    try:
        found: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    except ResourceNotFoundError:
        return None
    return found


@cache
def published(name: str) -> Any:
    """Return the list with this file name, such as `StatefulResources.json`."""
    import cfnlint.data.AdditionalSpecs  # noqa: PLC0415
    from cfnlint.helpers import load_resource  # noqa: PLC0415

    return load_resource(cfnlint.data.AdditionalSpecs, name)
