"""Types that CloudFormation only records: their properties are kept, references to them answered, and nothing runs."""

from collections.abc import Callable, Collection
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid

from localaws.patches.cloudformation import Properties, add_type, name_of

RECORDS: dict[tuple[str, str], Properties] = {}
"""What is recorded, by type and physical id."""


def add_recorded(
    resource_type: str,
    *,
    prefix: str = "",
    name: str = "",
    service: str = "",
    attributes: Collection[str] = (),
) -> None:
    """Record a type under a made-up id (`prefix`), or under the name that property `name` gives it.

    `attributes` are what Fn::GetAtt may ask for: an ARN, which wants the `service`, an address, or the id itself.
    """

    def create(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
        physical_id = (
            name_of(properties, name, logical_id, stack) if name else f"{prefix}{new_uuid().replace('-', '')[:17]}"
        )
        RECORDS[resource_type, physical_id] = properties
        return physical_id, {attribute: answer(attribute, physical_id, properties) for attribute in attributes}

    def answer(attribute: str, physical_id: str, properties: Properties) -> Any:
        if attribute in properties:
            return properties[attribute]
        made: dict[str, Callable[[], Any]] = {
            "IpAddress": lambda: "192.0.2.1",  # for documentation: it leads nowhere
            "PublicIp": lambda: "192.0.2.1",
            "PublicIpAddress": lambda: "192.0.2.2",
            "PrivateIpAddress": lambda: "172.26.0.2",
            "IsStaticIp": lambda: "true",
        }
        if attribute in made:
            return made[attribute]()
        if attribute.endswith("Arn"):
            kind = resource_type.rsplit("::", 1)[-1]
            return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{kind}/{physical_id}"
        return physical_id

    def update(physical_id: str, _old: Properties, new: Properties, _stack: str) -> tuple[str, Properties]:
        RECORDS[resource_type, physical_id] = new
        return physical_id, {attribute: answer(attribute, physical_id, new) for attribute in attributes}

    def delete(physical_id: str, _properties: Properties) -> None:
        RECORDS.pop((resource_type, physical_id), None)

    add_type(resource_type, create, delete, update)
