"""The pages of the list of notes. A cursor marks the end of a page, and the next page begins there."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from api.notes import is_note_id
from api.problems import Problem

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position of a page's last note. The next page begins after this position, even if the note was deleted."""

    created_at: str
    note_id: str

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.created_at, self.note_id]).encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Return the cursor from the text that __str__ returned. Raises Problem 400 for any other text."""
        try:
            created_at, note_id = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), "-_", validate=True))
            cursor = cls(created_at, note_id)
            if _TIMESTAMP.fullmatch(created_at) and is_note_id(note_id) and str(cursor) == text:
                return cursor
        except (ValueError, TypeError, RecursionError):
            pass  # The text is not base64 or not JSON. It gets the same answer as valid JSON that is not a cursor.
        raise Problem(400, "cursor must be the next_cursor of an earlier page.")


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
