"""The table of notes: every call to DynamoDB. Conditional writes keep two writers from overwriting each other's work.

All methods raise botocore's errors if AWS fails.
"""

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from api import items
from api.idempotency import earlier_note, put_record
from api.notes import Content, Note, current_time, timestamp
from api.pages import Cursor, Page
from api.preconditions import Versions
from api.problems import Problem, note_not_found, version_changed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = Logger(child=True)

NEWEST_FIRST = "newest"
"""The index: partition key `collection`, sort key `created`. It has no bodies, because a page of them could be larger
than a response may be."""
PATCH_TRIES = 5
"""The most attempts of a patch of any version. A new attempt begins when another change was faster."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Creation:
    """The result of a create with an Idempotency-Key."""

    note: Note
    replayed: bool
    """Whether an earlier request with the same key created the note."""


class Store:
    """The table of one deployment."""

    def __init__(self, dynamodb: "DynamoDBClient", *, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def create(self, content: Content) -> Note:
        """Store a new note and return it."""
        note = Note.new(str(uuid.uuid4()), content, current_time())
        try:
            self._dynamodb.put_item(**items.put_note(self._table, note))
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            # Nobody else has this id, so botocore repeated a call whose answer was lost.
            logger.info("an earlier attempt stored the note; its answer was lost")
        return note

    def create_once(self, content: Content, *, client: str, key: str) -> Creation:
        """Store a new note, or return the note that the client created with this key within KEY_LIFETIME.

        One transaction writes the note and the key. Raises Problem 409 if the key was used for another content, or if a
        request with the same key is still running.
        """
        now = current_time()
        note = Note.new(str(uuid.uuid4()), content, now)
        record: Any = put_record(self._table, note, client, key, now)
        try:
            self._dynamodb.transact_write_items(
                TransactItems=[{"Put": items.put_note(self._table, note)}, {"Put": record}]
            )
        except self._dynamodb.exceptions.TransactionCanceledException as error:
            return Creation(note=earlier_note(error, content), replayed=True)
        return Creation(note=note, replayed=False)

    def read(self, note_id: str) -> Note:
        """Return the current version of the note. Raises Problem 404."""
        response = self._dynamodb.get_item(TableName=self._table, Key=items.note_key(note_id), ConsistentRead=True)
        if "Item" not in response:
            raise note_not_found()
        return items.note_from(response["Item"])

    def replace(self, note_id: str, content: Content, versions: Versions) -> Note:
        """Write the content if the note has one of the versions. Raises Problem 404 or 412."""
        condition, values = items.version_condition(versions)
        new = items.changeable_attributes(content, timestamp(current_time()))
        try:
            response = self._dynamodb.update_item(
                TableName=self._table,
                Key=items.note_key(note_id),
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
            # Equal to the microsecond: botocore repeated a call whose answer was lost, and the first call succeeded.
            if new.items() <= item.items():
                return items.note_from(item)
            raise _precondition_failed(item) from None
        return items.note_from(response["Attributes"])

    def patch(self, note_id: str, patch: Any, versions: Versions) -> Note:
        """Apply a merge patch if the note has one of the versions. Raises Problem 404, 409, 412 or 413."""
        for _ in range(PATCH_TRIES):
            note = self.read(note_id)
            if versions is not None and note.version not in versions:
                raise version_changed(note.etag)
            try:
                return self.replace(note_id, note.content.patched(patch), frozenset({note.version}))
            except Problem as problem:
                if versions is not None or problem.status != 412:  # noqa: PLR2004 - Precondition Failed
                    raise
        raise Problem(409, "Others change this note all the time; try again.", headers={"Retry-After": "1"})

    def delete(self, note_id: str, versions: Versions) -> None:
        """Delete the note if it has one of the versions. Raises Problem 404 or 412."""
        condition, values = items.version_condition(versions)
        try:
            self._dynamodb.delete_item(
                TableName=self._table,
                Key=items.note_key(note_id),
                ConditionExpression=condition,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ExpressionAttributeValues=values,
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item", {})
            if not item and error.response["ResponseMetadata"].get("RetryAttempts"):
                return  # botocore repeated the call: the first attempt may have deleted the note, and it is gone
            raise _precondition_failed(item) from None

    def page(self, limit: int, after: Cursor | None) -> Page:
        """Return the newest notes, or those older than the cursor. A new note may take a moment to appear."""
        start: Any = {"ExclusiveStartKey": items.start_key(after)} if after else {}
        response = self._dynamodb.query(
            TableName=self._table,
            IndexName=NEWEST_FIRST,
            KeyConditionExpression="#collection = :notes",
            ExpressionAttributeNames={"#collection": "collection"},  # a reserved word
            ExpressionAttributeValues={":notes": items.COLLECTION},
            ScanIndexForward=False,
            Limit=limit,
            **start,
        )
        last = response.get("LastEvaluatedKey")
        summaries = [items.summary_from(item) for item in response["Items"]]
        return Page(summaries=summaries, next_cursor=items.cursor_from(last) if last else None)


def _precondition_failed(item: items.Item) -> Problem:
    return version_changed(items.note_from(item).etag) if item else note_not_found()
