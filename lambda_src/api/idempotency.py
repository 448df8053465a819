"""Idempotency records: items of the table that make it safe to repeat a request that creates a note.

The client repeats such a request with the same Idempotency-Key. The table stores a hash of this key, so the repeated
request creates no second note.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from api.items import Keys
from api.notes import Content, Note
from api.problems import Problem

KEY_LIFETIME = timedelta(hours=24)
"""Within this time, a request with the same key creates no second note. Clients stop their retries much earlier."""


def put_record(  # noqa: PLR0913, PLR0917 - the parts of the record
    table: str, keys: Keys, note: Note, client: str, key: str, now: datetime
) -> dict[str, Any]:
    """Return the parameters of a put operation that stores a hash of the client's key, and the id of the new note.

    The operation fails if the client has already used the key and the earlier record has not yet expired.
    """
    key_hash = hashlib.sha256(f"{client} {key}".encode()).hexdigest()
    return {
        "TableName": table,
        "Item": {
            **keys.item(f"idempotency#{key_hash}"),
            "note_id": {"S": note.id},
            "created_at": {"S": note.created_at},
            "fingerprint": {"S": note.content.fingerprint},
            "expires_at": {"N": str(int((now + KEY_LIFETIME).timestamp()))},
        },
        # DynamoDB deletes an expired record within a few days, so the table may still contain it.
        "ConditionExpression": "attribute_not_exists(id) OR expires_at <= :now",
        "ExpressionAttributeValues": {":now": {"N": str(int(now.timestamp()))}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def earlier_note(error: ClientError, content: Content) -> Note:
    """Return the first version of the note that an earlier request with the same key created.

    `error` is the TransactionCanceledException of the transaction that writes the note and then the record.
    Raises Problem 409 if the key was used with different content, or if a request with the same key is still running.
    Raises `error` if the transaction failed for another reason.
    """
    reasons: list[Any] = error.response["CancellationReasons"]  # in the order of the transaction's items
    _, record_reason = reasons
    if record_reason["Code"] == "ConditionalCheckFailed":
        record = record_reason["Item"]
        if record["fingerprint"]["S"] != content.fingerprint:
            raise Problem(409, "This Idempotency-Key was used for another note; use a new one for each note.") from None
        created_at = record["created_at"]["S"]
        # The answer has the same bytes as the first answer, even if the note was changed or deleted since then.
        return Note(id=record["note_id"]["S"], content=content, version=1, created_at=created_at, updated_at=created_at)
    if any(reason["Code"] == "TransactionConflict" for reason in reasons):
        raise Problem(
            409, "A request with this Idempotency-Key is under way; repeat it.", headers={"Retry-After": "1"}
        ) from None
    raise error
