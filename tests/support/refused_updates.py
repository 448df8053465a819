"""Functions that find the changes of a template that AWS would refuse as an update of a deployed stack.

The schemas of the resource types are in cfn-lint. A *create-only* property gets its value when the resource is created.
If it changes, CloudFormation creates a new resource and then deletes the old one. So both need different names.
"""

from typing import Any

from tests.support.schemas import schema
from tools.templates import Template

Properties = dict[str, Any]
TABLE = "AWS::DynamoDB::Table"
UNIQUE_NAMES = {
    "AWS::Batch::ComputeEnvironment": "ComputeEnvironmentName",
    "AWS::Batch::JobQueue": "JobQueueName",
    "AWS::EC2::LaunchTemplate": "LaunchTemplateName",
    "AWS::EC2::SecurityGroup": "GroupName",
    "AWS::ECS::Service": "ServiceName",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}
"""The types whose names are unique, although their schemas name another identifier, such as an ARN."""
# In each message, FILES stands for the code of the stack.
TYPE_REFUSAL = """\
{old} becomes {new}. AWS refuses this: "Update of resource type is not permitted".
To proceed, give the new resource another logical id in FILES, for example with another construct id."""
NAME_REFUSAL = """\
{changed} can only be set when the resource is created, and {name} stays the same. AWS refuses this: "CloudFormation \
cannot update a stack when a custom-named resource requires replacing".
To proceed, also change {name} in FILES. CloudFormation then creates a new resource, and deletes the old one and its \
data."""
INDEX_REFUSAL = """\
One update creates or deletes more than one index: {indexes}. AWS refuses this: "Cannot perform more than one GSI \
creation or deletion in a single update".
To proceed, keep one of these changes in FILES, run `make snapshots`, commit, and deploy. Then make the next one."""
CHANGED_INDEX_REFUSAL = """\
The keys or the attributes of the index {index} change. AWS refuses this: "Cannot update GSI's properties other than \
Provisioned Throughput and Contributor Insights Specification. You can create a new GSI with a different name".
To proceed, add an index with a new name in FILES, run `make snapshots`, commit, and deploy. Then remove the old one."""


def refused_updates(old: Template, new: Template, *, files: str) -> dict[str, str]:
    """Return the resources whose change AWS would refuse. `files` names the code of the stack, for the messages.

    The keys of the result are logical ids. The values explain the refusal and how to proceed.
    """
    refused = {}
    for logical_id in sorted(old["Resources"].keys() & new["Resources"].keys()):
        before, after = old["Resources"][logical_id], new["Resources"][logical_id]
        message = _type_refusal(before["Type"], after["Type"]) or _refusal(
            before["Type"], before.get("Properties", {}), after.get("Properties", {})
        )
        if message:
            refused[logical_id] = message.replace("FILES", files)
    return refused


def refusal_message(stack: str, refused: dict[str, str]) -> str:
    """Return the message about the refused updates of a stack. It contains the next steps."""
    meant = " ".join(f"{stack}/{name}" for name in refused)
    return "\n\n".join(
        [
            f"Nobody who has deployed {stack} could deploy this change:",
            *(f"{name}: {text}" for name, text in refused.items()),
            f'If nobody has deployed the stack, name the change:\n    make snapshots MEANT="{meant}"',
        ]
    )


def _type_refusal(old: str, new: str) -> str | None:
    return None if old == new else TYPE_REFUSAL.format(old=old, new=new)


def _refusal(kind: str, old: Properties, new: Properties) -> str | None:
    changed, names = _changed_create_only_properties(kind, old, new), _name_properties(kind)
    are_names_kept = all(_value(old, name) is not None and _value(old, name) == _value(new, name) for name in names)
    if changed and are_names_kept:
        return NAME_REFUSAL.format(changed=", ".join(changed), name=", ".join(names))
    is_replaced = changed or any(_value(old, name) != _value(new, name) for name in names)
    return None if is_replaced or kind != TABLE else _index_refusal(_indexes(old), _indexes(new))


def _schema(kind: str) -> Any:
    return schema(kind) or {}  # the function of a custom resource handles every change


def _name_properties(kind: str) -> list[str]:
    """Return the properties that identify a resource of this type."""
    return [UNIQUE_NAMES[kind]] if kind in UNIQUE_NAMES else _paths(_schema(kind), "primaryIdentifier")


def _changed_create_only_properties(kind: str, old: Properties, new: Properties) -> list[str]:
    """Return the changed create-only properties, except those that identify the resource."""
    create_only = {*_paths(_schema(kind), "createOnlyProperties")} - {*_name_properties(kind)}
    if kind == TABLE:  # the schema calls KeySchema conditional, because a resource can be an import
        create_only |= {"KeySchema", "LocalSecondaryIndexes"}
    changed = [path for path in sorted(create_only) if _value(old, path) != _value(new, path)]
    return [*changed, "AttributeDefinitions"] if _has_changed_attribute_type(old, new) else changed


def _paths(schema: Any, key: str) -> list[str]:
    return [path.removeprefix("/properties/") for path in schema.get(key, [])]


def _value(properties: Any, path: str) -> Any:
    """Return the value at a path such as `EksConfiguration/EksClusterArn`. Return None for a path through a list."""
    name, _, rest = path.partition("/")
    value = properties.get(name) if isinstance(properties, dict) else None
    return _value(value, rest) if rest else value


def _has_changed_attribute_type(old: Properties, new: Properties) -> bool:
    old_types, new_types = (
        {attribute["AttributeName"]: attribute["AttributeType"] for attribute in table.get("AttributeDefinitions", [])}
        for table in (old, new)
    )
    return any(old_types[name] != new_types[name] for name in old_types.keys() & new_types.keys())


def _index_refusal(old: dict[str, Any], new: dict[str, Any]) -> str | None:
    """Return a message if the indexes of a table change in a way that AWS refuses.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
    """
    changed_names = sorted(old.keys() ^ new.keys())
    if len(changed_names) > 1:
        return INDEX_REFUSAL.format(indexes=", ".join(changed_names))
    changed = [name for name in sorted(old.keys() & new.keys()) if old[name] != new[name]]
    return CHANGED_INDEX_REFUSAL.format(index=changed[0]) if changed else None


def _indexes(table: Properties) -> dict[str, Any]:
    """Return the keys and the attributes of each global secondary index."""
    return {
        index["IndexName"]: (
            index["KeySchema"],
            index["Projection"].get("ProjectionType"),
            sorted(index["Projection"].get("NonKeyAttributes", [])),
        )
        for index in table.get("GlobalSecondaryIndexes", [])
    }
