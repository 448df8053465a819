"""The patch of DynamoDB: protection from deletion."""

from ministack.services import dynamodb

from localaws.patches.cloudformation import check_before_deletion


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
