"""The items of the table in DynamoDB's format, and the conversion of notes to items and of items to notes.

An item is either a note or an idempotency record (idempotency.py). Only notes have the attribute `created`. This
attribute is the sort key of the index by creation time, so the index contains only notes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api import jsontext
from api.notes import Content, Note
from api.pages import Cursor, ExportCursor
from api.preconditions import Versions

COLLECTION = "notes"
"""All notes of version 1 of the API have this partition key in the index."""
Item = Mapping[str, Any]
"""An item of the table, in DynamoDB's format."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the items that a request may reach.

    Version 1 of the API has one table for everybody. In the table of version 2, every key begins with the owner of the
    item. So a request cannot reach an item of another person: no key without an owner exists.
    """

    owner: str | None = None
    """The person who owns the items. None means the table of version 1."""

    @property
    def partition(self) -> tuple[str, str]:
        """The partition of the notes in the index: the name of the key attribute, and its value."""
        return ("collection", COLLECTION) if self.owner is None else ("owner", self.owner)

    def item(self, item_id: str) -> dict[str, Any]:
        """Return the primary key of an item."""
        owner = {} if self.owner is None else {"owner": {"S": self.owner}}
        return {**owner, "id": {"S": item_id}}

    def index(self, created_at: str, note_id: str) -> dict[str, Any]:
        """Return the key of a note in the index."""
        name, value = self.partition
        return {name: {"S": value}, "created": {"S": f"{created_at}#{note_id}"}}

    def start(self, cursor: Cursor) -> dict[str, Any]:
        """Return the key of the cursor's note. A query of the index continues after this key."""
        return {**self.item(cursor.note_id), **self.index(cursor.created_at, cursor.note_id)}


def put_note(table: str, keys: Keys, note: Note) -> Any:
    """Return the parameters of a put operation that stores a new note."""
    return {
        "TableName": table,
        "Item": {
            **keys.item(note.id),
            **keys.index(note.created_at, note.id),
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


def cursor_from(last_key: Item) -> Cursor:
    """Return the cursor for the last key that a query of the index returned."""
    created_at, _, note_id = last_key["created"]["S"].partition("#")
    return Cursor(created_at, note_id)


def exported_note(item: Item) -> dict[str, Any]:
    """Return the note in an item of the table of version 2, and its owner, as the schema `ExportedNote`."""
    return {"owner": item["owner"]["S"], **note_from(item).as_json()}


def export_start(cursor: ExportCursor) -> dict[str, Any]:
    """Return the key after which a scan continues."""
    return Keys(cursor.owner).item(cursor.item_id)


def export_cursor(last_key: Item) -> ExportCursor:
    """Return the cursor for the last key that a scan returned."""
    return ExportCursor(last_key["owner"]["S"], last_key["id"]["S"])


def _tags(item: Item) -> list[str]:
    return [tag["S"] for tag in item["tags"]["L"]]
