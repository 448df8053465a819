"""What the mends of CloudFormation share: its table of resource types, and the answers of the engine's services."""

import json
from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]


def then(keep: Callable[[Any, str], None], provision: Callable[..., Any]) -> Callable[..., Any]:
    """A create or update that goes on with `keep`, which takes the properties and the physical id.

    create(logical_id, properties, stack) and update(id, old properties, properties, stack) both end alike.
    """

    def provision_and_keep(*arguments: Any) -> Any:
        provisioned = provision(*arguments)
        keep(arguments[-2], provisioned[0])
        return provisioned

    return provision_and_keep


def after(resource_type: str, keep: Callable[[Any, str], None]) -> None:
    """Let both operations of a type that the engine knows go on with `keep`."""
    handlers = provisioners._RESOURCE_HANDLERS[resource_type]
    for operation in ("create", "update"):
        if operation in handlers:
            handlers[operation] = then(keep, handlers[operation])


def add_type(
    resource_type: str,
    create: Callable[[str, Properties, str], tuple[str, Properties]],
    delete: Callable[[str, Properties], None],
    update: Callable[[str, Properties, Properties, str], tuple[str, Properties]] | None = None,
) -> None:
    """Teach CloudFormation a type. Without `update`, a change replaces the resource."""

    def replace(physical_id: str, old: Properties, new: Properties, stack: str) -> tuple[str, Properties]:
        made = create(physical_id, new, stack)
        if made[0] != physical_id:
            delete(physical_id, old)
        return made

    provisioners._RESOURCE_HANDLERS[resource_type] = {"create": create, "update": update or replace, "delete": delete}


def name_of(properties: Properties, key: str, logical_id: str, stack: str) -> str:
    """The name that the template gives, or one as CloudFormation makes it."""
    return str(properties.get(key) or provisioners._physical_name(stack, logical_id, max_len=100))


def camel(value: Any) -> Any:
    """A template's properties, named as the service's API names them."""
    return provisioners._pascal_to_camel(value)


def succeeded(answer: tuple[int, Any, bytes | str]) -> dict[str, Any]:
    """What a service answered. Raises ValueError, which fails the resource, when it refused."""
    status, _headers, body = answer
    if status >= 400:  # noqa: PLR2004 - HTTP
        raise ValueError(body if isinstance(body, str) else body.decode())
    return dict(json.loads(body or "{}"))
