"""Pages of the list of notes, and the cursors that connect them."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from api.notes import is_note_id
from api.problems import Problem

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last note of a page. The next page begins after it, even if the note was deleted meanwhile."""

    created_at: str
    note_id: str

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.created_at, self.note_id]).encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Return the cursor that __str__ wrote. Raises Problem 400 for any other text."""
        try:
            created_at, note_id = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), "-_", validate=True))
            cursor = cls(created_at, note_id)
            if _STAMP.fullmatch(created_at) and is_note_id(note_id) and str(cursor) == text:
                return cursor
        except (ValueError, TypeError, RecursionError):
            pass  # the same Problem as for well-formed text that is not a cursor
        raise Problem(400, "cursor must be the next_cursor of an earlier page.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some notes, newest first. A summary has the schema `NoteSummary` of openapi.json."""

    summaries: list[dict[str, Any]]
    next_cursor: Cursor | None

    def as_json(self) -> dict[str, Any]:
        """Return the page as the schema `NotePage` of openapi.json."""
        return {"notes": self.summaries, "next_cursor": str(self.next_cursor) if self.next_cursor else None}
