"""The pages of the list of notes. A cursor marks the end of a page, and the next page begins there."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from api.notes import is_note_id
from api.problems import Problem

MAX_KEY = 128
"""Maximum length of a part of a key in the table. The longest is an idempotency record's id."""
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position of a page's last note. The next page begins after this position, even if the note was deleted."""

    created_at: str
    note_id: str

    def __str__(self) -> str:
        return _encode(self.created_at, self.note_id)

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Return the cursor from the text that __str__ returned. Raises Problem 400 for any other text."""
        match _decode(text):
            case [str() as created_at, str() as note_id] if _TIMESTAMP.fullmatch(created_at) and is_note_id(note_id):
                return cls(created_at, note_id)
        raise Problem(400, "cursor must be the next_cursor of an earlier page.")


@dataclass(frozen=True, slots=True)
class ExportCursor:
    """The last item of an export's page, which the scan of the table has read. The next page begins after this item."""

    owner: str
    item_id: str

    def __str__(self) -> str:
        return _encode(self.owner, self.item_id)

    @classmethod
    def parse(cls, text: str) -> "ExportCursor":
        """Return the cursor from the text that __str__ returned. Raises Problem 400 for any other text."""
        match _decode(text):
            case [str() as owner, str() as item_id] if 0 < len(owner) <= MAX_KEY and 0 < len(item_id) <= MAX_KEY:
                return cls(owner, item_id)
        raise Problem(400, "cursor must be the cursor in the Link of an earlier page.")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportPage:
    """A page of the export: notes of all people, in no particular order."""

    lines: list[dict[str, Any]]
    """Each line is a note with its owner, and fits the schema `ExportedNote`."""
    next_cursor: ExportCursor | None
    """The cursor for the next page. On the last page, it is None. A page with a next page may have no notes."""


def _encode(*parts: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _decode(text: str) -> Any:
    """Return the JSON value in a text that _encode could have returned, or None."""
    try:
        parts = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), "-_", validate=True))
        return parts if _encode(*parts) == text else None
    except (ValueError, TypeError, RecursionError):
        return None  # The text is not base64 or not JSON. It gets the same answer as JSON that is not a cursor.


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page of the list: summaries of notes, newest first."""

    summaries: list[dict[str, Any]]
    """Each summary fits the schema `NoteSummary`."""
    next_cursor: Cursor | None
    """The cursor for the next page. On the last page, it is None."""

    def as_json(self) -> dict[str, Any]:
        """Return the page as a JSON object that fits the schema `NotePage`."""
        return {"notes": self.summaries, "next_cursor": str(self.next_cursor) if self.next_cursor else None}
