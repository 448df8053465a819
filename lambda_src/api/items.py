"""The items of the table in DynamoDB's format, and the conversion of notes to items and of items to notes.

An item is either a note or an idempotency record (idempotency.py). Only notes have the attribute `collection`. This
attribute is the partition key of the index by creation time, so the index contains only notes.
"""

from collections.abc import Mapping
from typing import Any

from api import jsontext
from api.notes import Content, Note
from api.pages import Cursor
from api.preconditions import Versions

COLLECTION = {"S": "notes"}
"""All notes have this partition key in the index."""
Item = Mapping[str, Any]
"""An item of the table, in DynamoDB's format."""


def note_key(note_id: str) -> dict[str, Any]:
    """Return the primary key of a note."""
    return {"id": {"S": note_id}}


def put_note(table: str, note: Note) -> Any:
    """Return the parameters of a put operation that stores a new note."""
    return {
        "TableName": table,
        "Item": {
            **note_key(note.id),
            **_index_key(note.created_at, note.id),
            "created_at": {"S": note.created_at},
            **changeable_attributes(note.content, note.updated_at),
            "version": {"N": str(note.version)},
        },
        "ConditionExpression": "attribute_not_exists(id)",
    }


def changeable_attributes(content: Content, updated_at: str) -> dict[str, Any]:
    """Return the attributes that a change replaces. The version is missing, because the update adds 1 to it."""
    return {
        "title": {"S": content.title},
        "body": {"S": content.body_text},
        "tags": {"L": [{"S": tag} for tag in content.tags]},
        "updated_at": {"S": updated_at},
    }


def note_from(item: Item) -> Note:
    """Return the note in an item of the table."""
    return Note(
        id=item["id"]["S"],
        content=Content(title=item["title"]["S"], body=jsontext.parse(item["body"]["S"]), tags=tuple(_tags(item))),
        version=int(item["version"]["N"]),
        created_at=item["created_at"]["S"],
        updated_at=item["updated_at"]["S"],
    )


def summary_from(item: Item) -> dict[str, Any]:
    """Return the note in an item of the index as the schema `NoteSummary`. The index has no bodies."""
    return {
        "id": item["id"]["S"],
        "title": item["title"]["S"],
        "tags": _tags(item),
        "created_at": item["created_at"]["S"],
        "updated_at": item["updated_at"]["S"],
        "version": int(item["version"]["N"]),
    }


def version_condition(versions: Versions) -> tuple[str, dict[str, Any]]:
    """Return the condition that a note exists and has one of the versions. Also return the values in the condition."""
    if versions is None:
        return "version >= :first", {":first": {"N": "1"}}
    # If the set is empty, version 0 replaces it. No note has version 0, so the condition is always false.
    values = {f":v{index}": {"N": str(version)} for index, version in enumerate(sorted(versions or {0}))}
    return f"version IN ({', '.join(values)})", values


def start_key(cursor: Cursor) -> dict[str, Any]:
    """Return the key of the cursor's note. A query of the index continues after this key."""
    return {**note_key(cursor.note_id), **_index_key(cursor.created_at, cursor.note_id)}


def cursor_from(last_key: Item) -> Cursor:
    """Return the cursor for the last key that a query of the index returned."""
    created_at, _, note_id = last_key["created"]["S"].partition("#")
    return Cursor(created_at, note_id)


def _index_key(created_at: str, note_id: str) -> dict[str, Any]:
    return {"collection": COLLECTION, "created": {"S": f"{created_at}#{note_id}"}}


def _tags(item: Item) -> list[str]:
    return [tag["S"] for tag in item["tags"]["L"]]
