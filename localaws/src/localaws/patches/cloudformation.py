"""The patches of CloudFormation, and functions with which the other patches add resource types.

A resource of an *only stored* type has properties and attributes in CloudFormation, but nothing runs for it.
"""

import json
from collections.abc import Callable, Collection
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import cloudformation
from ministack.services.cloudformation import engine, provisioners, stacks

Properties = dict[str, Any]
Callback = Callable[[Any, str], None]
"""A function that receives the properties and the physical id of a resource."""

_NAME_PROPERTIES = {kind: entry["name"] for kind, entry in provisioners._CUSTOM_NAME_REPLACEMENT.items()}
"""The keys are resource types. The values are the properties with the physical names. add_stored_type() adds more."""
STORED_PROPERTIES: dict[tuple[str, str], Properties] = {}
"""The properties of each resource that is only stored. A key contains the resource type and the physical id."""
_SAMPLE_ATTRIBUTES = {
    # Most of these addresses are reserved for documentation. No server answers at any of them.
    "IpAddress": "192.0.2.1",
    "PublicIp": "192.0.2.1",
    "PublicIpAddress": "192.0.2.2",
    "PrivateIpAddress": "172.26.0.2",
    "IsStaticIp": "true",
}


def add_stored_types() -> None:
    """Add the resource types of Lightsail and Budgets to CloudFormation. The resources are only stored: nothing runs.

    Stock engine: rejects a template that contains these types ("Unrecognized resource types").
    AWS: creates servers, IP addresses, alarms, buckets, disks, databases and budgets.
    Upstream issue: none known.
    """
    instance_attributes = ("InstanceArn", "PublicIpAddress", "PrivateIpAddress", "IsStaticIp", "UserName", "SshKeyName")
    database_properties = ("AvailabilityZone", "RelationalDatabaseBlueprintId", "RelationalDatabaseBundleId")
    for kind, name_property, create_only, attributes in (
        ("Instance", "InstanceName", ("BlueprintId", "BundleId", "AvailabilityZone"), instance_attributes),
        ("StaticIp", "StaticIpName", (), ("IpAddress", "IsAttached", "StaticIpArn")),
        ("Alarm", "AlarmName", ("MonitoredResourceName", "MetricName"), ("AlarmArn", "State")),
        ("Bucket", "BucketName", (), ("BucketArn", "State")),
        ("Disk", "DiskName", ("AvailabilityZone", "SizeInGb"), ("DiskArn", "State")),
        ("Database", "RelationalDatabaseName", database_properties, ("DatabaseArn",)),
    ):
        add_stored_type(
            f"AWS::Lightsail::{kind}",
            name_property=name_property,
            create_only=create_only,
            attributes=attributes,
        )
    add_stored_type("AWS::Budgets::Budget", prefix="budget-")


def refuse_missing_references() -> None:
    """Refuse a template that refers to a missing resource.

    Stock engine: replaces such a reference with the text of its name, and creates the stack.
    AWS: refuses the template before it creates anything ("Unresolved resource dependencies").
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html
    Upstream issue: none known.
    """
    stock_validate = engine._validate_template_statics

    def validate(template: Any) -> None:
        stock_validate(template)
        if not template.get("Transform"):  # a transform may add the resources later
            for section in ("Resources", "Outputs"):
                _require_references(template, section)

    engine._validate_template_statics = validate


def _require_references(template: Any, section: str) -> None:
    names = {*(template.get("Resources") or {}), *(template.get("Parameters") or {})}
    references = [
        *((name, attribute) for name, attribute in engine._intrinsic_references(template.get(section) or {})),
        *((name, None) for name in _depends_on(template.get(section) or {})),
    ]
    missing = [(name, attribute) for name, attribute in references if name not in names and "::" not in name]
    for name, attribute in missing:
        if attribute is not None:
            raise ValueError(f"Template error: instance of Fn::GetAtt references undefined resource {name}")
    if missing:
        unresolved = ", ".join(sorted({name for name, _ in missing}))
        raise ValueError(
            f"Template format error: Unresolved resource dependencies [{unresolved}] in the {section} block of the "
            "template"
        )


def _depends_on(definitions: Any) -> list[str]:
    names: list[str] = []
    for definition in definitions.values():
        dependencies = definition.get("DependsOn", [])
        names += [dependencies] if isinstance(dependencies, str) else dependencies
    return names


