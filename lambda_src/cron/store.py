"""The table of results."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cron.check import Result

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DAY_SECONDS = 86400


class Store:
    """The table of one deployment."""

    def __init__(self, dynamodb: "DynamoDBClient", *, table: str, keep_days: int) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._keep_seconds = keep_days * DAY_SECONDS

    def put(self, scheduled_at: str, result: Result) -> bool:
        """Store the result of a run, unless there is one: a run that is delivered twice has one result.

        Says whether this one is stored. Raises botocore's errors for what AWS failed at.
        """
        item = _attributes(
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
            # The SDK tries again when an answer is lost on its way: then it is this very one that is in the way.
            there: Any = error.response
            return bool(there["Item"] == item)
        return True


def _attributes(item: dict[str, Any]) -> dict[str, Any]:
    # By hand: boto3's TypeSerializer costs 10 ms of every cold start for what is text, numbers and a truth here.
    return {name: _attribute(value) for name, value in item.items() if value is not None}


def _attribute(value: str | int) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}
