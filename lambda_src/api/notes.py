"""Notes, without AWS: what they are made of, and how they change."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api import contract, jsontext
from api.problems import Problem

MAX_BYTES = 400 * 1024 - 1024
"""Of title, tags and body together. DynamoDB stores 400 KB in an item, the names of its attributes included; the rest,
with room to spare, is for those, the id and the times.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What a client writes."""

    title: str
    body: Any = ""
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Content":
        """The content of a request's body. Raises Problem 422 or 413."""
        contract.require("NoteInput", document)
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
        """The body as JSON text: what is stored, since DynamoDB's numbers would lose digits beyond the 38th."""
        return jsontext.dump(self.body)

    def patched(self, patch: Any) -> "Content":
        """The content after a merge patch (RFC 7396) that fits the schema NotePatch. Raises Problem 413."""
        return Content.of(_merged({"title": self.title, "body": self.body, "tags": [*self.tags]}, patch))

    @property
    def fingerprint(self) -> str:
        """The same for the same content, whatever the order of members and the white space in its request."""
        text = jsontext.dump([self.title, _sorted(self.body), [*self.tags]])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A note as it is stored."""

    id: str
    content: Content
    version: int
    """1 when created, one more with every change."""
    created_at: str
    updated_at: str

    @classmethod
    def new(cls, note_id: str, content: Content, now: datetime) -> "Note":
        """A note that is created now (UTC)."""
        stamp = timestamp(now)
        return cls(id=note_id, content=content, version=1, created_at=stamp, updated_at=stamp)

    @property
    def etag(self) -> str:
        """The entity tag of this version: strong, for a change of anything makes another."""
        return f'"{self.version}"'

    def as_json(self) -> dict[str, Any]:
        """The schema `Note` of openapi.json."""
        return {
            "id": self.id,
            "title": self.content.title,
            "body": self.content.body,
            "tags": [*self.content.tags],
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "version": self.version,
        }


def timestamp(moment: datetime) -> str:
    """A moment in UTC as RFC 3339 text, with microseconds, so that texts sort as moments do."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _merged(target: Any, patch: Any) -> Any:
    # The algorithm of RFC 7396, section 2.
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value