def refuse_names_in_use() -> None:
    """Refuse to create a resource whose physical name belongs to another resource of a stack.

    Stock engine: overwrites the other resource with the new one. If only the logical id in the template has changed,
    the engine then deletes the resource with this name, because its old logical id is missing. So the new resource is
    gone, and the stack has the status UPDATE_COMPLETE.
    AWS: refuses the change before it creates anything (AWS::EarlyValidation::ResourceExistenceCheck). With this patch,
    the creation of the new resource fails ("already exists in stack"), as on AWS before November 2025.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html
    https://github.com/serverless/serverless/issues/1677 shows the message of the failure.
    Upstream issue: none known.
    """
    stock_provision = stacks._provision_resource

    def provision(kind: str, logical_id: str, properties: Any, stack_name: str) -> Any:
        key = _NAME_PROPERTIES.get(kind)
        if key and key in properties:
            owner = _owner_stack_id(kind, key, properties[key])
            if owner:
                raise ValueError(f"{properties[key]} already exists in stack {owner}")
        return stock_provision(kind, logical_id, properties, stack_name)

    stacks._provision_resource = provision


def _owner_stack_id(kind: str, key: str, name: Any) -> str | None:
    """Return the id of the stack with a resource of this type whose property `key` has this value."""
    for stack in cloudformation._stacks.values():
        for resource in stack["_resources"].values():
            if resource["ResourceType"] == kind and resource["Properties"].get(key) == name:
                return str(stack["StackId"])
    return None


def keep_undeleted_resources() -> None:
    """Keep a resource in its stack if the rollback of the stack's creation could not delete the resource.

    Stock engine: the resource still exists, but its stack no longer contains it. So the deletion of the stack succeeds,
    and the resource remains.
    AWS: the resource has the status DELETE_FAILED, and a deletion of the stack tries again to delete it.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html#troubleshooting-errors-delete-stack-fails
    Upstream issue: none known.
    """
    stock_roll_back = stacks._roll_back_operation

    async def roll_back(stack_name: str, stack_id: str, stack: Any, *arguments: Any, **options: Any) -> None:
        await stock_roll_back(stack_name, stack_id, stack, *arguments, **options)
        if stack["StackStatus"] == "ROLLBACK_FAILED":
            for logical_id, record in stack["_rollback_failed"].items():
                state = {"LogicalResourceId": logical_id, "ResourceStatus": "DELETE_FAILED", "Attributes": {}}
                stack["_resources"][logical_id] = {**record, **state, "Timestamp": stack["LastUpdatedTime"]}

    stacks._roll_back_operation = roll_back


# -- functions for the other patches


