"""Writes the results of checks into the table."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cron.check import Result

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DAY_SECONDS = 86400


class Store:
    """The table for the results of one deployment."""

    def __init__(self, dynamodb: "DynamoDBClient", *, table: str, keep_days: int) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._keep_seconds = keep_days * DAY_SECONDS

    def put(self, scheduled_at: str, result: Result) -> bool:
        """Store the result of one URL, unless the table already has a result of this run and URL.

        A run may be delivered twice. Returns True if this call stored the result, and False if the table has the
        result of an earlier call. Raises botocore's errors if AWS fails.
        """
        item = _to_attributes(
            {
                "url": result.url,
                "scheduled_at": scheduled_at,
                "checked_at": datetime.fromtimestamp(result.checked_at, UTC).isoformat(timespec="microseconds"),
                "expires_at": int(result.checked_at) + self._keep_seconds,
                "up": result.up,
                "status": result.status,
                "milliseconds": result.milliseconds,
                "error": result.error,
                "certificate_days_left": result.certificate_days_left,
            }
        )
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(scheduled_at)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            # If AWS stores the item but the answer is lost, the SDK sends the item again, and the table already has it.
            response: Any = error.response
            return bool(response["Item"] == item)
        return True


def _to_attributes(item: dict[str, Any]) -> dict[str, Any]:
    # boto3's TypeSerializer would do the same, but it adds 10 ms to every cold start. Values: text, integers, booleans.
    return {name: _to_attribute(value) for name, value in item.items() if value is not None}


def _to_attribute(value: str | int) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}
