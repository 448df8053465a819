"""The table of notes: every call to DynamoDB is in this module.

The writes have conditions, so that a client never overwrites a change that the client has not read.
All methods raise botocore's errors if AWS fails.
"""

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from api import items
from api.idempotency import earlier_note, put_record
from api.items import Keys
from api.notes import Content, Note, current_time, timestamp
from api.pages import Cursor, ExportCursor, ExportPage, Page
from api.preconditions import Versions
from api.problems import Problem, note_not_found, version_changed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = Logger(child=True)

INDEX_NAME = "newest"
"""The index of the notes by creation time: partition key `collection` or `owner`, sort key `created`. The index has no
bodies, because a page with bodies could be larger than the largest response of a Lambda function."""
PATCH_TRIES = 5
"""Maximum number of attempts for a patch with `If-Match: *`. A new attempt begins if another client changes the note
between the read and the write of the patch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Creation:
    """The result of a request that creates a note with an Idempotency-Key."""

    note: Note
    replayed: bool
    """Whether an earlier request with the same key created the note."""


class Store:
    """The notes that a request may reach, in a DynamoDB table. `keys` selects these notes."""

    def __init__(self, dynamodb: "DynamoDBClient", *, table: str, keys: Keys | None = None) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._keys = keys or Keys()

    def of(self, owner: str) -> "Store":
        """Return the notes of one person, in the table of version 2."""
        return Store(self._dynamodb, table=self._table, keys=Keys(owner))

    def create(self, content: Content) -> Note:
        """Store a new note and return it."""
        note = Note.new(str(uuid.uuid4()), content, current_time())
        try:
            self._dynamodb.put_item(**items.put_note(self._table, self._keys, note))
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            # The id is random, so this call itself stored the note. Its answer was lost, and botocore tried again.
            logger.info("an earlier attempt stored the note; its answer was lost")
        return note

    def create_once(self, content: Content, *, client: str, key: str) -> Creation:
        """Store a new note. If the client has already created a note with this key, return the earlier note.

        A key is valid for KEY_LIFETIME. One transaction writes the note and the key: both or neither.
        Raises Problem 409 if the key was used with different content, or if a request with this key is still running.
        """
        now = current_time()
        note = Note.new(str(uuid.uuid4()), content, now)
        record: Any = put_record(self._table, self._keys, note, client, key, now)
        try:
            self._dynamodb.transact_write_items(
                TransactItems=[{"Put": items.put_note(self._table, self._keys, note)}, {"Put": record}]
            )
        except self._dynamodb.exceptions.TransactionCanceledException as error:
            return Creation(note=earlier_note(error, content), replayed=True)
        return Creation(note=note, replayed=False)

    def read(self, note_id: str) -> Note:
        """Return the current version of the note. Raises Problem 404 if the note does not exist."""
        response = self._dynamodb.get_item(TableName=self._table, Key=self._keys.item(note_id), ConsistentRead=True)
        if "Item" not in response:
            raise note_not_found()
        return items.note_from(response["Item"])

    def replace(self, note_id: str, content: Content, versions: Versions) -> Note:
        """Replace the note's content if the note has one of the versions. Return the changed note.

        Raises Problem 404 if the note does not exist, and 412 if it has another version.
        """
        condition, values = items.version_condition(versions)
        new_attributes = items.changeable_attributes(content, timestamp(current_time()))
        try:
            response = self._dynamodb.update_item(
                TableName=self._table,
                Key=self._keys.item(note_id),
                UpdateExpression="SET title = :title, body = :body, tags = :tags, updated_at = :updated_at, "
                "version = version + :one",
                ConditionExpression=condition,
                ExpressionAttributeValues={
                    **values,
                    **{f":{name}": value for name, value in new_attributes.items()},
                    ":one": {"N": "1"},
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item", {})
            # If the stored attributes are equal to the new ones, even in the microseconds of `updated_at`, then this
            # call itself stored them. Its answer was lost, and botocore tried again.
            if new_attributes.items() <= item.items():
                return items.note_from(item)
            raise _failed_condition(item) from None
        return items.note_from(response["Attributes"])

    def patch(self, note_id: str, patch: Any, versions: Versions) -> Note:
        """Apply a merge patch if the note has one of the versions. Return the changed note.

        Raises Problem 404 if the note does not exist, 412 if it has another version, 413 if the changed note would be
        too large, and 409 if other clients change the note during every attempt.
        """
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
        """Delete the note if it has one of the versions.

        Raises Problem 404 if the note does not exist, and 412 if it has another version.
        """
        condition, values = items.version_condition(versions)
        try:
            self._dynamodb.delete_item(
                TableName=self._table,
                Key=self._keys.item(note_id),
                ConditionExpression=condition,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ExpressionAttributeValues=values,
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item", {})
            if not item and error.response["ResponseMetadata"].get("RetryAttempts"):
                return  # botocore tried again: the first attempt may have deleted the note, and its answer was lost
            raise _failed_condition(item) from None

    def page(self, limit: int, after: Cursor | None) -> Page:
        """Return the newest notes, or the newest of the notes that are older than the cursor.

        In version 1, DynamoDB updates the index a moment after the table, so the page may not yet contain a new note.
        The index of version 2 is a local index, which allows consistent reads.
        """
        start_parameter: Any = {"ExclusiveStartKey": self._keys.start(after)} if after else {}
        name, value = self._keys.partition
        response = self._dynamodb.query(
            TableName=self._table,
            IndexName=INDEX_NAME,
            KeyConditionExpression="#partition = :partition",
            ExpressionAttributeNames={"#partition": name},  # both names are reserved words of DynamoDB
            ExpressionAttributeValues={":partition": {"S": value}},
            ConsistentRead=self._keys.owner is not None,
            ScanIndexForward=False,
            Limit=limit,
            **start_parameter,
        )
        last_key = response.get("LastEvaluatedKey")
        summaries = [items.summary_from(item) for item in response["Items"]]
        return Page(summaries=summaries, next_cursor=items.cursor_from(last_key) if last_key else None)

    def scan(self, after: ExportCursor | None) -> ExportPage:
        """Return the next notes of all people in the table of version 2. DynamoDB reads at most 1 MB for each page."""
        start_parameter: Any = {"ExclusiveStartKey": items.export_start(after)} if after else {}
        response = self._dynamodb.scan(
            TableName=self._table,
            FilterExpression="attribute_exists(created)",  # only notes have this attribute
            **start_parameter,
        )
        last_key = response.get("LastEvaluatedKey")
        return ExportPage(
            lines=[items.exported_note(item) for item in response["Items"]],
            next_cursor=items.export_cursor(last_key) if last_key else None,
        )


def _failed_condition(item: items.Item) -> Problem:
    """Return Problem 412 (another version) if the item exists, and Problem 404 (no note) if the item is empty."""
    return version_changed(items.note_from(item).etag) if item else note_not_found()
