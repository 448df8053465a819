"""Notes as plain values, without AWS: their content, their versions, and how a patch changes them."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api import contract, jsontext
from api.problems import Problem

MAX_BYTES = 400 * 1024 - 1024
"""The most bytes of title, tags and body together. DynamoDB stores 400 KB in an item, including the names of its
attributes. The last KB, with room to spare, is for those names, the id and the times.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items"""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """The part of a note that the client writes."""

    title: str
    body: Any = ""
    tags: tuple[str, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Content":
        """Return the content of a request's body. Raises Problem 422 or 413."""
        contract.validate("NoteInput", document)
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
        """The body as JSON text. The table stores this text, because DynamoDB's numbers keep only 38 digits."""
        return jsontext.dump(self.body)

    def patched(self, patch: Any) -> "Content":
        """Return the content after a merge patch (RFC 7396) that fits the schema NotePatch. Raises Problem 413."""
        return Content.from_document(merge_patch({"title": self.title, "body": self.body, "tags": [*self.tags]}, patch))

    @property
    def fingerprint(self) -> str:
        """A hash that is equal for equal content. White space and the order of members in the request do not matter."""
        text = jsontext.dump([self.title, self.body, [*self.tags]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A stored note."""

    id: str
    content: Content
    version: int
    """1 for a new note; every change adds one."""
    created_at: str
    updated_at: str

    @classmethod
    def new(cls, note_id: str, content: Content, now: datetime) -> "Note":
        """Return a note that is created now (UTC)."""
        stamp = timestamp(now)
        return cls(id=note_id, content=content, version=1, created_at=stamp, updated_at=stamp)

    @property
    def etag(self) -> str:
        """The entity tag of this version. It is a strong tag, because every change makes a new one."""
        return f'"{self.version}"'

    def as_json(self) -> dict[str, Any]:
        """Return the note as the schema `Note` of openapi.json."""
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
    """Whether a note can have this id. The ids of the table's other items do not match."""
    return _UUID.fullmatch(text) is not None


def current_time() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """Return a moment in UTC as RFC 3339 text. It always has microseconds, so texts sort in the order of time."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def merge_patch(target: Any, patch: Any) -> Any:
    """Return the target after a JSON merge patch. This is the algorithm of RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
