"""The table: every call to DynamoDB, and the conditions that keep two writers from undoing each other's work.

An item is a note, or remembers an Idempotency-Key. Notes alone have the attribute `collection`, so that the index by
creation holds no other items. All methods raise botocore's errors for what AWS failed at.
"""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from api import jsontext
from api.notes import Content, Note, timestamp
from api.problems import Problem
from api.reading import Cursor

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = Logger(child=True)

NEWEST_FIRST = "newest"
"""The index: partition key `collection`, sort key `created`. It has no bodies: a page of them would fill a response."""
COLLECTION = {"S": "notes"}
KEY_LIFETIME = timedelta(hours=24)
"""How long a create may be repeated: longer than any client's retries."""

Item = Mapping[str, Any]
"""An item of the table, as DynamoDB spells it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Created:
    """What became of a create."""

    note: Note
    replayed: bool
    """Whether an earlier request with the same key had created it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some of the notes, newest first, as the schema `NoteSummary` of openapi.json."""

    summaries: list[dict[str, Any]]
    next: Cursor | None


class Store:
    """The table of one deployment."""

    def __init__(self, dynamodb: "DynamoDBClient", *, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def create(self, content: Content, now: datetime) -> Note:
        """Store a new note."""
        note = Note.new(str(uuid.uuid4()), content, now)
        try:
            self._dynamodb.put_item(**self._new(note))
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            logger.info("stored by an earlier try of botocore's whose answer was lost")  # nobody else has this id
        return note

    def create_once(self, content: Content, now: datetime, *, client: str, key: str) -> Created:
        """Store a new note unless the client has used the key within KEY_LIFETIME; then, the note of that time.

        Note and key are written together or not at all. Raises Problem 409 when the key was for another content, or
        when a request with the same key is under way.
        """
        note = Note.new(str(uuid.uuid4()), content, now)
        try:
            self._dynamodb.transact_write_items(
                TransactItems=[{"Put": self._new(note)}, {"Put": self._remembered(note, client, key, now)}]
            )
        except self._dynamodb.exceptions.TransactionCanceledException as error:
            return Created(note=_earlier(error, content), replayed=True)
        return Created(note=note, replayed=False)

    def _new(self, note: Note) -> Any:
        return {
            "TableName": self._table,
            "Item": {
                "id": {"S": note.id},
                "collection": COLLECTION,
                "created": {"S": f"{note.created_at}#{note.id}"},
                "created_at": {"S": note.created_at},
                **_changing(note.content, note.updated_at),
                "version": {"N": str(note.version)},
            },
            "ConditionExpression": "attribute_not_exists(id)",
        }

    def _remembered(self, note: Note, client: str, key: str, now: datetime) -> Any:
        name = hashlib.sha256(f"{client} {key}".encode()).hexdigest()
        return {
            "TableName": self._table,
            "Item": {
                "id": {"S": f"idempotency#{name}"},
                "note_id": {"S": note.id},
                "created_at": {"S": note.created_at},
                "fingerprint": {"S": note.content.fingerprint},
                "expires_at": {"N": str(int((now + KEY_LIFETIME).timestamp()))},
            },
            # DynamoDB deletes what has expired some time later, within a few days.
            "ConditionExpression": "attribute_not_exists(id) OR expires_at <= :now",
            "ExpressionAttributeValues": {":now": {"N": str(int(now.timestamp()))}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def read(self, note_id: str) -> Note:
        """The note as it is now. Raises Problem 404."""
        found = self._dynamodb.get_item(TableName=self._table, Key=_key(note_id), ConsistentRead=True)
        if "Item" not in found:
            raise _no_such_note()
        return _note(found["Item"])

    def replace(self, note_id: str, content: Content, now: datetime, versions: frozenset[int] | None) -> Note:
        """Give the note this content if it has one of the versions (None: any). Raises Problem 404 or 412."""
        condition, values = _condition(versions)
        new = _changing(content, timestamp(now))
        try:
            changed = self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(note_id),
                UpdateExpression="SET title = :title, body = :body, tags = :tags, updated_at = :updated_at, "
                "version = version + :one",
                ConditionExpression=condition,
                ExpressionAttributeValues={
                    **values,
                    **{f":{name}": value for name, value in new.items()},
                    ":one": {"N": "1"},
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item", {})
            if new.items() <= item.items():  # to the microsecond: botocore's own earlier try, whose answer was lost
                return _note(item)
            raise _unmet(item) from None
        return _note(changed["Attributes"])

    def delete(self, note_id: str, versions: frozenset[int] | None) -> None:
        """Delete the note if it has one of the versions (None: any). Raises Problem 404 or 412."""
        condition, values = _condition(versions)
        try:
            self._dynamodb.delete_item(
                TableName=self._table,
                Key=_key(note_id),
                ConditionExpression=condition,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ExpressionAttributeValues=values,
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item", {})
            if not item and error.response["ResponseMetadata"].get("RetryAttempts"):
                return  # an earlier try of botocore's may have deleted it, and in any case it is gone
            raise _unmet(item) from None

    def page(self, limit: int, after: Cursor | None) -> Page:
        """The newest notes, or those that are older than the cursor's. A note may take a moment to appear."""
        start: Any = {"ExclusiveStartKey": _start(after)} if after else {}
        found = self._dynamodb.query(
            TableName=self._table,
            IndexName=NEWEST_FIRST,
            KeyConditionExpression="#collection = :notes",
            ExpressionAttributeNames={"#collection": "collection"},  # a reserved word
            ExpressionAttributeValues={":notes": COLLECTION},
            ScanIndexForward=False,
            Limit=limit,
            **start,
        )
        summaries = [_summary(item) for item in found["Items"]]
        last = found.get("LastEvaluatedKey")
        return Page(summaries=summaries, next=_cursor(last) if last else None)


