"""Notes as Python values, without AWS: their content, their versions, and the result of a patch."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api import jsontext
from api.problems import Problem
from api.validation import validate

MAX_BYTES = 400 * 1024 - 1024
"""Maximum size of title, tags and body together. An item of DynamoDB has at most 400 KB. The names of the attributes,
the id and the times also count, but together they have less than 1 KB.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items"""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """The part of a note that the client writes."""

    title: str
    body: Any = ""
    """Any JSON value."""
    tags: tuple[str, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Content":
        """Return the content that a request's body contains.

        Raises Problem 422 if the document does not fit the schema `NoteInput`, and 413 if it is too large to store.
        """
        validate("NoteInput", document)
        content = cls(
            title=document["title"],
            body=document.get("body", ""),
            tags=tuple(str(tag) for tag in document.get("tags", ())),
        )
        size = sum(len(text.encode()) for text in (content.title, content.body_text, *content.tags))
        if size > MAX_BYTES:
            raise Problem(413, f"The note has {size:,} bytes; the limit is {MAX_BYTES:,}.")
        return content

    @property
    def body_text(self) -> str:
        """The body as JSON text. The table stores this text, because a number of DynamoDB has at most 38 digits."""
        return jsontext.dump(self.body)

    def patched(self, patch: Any) -> "Content":
        """Return the content after a merge patch (RFC 7396) that fits the schema `NotePatch`. Raises Problem 413."""
        return Content.from_document(merge_patch({"title": self.title, "body": self.body, "tags": [*self.tags]}, patch))

    @property
    def fingerprint(self) -> str:
        """A hash of the content. White space and the order of members in the client's JSON do not change the hash."""
        text = jsontext.dump([self.title, self.body, [*self.tags]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A stored note."""

    id: str
    content: Content
    version: int
    """A new note has version 1. Every change adds 1."""
    created_at: str
    updated_at: str

    @classmethod
    def new(cls, note_id: str, content: Content, now: datetime) -> "Note":
        """Return the first version of a note. `now` is the time of its creation, in UTC."""
        stamp = timestamp(now)
        return cls(id=note_id, content=content, version=1, created_at=stamp, updated_at=stamp)

    @property
    def etag(self) -> str:
        """The entity tag of this version. It is strong, because every change gives the note another entity tag."""
        return f'"{self.version}"'

    def as_json(self) -> dict[str, Any]:
        """Return the note as a JSON object that fits the schema `Note`."""
        return {
            "id": self.id,
            "title": self.content.title,
            "body": self.content.body,
            "tags": [*self.content.tags],
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "version": self.version,
        }


def is_note_id(text: str) -> bool:
    """Whether the text can be the id of a note: a UUID in small letters. The table's other items have no such id."""
    return _UUID.fullmatch(text) is not None


def current_time() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """Return a moment (in UTC) as RFC 3339 text.

    The text always has microseconds, so that the alphabetical order of such texts is also their order in time.
    """
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def merge_patch(target: Any, patch: Any) -> Any:
    """Return the target after a JSON merge patch. The target itself does not change. RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
