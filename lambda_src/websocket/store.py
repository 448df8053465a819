"""The tables of the board: tickets, connections and messages. Every call to DynamoDB is in this module.

All methods raise botocore's errors if AWS fails.
"""

import hashlib
import random
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AWS_CONFIG = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})
"""Three tries take at most 12 seconds. API Gateway waits for 29 seconds."""
TICKET_SECONDS = 60
"""Seconds in which a ticket can be used. A client asks for a ticket immediately before it connects."""
CONNECTION_SECONDS = 3 * 3600
"""Seconds after which a connection expires. API Gateway closes it after two hours at most."""
MESSAGE_SECONDS = 7 * 24 * 3600
"""Seconds after which a message expires. DynamoDB deletes it within some days after that."""
PAGE = 50
"""Maximum number of messages in one answer."""
TRIES = 20
"""Maximum number of attempts to store a message, if other clients store messages in the same room meanwhile."""
LAST_KEY = "last"
"""The sort key of the item that contains the newest sequence number of a room."""


class BusyError(Exception):
    """Other clients stored messages during each attempt. The client sends its message again later."""


class Tickets:
    """The tickets that nobody has used yet. The table contains only their hashes, so its readers cannot connect."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def issue(self, *, user: str, room: str) -> str:
        """Store a new ticket for this user and room, and return it."""
        ticket = secrets.token_urlsafe(32)
        item = {"ticket": _hash(ticket), "user": {"S": user}, "room": {"S": room}, **_expires(TICKET_SECONDS)}
        self._dynamodb.put_item(TableName=self._table, Item=item)
        return ticket

    def use(self, ticket: str) -> dict[str, str] | None:
        """Delete the ticket, and return its user and room. Return None if it does not exist or is too old.

        DynamoDB deletes an item only once, so a ticket opens only one connection.
        """
        try:
            answer = self._dynamodb.delete_item(
                TableName=self._table,
                Key={"ticket": _hash(ticket)},
                # DynamoDB can delete an expired item days later, so the time is a condition, too.
                ConditionExpression="expires_at > :now",
                ExpressionAttributeValues={":now": {"N": str(int(time.time()))}},
                ReturnValues="ALL_OLD",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return None
        return {name: answer["Attributes"][name]["S"] for name in ("user", "room")}


class Connections:
    """The open connections of each room."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def put(self, room: str, connection: str, user: str) -> None:
        """Store a connection. From then on, its client gets each new message of the room."""
        item = {**_connection_key(room, connection), "user": {"S": user}, **_expires(CONNECTION_SECONDS)}
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def delete(self, room: str, connection: str) -> None:
        """Delete a connection, if it exists."""
        self._dynamodb.delete_item(TableName=self._table, Key=_connection_key(room, connection))

    def of_room(self, room: str) -> list[str]:
        """Return the ids of all connections in a room."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="room = :room",
            ExpressionAttributeValues={":room": {"S": room}},
            ConsistentRead=True,  # a client that has just got its answer must get the next message
        )
        return [item["connection_id"]["S"] for page in pages for item in page["Items"]]


class Messages:
    """The messages of each room. Their sequence numbers are 1, 2, 3 and so on, without a gap."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def append(self, room: str, *, message_id: str, user: str, text: str) -> int:
        """Store a message, and return its sequence number. Raises BusyError after TRIES attempts.

        If the user has already stored a message with this id, return the number of that message and store nothing.
        """
        # One transaction writes all three items. So a number exists only if all numbers before it have a message. With
        # two separate writes, a client could see number 8 before number 7 and never ask for 7.
        id_key = _key(room, f"id#{message_id}#{user}")
        for attempt in range(TRIES):
            last = self._number(_key(room, LAST_KEY))
            number = {"N": str(last + 1)}
            content = {"user": {"S": user}, "text": {"S": text}, "id": {"S": message_id}, "at": {"S": _timestamp()}}
            message = {**_message_key(room, last + 1), **content, "sequence": number, **_expires(MESSAGE_SECONDS)}
            new = {"TableName": self._table, "ConditionExpression": "attribute_not_exists(room)"}
            counter: Any = {
                "TableName": self._table,
                "Key": _key(room, LAST_KEY),
                "UpdateExpression": "SET #sequence = :next",
                "ConditionExpression": "attribute_not_exists(room) OR #sequence = :last",
                "ExpressionAttributeNames": {"#sequence": "sequence"},
                "ExpressionAttributeValues": {":next": number, ":last": {"N": str(last)}},
            }
            items: Any = [
                {"Update": counter},
                {"Put": {**new, "Item": message}},
                {"Put": {**new, "Item": {**id_key, "sequence": number, **_expires(MESSAGE_SECONDS)}}},
            ]
            try:
                self._dynamodb.transact_write_items(TransactItems=items)
            except self._dynamodb.exceptions.TransactionCanceledException:
                if earlier := self._number(id_key):
                    return earlier
                time.sleep(random.uniform(0, 0.02 * (attempt + 1)))  # noqa: S311 - not a secret
            else:
                return last + 1
        raise BusyError(room)

    def after(self, room: str, sequence: int | None) -> tuple[list[dict[str, Any]], bool]:
        """Return up to PAGE messages after a sequence number, and whether there are more.

        With None, return the newest PAGE messages.
        """
        answer = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="room = :room AND #key BETWEEN :first AND :last",
            ExpressionAttributeNames={"#key": "key"},
            ExpressionAttributeValues={
                ":room": {"S": room},
                ":first": _message_key(room, (sequence or 0) + 1)["key"],
                ":last": _message_key(room, 10**16 - 1)["key"],
            },
            ScanIndexForward=sequence is not None,
            Limit=PAGE,
            ConsistentRead=True,
        )
        messages = [message_from(item) for item in answer["Items"]]
        if sequence is None:
            return messages[::-1], False
        return messages, "LastEvaluatedKey" in answer

    def _number(self, key: Any) -> int:
        item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {})
        return int(item["sequence"]["N"]) if item else 0


def message_from(item: Any) -> dict[str, Any]:
    """Return the message in an item, as the clients get it."""
    texts = {name: item[name]["S"] for name in ("id", "user", "text", "at")}
    return {"sequence": int(item["sequence"]["N"]), **texts}


def _hash(ticket: str) -> Any:
    return {"S": hashlib.sha256(ticket.encode()).hexdigest()}


def _key(room: str, key: str) -> Any:
    return {"room": {"S": room}, "key": {"S": key}}


def _message_key(room: str, sequence: int) -> Any:
    return _key(room, f"message#{sequence:016}")  # as text, 0010 comes after 0009


def _connection_key(room: str, connection: str) -> Any:
    return {"room": {"S": room}, "connection_id": {"S": connection}}


def _expires(seconds: int) -> Any:
    return {"expires_at": {"N": str(int(time.time()) + seconds)}}


def _timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