def changed_meanwhile(etag: str) -> Problem:
    """The answer to a change that was made from an older version."""
    return Problem(
        412,
        f"The note has changed: its ETag is {etag} now. Read it, and make your change anew.",
        headers={"ETag": etag},
    )


def _unmet(item: Item) -> Problem:
    return changed_meanwhile(_note(item).etag) if item else _no_such_note()


def _no_such_note() -> Problem:
    return Problem(404, "There is no such note.")


def _earlier(error: ClientError, content: Content) -> Note:
    # The reasons stand in the order of the transaction's items.
    reasons: list[Any] = error.response["CancellationReasons"]
    _, remembered = reasons
    if remembered["Code"] == "ConditionalCheckFailed":
        if remembered["Item"]["fingerprint"]["S"] != content.fingerprint:
            raise Problem(409, "This Idempotency-Key was used for another note; use a new one for each note.") from None
        created_at = remembered["Item"]["created_at"]["S"]
        # As it was answered then, to the byte, whatever has become of the note since.
        return Note(
            id=remembered["Item"]["note_id"]["S"],
            content=content,
            version=1,
            created_at=created_at,
            updated_at=created_at,
        )
    if any(reason["Code"] == "TransactionConflict" for reason in reasons):
        raise Problem(
            409, "A request with this Idempotency-Key is under way; repeat it.", headers={"Retry-After": "1"}
        ) from None
    raise error


def _condition(versions: frozenset[int] | None) -> tuple[str, dict[str, Any]]:
    # What does not exist has no version, and meets neither.
    if versions is None:
        return "version >= :first", {":first": {"N": "1"}}
    # No version is 0: a list of foreign tags alone matches nothing.
    values = {f":v{index}": {"N": str(version)} for index, version in enumerate(sorted(versions or {0}))}
    return f"version IN ({', '.join(values)})", values


def _changing(content: Content, updated_at: str) -> dict[str, Any]:
    return {
        "title": {"S": content.title},
        "body": {"S": content.body_text},
        "tags": {"L": [{"S": tag} for tag in content.tags]},
        "updated_at": {"S": updated_at},
    }


def _key(note_id: str) -> dict[str, Any]:
    return {"id": {"S": note_id}}


def _tags(item: Item) -> list[str]:
    return [tag["S"] for tag in item["tags"]["L"]]


def _note(item: Item) -> Note:
    return Note(
        id=item["id"]["S"],
        content=Content(title=item["title"]["S"], body=jsontext.parse(item["body"]["S"]), tags=tuple(_tags(item))),
        version=int(item["version"]["N"]),
        created_at=item["created_at"]["S"],
        updated_at=item["updated_at"]["S"],
    )


def _summary(item: Item) -> dict[str, Any]:
    return {
        "id": item["id"]["S"],
        "title": item["title"]["S"],
        "tags": _tags(item),
        "created_at": item["created_at"]["S"],
        "updated_at": item["updated_at"]["S"],
        "version": int(item["version"]["N"]),
    }


def _start(after: Cursor) -> dict[str, Any]:
    return {
        "id": {"S": after.note_id},
        "collection": COLLECTION,
        "created": {"S": f"{after.created_at}#{after.note_id}"},
    }


def _cursor(key: Item) -> Cursor:
    created_at, _, note_id = key["created"]["S"].partition("#")
    return Cursor(created_at, note_id)