def add_stored_type(
    resource_type: str,
    *,
    prefix: str = "",
    name_property: str = "",
    create_only: Collection[str] = (),
    attributes: Collection[str] = (),
) -> None:
    """Add a resource type whose resources are only stored.

    The physical id is the value of the property `name_property`. If `name_property` is empty, the physical id is a
    random one that begins with `prefix`. A change of the name, or of a property in `create_only`, replaces the
    resource. Fn::GetAtt can read the `attributes`. The value of an attribute is the property with the same name, an
    ARN, a sample address, or the physical id.
    """

    def attribute_value(attribute: str, physical_id: str, properties: Properties) -> Any:
        if attribute in properties:
            return properties[attribute]
        if attribute.endswith("Arn"):
            _, service, kind = resource_type.split("::")
            return f"arn:aws:{service.lower()}:{get_region()}:{get_account_id()}:{kind}/{physical_id}"
        return _SAMPLE_ATTRIBUTES.get(attribute, physical_id)

    def store(physical_id: str, properties: Properties) -> tuple[str, Properties]:
        STORED_PROPERTIES[resource_type, physical_id] = properties
        values = {attribute: attribute_value(attribute, physical_id, properties) for attribute in attributes}
        return physical_id, values

    def create(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
        random_id = f"{prefix}{new_uuid().replace('-', '')[:17]}"
        name = resource_name(properties, name_property, logical_id, stack) if name_property else random_id
        return store(name, properties)

    def update(physical_id: str, _old: Properties, new: Properties, _stack: str) -> tuple[str, Properties]:
        return store(physical_id, new)

    def delete(physical_id: str, _properties: Properties) -> None:
        STORED_PROPERTIES.pop((resource_type, physical_id), None)

    if name_property:
        _NAME_PROPERTIES[resource_type] = name_property
        # With this entry, the engine refuses to replace a resource that keeps its name.
        provisioners._CUSTOM_NAME_REPLACEMENT[resource_type] = {"name": name_property}
        create_only = {name_property, *create_only}
    add_type(resource_type, create, delete, update, create_only=create_only)


def add_type(
    resource_type: str,
    create: Callable[[str, Properties, str], tuple[str, Properties]],
    delete: Callable[[str, Properties], None],
    update: Callable[[str, Properties, Properties, str], tuple[str, Properties]],
    *,
    create_only: Collection[str] = (),
) -> None:
    """Add a resource type to CloudFormation. A change of a property in `create_only` replaces the resource.

    `create` receives the logical id, the properties and the name of the stack. `update` receives the physical id, the
    old properties, the new properties and the name of the stack. Both return the physical id and the attributes for
    Fn::GetAtt. `delete` receives the physical id and the properties. As on AWS, the engine first creates the new
    resource, and deletes the old one when the update of the stack has succeeded.
    """
    provisioners._RESOURCE_HANDLERS[resource_type] = {"create": create, "update": update, "delete": delete}
    provisioners._REPLACING_PROPERTIES[resource_type] = tuple(create_only)


def call_after_provisioning(resource_type: str, callback: Callback) -> None:
    """Call `callback` each time CloudFormation has created or updated a resource of an existing type."""
    handlers = provisioners._RESOURCE_HANDLERS[resource_type]
    # create(logical id, properties, stack), but update(physical id, old properties, properties, stack, ...): some types
    # also get the logical id at the end.
    for operation, position in (("create", 1), ("update", 2)):
        if operation in handlers:
            handlers[operation] = _with_callback(handlers[operation], callback, position)


def check_before_deletion(resource_type: str, find_reason: Callable[[str], str | None]) -> None:
    """Make each deletion of a resource of this type fail if `find_reason` returns a reason.

    The type must already exist. `find_reason` receives the physical id of the resource.
    """
    handlers = provisioners._RESOURCE_HANDLERS[resource_type]
    stock_delete = handlers["delete"]

    def delete(physical_id: str, properties: Properties) -> None:
        reason = find_reason(physical_id)
        if reason:
            raise ValueError(reason)
        stock_delete(physical_id, properties)

    handlers["delete"] = delete


def check_before_update(resource_type: str, find_reason: Callable[[Properties, Properties], str | None]) -> None:
    """Make an update of a resource of this type fail if `find_reason` returns a reason.

    The type must already exist. `find_reason` receives the old and the new properties. It must allow the opposite of
    each change that it allows, because a rollback is an update to the old properties.
    """
    handlers = provisioners._RESOURCE_HANDLERS[resource_type]
    stock_update = handlers["update"]

    def update(physical_id: str, old: Properties, new: Properties, *arguments: Any) -> tuple[str, Properties]:
        reason = find_reason(old, new)
        if reason:
            raise ValueError(reason)
        return stock_update(physical_id, old, new, *arguments)  # type: ignore[no-any-return]

    handlers["update"] = update


def _with_callback(provision: Callable[..., Any], callback: Callback, position: int) -> Callable[..., Any]:
    # `position` is the index of the new properties in the arguments of `provision`.
    def provision_and_call(*arguments: Any) -> Any:
        provisioned = provision(*arguments)
        callback(arguments[position], provisioned[0])
        return provisioned

    return provision_and_call


def resource_name(properties: Properties, key: str, logical_id: str, stack: str) -> str:
    """Return the name in the property `key`. Without this property, return a generated name, as CloudFormation does."""
    return str(properties.get(key) or provisioners._physical_name(stack, logical_id, max_len=100))


def api_names(value: Any) -> Any:
    """Return properties of a template under their names in the API, for example `jobName` instead of `JobName`."""
    return provisioners._pascal_to_camel(value)


def require_success(answer: tuple[int, Any, bytes | str]) -> dict[str, Any]:
    """Return the parsed answer of an API call. Raises ValueError for an error, so the resource cannot be created."""
    status, _headers, body = answer
    if status >= 400:  # noqa: PLR2004 - HTTP
        raise ValueError(body if isinstance(body, str) else body.decode())
    return dict(json.loads(body or "{}"))
