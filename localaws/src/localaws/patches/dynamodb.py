"""The patches of DynamoDB: its tables in CloudFormation, and its streams."""

from typing import Any

from ministack.services import dynamodb
from ministack.services.cloudformation import provisioners, stacks

from localaws.patches.cloudformation import (
    Properties,
    call_after_provisioning,
    check_before_deletion,
    check_before_update,
    require_success,
)

MAX_STREAM_RECORDS = 10_000
"""The stream of a table keeps this number of records."""
_EXTRA_STREAM_RECORDS = 1_000
"""A stream may have this number of additional records. So the list is not copied for each record."""


def refuse_to_delete_protected_tables() -> None:
    """Make CloudFormation refuse to delete a table with deletion protection.

    Stock engine: CloudFormation deletes the table. Only the DynamoDB API refuses to delete it.
    AWS: the deletion fails, until somebody turns the protection off.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithTables.Basics.html
    Upstream issue: none known.
    """
    check_before_deletion("AWS::DynamoDB::Table", _reason_to_refuse)


def _reason_to_refuse(table: str) -> str | None:
    if dynamodb._tables.get(table, {}).get("DeletionProtectionEnabled"):
        return "Table is protected against deletion. To delete the table, disable deletion protection."
    return None


def store_table_settings() -> None:
    """Store the point-in-time recovery and the time to live of a table that CloudFormation creates or updates.

    Stock engine: ignores both properties. Only the DynamoDB API can set them.
    AWS: stores the properties, and applies each change of the template.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
    Upstream issue: none known.
    """
    call_after_provisioning("AWS::DynamoDB::Table", _store_settings)


def _store_settings(properties: Properties, table: str) -> None:
    recovery = properties.get("PointInTimeRecoverySpecification", {"PointInTimeRecoveryEnabled": False})
    require_success(
        dynamodb._update_continuous_backups({"TableName": table, "PointInTimeRecoverySpecification": recovery})
    )
    if "TimeToLiveSpecification" in properties:
        time_to_live = properties["TimeToLiveSpecification"]
        require_success(dynamodb._update_ttl({"TableName": table, "TimeToLiveSpecification": time_to_live}))
    else:
        dynamodb._ttl_settings.pop(table, None)


def keep_replaced_tables() -> None:
    """If a change replaces a table, create the new table first, and delete the old one at the end of the update.

    Stock engine: deletes the table first, and creates the new one with the same name. So a rollback cannot restore the
    items. A changed type of a key attribute changes nothing.
    AWS: creates a table with a new name. It deletes the old table when the update of the stack has succeeded, but not
    if UpdateReplacePolicy retains it.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html#update-replacement
    Upstream issue: none known.
    """
    stock_replacing_change = provisioners._replacing_change

    def is_replacing_change(resource_type: str, old: Properties, new: Properties) -> bool:
        is_table = resource_type == "AWS::DynamoDB::Table"
        return stock_replacing_change(resource_type, old, new) or (is_table and _is_replaced(old, new))

    provisioners._replacing_change = stacks._replacing_change = is_replacing_change


def _is_replaced(old: Properties, new: Properties) -> bool:
    return (
        old.get("KeySchema") != new.get("KeySchema")
        or old.get("LocalSecondaryIndexes") != new.get("LocalSecondaryIndexes")
        or provisioners._requires_replacement_dynamodb(old, new)
    )


def refuse_index_changes() -> None:
    """Make CloudFormation refuse changes of global secondary indexes that AWS refuses.

    Stock engine: CloudFormation creates and deletes any number of indexes in one update. It replaces a changed index.
    AWS: one update creates or deletes at most one index, and cannot change the keys or the attributes of an index.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html#cfn-dynamodb-table-globalsecondaryindexes
    Upstream issue: none known.
    """
    check_before_update("AWS::DynamoDB::Table", _reason_to_refuse_update)


def _reason_to_refuse_update(old: Properties, new: Properties) -> str | None:
    old_indexes, new_indexes = _indexes(old), _indexes(new)
    if len(old_indexes.keys() ^ new_indexes.keys()) > 1:
        return "Cannot perform more than one GSI creation or deletion in a single update"
    if any(old_indexes[name] != new_indexes[name] for name in old_indexes.keys() & new_indexes.keys()):
        return (
            "Cannot update GSI's properties other than Provisioned Throughput and Contributor Insights Specification. "
            "You can create a new GSI with a different name."
        )
    return None


def delete_old_stream_records() -> None:
    """Delete all records of a stream but the newest 10,000 to 11,000.

    Stock engine: deletes the records of a stream after 24 hours. So its memory grows.
    AWS: deletes the records after 24 hours, too. The number of records has no limit. So a function that is slower than
    the writers loses records in the local AWS, if 10,000 wait.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    Upstream issue: none.
    """
    stock_emit = dynamodb._emit_stream_event

    def emit_and_delete(table: str, *arguments: Any, **options: Any) -> None:
        stock_emit(table, *arguments, **options)
        records = dynamodb._stream_records.get(table) or []
        if len(records) > MAX_STREAM_RECORDS + _EXTRA_STREAM_RECORDS:
            deleted = len(records) - MAX_STREAM_RECORDS
            del records[:deleted]
            # Readers count the records from the beginning of the stream.
            dynamodb._stream_trimmed[table] = dynamodb._stream_trimmed.get(table, 0) + deleted

    dynamodb._emit_stream_event = emit_and_delete


def _indexes(properties: Properties) -> dict[str, Any]:
    """Return the keys and the projected attributes of each global secondary index."""
    return {
        index["IndexName"]: (
            index["KeySchema"],
            index["Projection"].get("ProjectionType"),
            sorted(index["Projection"].get("NonKeyAttributes", [])),
        )
        for index in properties.get("GlobalSecondaryIndexes", [])
    }
