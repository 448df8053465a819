"""Patches of CloudFormation: types that it only records. The other patches add their types with the functions here."""

import json
from collections.abc import Callable, Collection
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]
Callback = Callable[[Any, str], None]
"""A function of a resource's properties and physical id."""

RECORDS: dict[tuple[str, str], Properties] = {}
"""The properties of each recorded resource, by type and physical id."""
_SAMPLE_ATTRIBUTES = {
    # Addresses for documentation: nothing answers there.
    "IpAddress": "192.0.2.1",
    "PublicIp": "192.0.2.1",
    "PublicIpAddress": "192.0.2.2",
    "PrivateIpAddress": "172.26.0.2",
    "IsStaticIp": "true",
}


def add_recorded_types() -> None:
    """Record the types of Lightsail and Budgets. Nothing of them runs.

    Stock engine: rejects a template with these types ("Unrecognized resource types").
    AWS: creates servers, databases, disks, alarms and budgets.
    Upstream issue: none known.
    """
    server = ("InstanceArn", "PublicIpAddress", "PrivateIpAddress", "IsStaticIp", "UserName", "SshKeyName")
    for kind, name, attributes in (
        ("Instance", "InstanceName", server),
        ("StaticIp", "StaticIpName", ("IpAddress", "IsAttached", "StaticIpArn")),
        ("Alarm", "AlarmName", ("AlarmArn", "State")),
        ("Bucket", "BucketName", ("BucketArn", "State")),
        ("Disk", "DiskName", ("DiskArn", "State")),
        ("Database", "RelationalDatabaseName", ("DatabaseArn",)),
    ):
        record_type(f"AWS::Lightsail::{kind}", name=name, service="lightsail", attributes=attributes)
    record_type("AWS::Budgets::Budget", prefix="budget-")


# -- for the other patches


def record_type(
    resource_type: str,
    *,
    prefix: str = "",
    name: str = "",
    service: str = "",
    attributes: Collection[str] = (),
) -> None:
    """Add a type whose resources are only recorded: properties are kept and references are answered.

    A resource has the name in its property `name`, or else an invented id that begins with `prefix`. Fn::GetAtt can
    ask for `attributes`: a property, a sample address, an ARN of the `service`, or else the physical id.
    """

    def attribute_value(attribute: str, physical_id: str, properties: Properties) -> Any:
        if attribute in properties:
            return properties[attribute]
        if attribute.endswith("Arn"):
            kind = resource_type.rsplit("::", 1)[-1]
            return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{kind}/{physical_id}"
        return _SAMPLE_ATTRIBUTES.get(attribute, physical_id)

    def record(physical_id: str, properties: Properties) -> tuple[str, Properties]:
        RECORDS[resource_type, physical_id] = properties
        values = {attribute: attribute_value(attribute, physical_id, properties) for attribute in attributes}
        return physical_id, values

    def create(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
        invented = f"{prefix}{new_uuid().replace('-', '')[:17]}"
        return record(resource_name(properties, name, logical_id, stack) if name else invented, properties)

    def update(physical_id: str, _old: Properties, new: Properties, _stack: str) -> tuple[str, Properties]:
        return record(physical_id, new)

    def delete(physical_id: str, _properties: Properties) -> None:
        RECORDS.pop((resource_type, physical_id), None)

    add_type(resource_type, create, delete, update)


def add_type(
    resource_type: str,
    create: Callable[[str, Properties, str], tuple[str, Properties]],
    delete: Callable[[str, Properties], None],
    update: Callable[[str, Properties, Properties, str], tuple[str, Properties]] | None = None,
) -> None:
    """Add a resource type. Without `update`, a change replaces the resource.

    `create` and `update` return the physical id and the attributes for Fn::GetAtt.
    """

    def replace(physical_id: str, old: Properties, new: Properties, stack: str) -> tuple[str, Properties]:
        created = create(physical_id, new, stack)
        if created[0] != physical_id:
            delete(physical_id, old)
        return created

    provisioners._RESOURCE_HANDLERS[resource_type] = {"create": create, "update": update or replace, "delete": delete}


def call_after_provisioning(resource_type: str, callback: Callback) -> None:
    """Call the callback after each creation and update of a type that the engine has."""
    handlers = provisioners._RESOURCE_HANDLERS[resource_type]
    for operation in ("create", "update"):
        if operation in handlers:
            handlers[operation] = _with_callback(handlers[operation], callback)


def _with_callback(provision: Callable[..., Any], callback: Callback) -> Callable[..., Any]:
    # The arguments are (logical id, properties, stack) or (physical id, old properties, properties, stack).
    def provision_and_call(*arguments: Any) -> Any:
        provisioned = provision(*arguments)
        callback(arguments[-2], provisioned[0])
        return provisioned

    return provision_and_call


def resource_name(properties: Properties, key: str, logical_id: str, stack: str) -> str:
    """Return the name that the template gives, or else an invented one, as CloudFormation does."""
    return str(properties.get(key) or provisioners._physical_name(stack, logical_id, max_len=100))


def api_names(value: Any) -> Any:
    """Return a template's properties under the names of the service's API, which begin with a small letter."""
    return provisioners._pascal_to_camel(value)


def require_success(answer: tuple[int, Any, bytes | str]) -> dict[str, Any]:
    """Return a service's parsed answer. Raises ValueError, which fails the resource, for an error."""
    status, _headers, body = answer
    if status >= 400:  # noqa: PLR2004 - HTTP
        raise ValueError(body if isinstance(body, str) else body.decode())
    return dict(json.loads(body or "{}"))
