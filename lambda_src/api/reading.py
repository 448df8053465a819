"""What a request asks for. Whatever cannot be understood raises Problem: 400, 415 or 422."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api import jsontext
from api.problems import Problem

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
"""100 summaries with the longest titles and tags have 500 KB, 4 bytes a character: within the 1 MB of a query."""
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last note of a page. The next page begins after it, even when it has gone."""

    created_at: str
    note_id: str

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.created_at, self.note_id]).encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The cursor that __str__ wrote. Raises Problem 400 for anything else."""
        try:
            created_at, note_id = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), "-_", validate=True))
            cursor = cls(created_at, note_id)
            if _STAMP.fullmatch(created_at) and is_note_id(note_id) and str(cursor) == text:
                return cursor
        except (ValueError, TypeError, RecursionError):
            pass  # said below, with what is well-formed but no cursor
        raise Problem(400, "cursor must be the next_cursor of an earlier page.")


class Request:
    """What the gateway passes on, API Gateway's proxy event of version 1.0."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._event = event
        self._headers: dict[str, list[str]] = {}
        for name, values in (event.get("multiValueHeaders") or {}).items():
            self._headers.setdefault(name.lower(), []).extend(values)

    @property
    def client(self) -> str:
        """Which API key was used: its id, never the key."""
        return str(self._event["requestContext"]["identity"].get("apiKeyId") or "")

    def header(self, name: str) -> str | None:
        """The header's value. Raises Problem 400 when there are several that differ."""
        values = set(self._headers.get(name.lower(), []))
        if len(values) > 1:
            raise Problem(400, f"{name} was sent {len(values)} times, and not the same.")
        return values.pop() if values else None

    def list_header(self, name: str) -> str | None:
        """The value of a header that may be sent in several lines. RFC 9110, section 5.3."""
        values = self._headers.get(name.lower())
        return ", ".join(values) if values else None

    def limit(self) -> int:
        """How many notes the client wants at most."""
        text = self._parameter("limit")
        if text is None:
            return DEFAULT_LIMIT
        # isascii: isdigit takes all the world's digits. Four: int() refuses to read thousands.
        if not (text.isascii() and text.isdigit() and len(text) <= len("1000") and 1 <= int(text) <= MAX_LIMIT):
            raise Problem(400, f"limit must be a number from 1 to {MAX_LIMIT}.")
        return int(text)

    def cursor(self) -> Cursor | None:
        """Where the page begins; None for the first page."""
        text = self._parameter("cursor")
        return None if text is None else Cursor.parse(text)

    def _parameter(self, name: str) -> str | None:
        values = (self._event.get("multiValueQueryStringParameters") or {}).get(name)
        if values and len(values) > 1:
            raise Problem(400, f"{name} was given {len(values)} times.")
        return values[0] if values else None

    def idempotency_key(self) -> str | None:
        """The client's name for a create that it may repeat."""
        key = self.header("Idempotency-Key")
        if key is not None and not re.fullmatch(r"[!-~]{1,255}", key):
            raise Problem(400, "Idempotency-Key must be 1 to 255 visible ASCII characters.")
        return key

    def json(self, *types: str) -> Any:
        """The body, a JSON document of one of the media types."""
        self._require_type(types)
        try:
            return jsontext.parse(self._body().decode())
        except UnicodeDecodeError:
            raise Problem(422, "The body is not UTF-8.") from None
        except jsontext.NotJsonError as error:
            raise Problem(422, f"The body is not what it says. {error}") from None

    def _require_type(self, types: tuple[str, ...]) -> None:
        # Without a type the gateway, too, takes a body for JSON.
        media_type, *parameters = (part.strip().lower() for part in (self.header("Content-Type") or JSON).split(";"))
        charsets = [value.strip('"') for name, _, value in map(_partition, parameters) if name.startswith("charset")]
        if media_type not in types or any(charset not in ("utf-8", "utf8", "us-ascii") for charset in charsets):
            accepted = "Accept-Patch" if MERGE_PATCH in types else "Accept"
            raise Problem(
                415,
                f"Content-Type must be {' or '.join(types)}, in UTF-8.",
                headers={accepted: ", ".join(types)},
            )

    def _body(self) -> bytes:
        body = self._event.get("body") or ""
        if not self._event.get("isBase64Encoded"):
            return str(body).encode("utf-8", "surrogatepass")
        try:
            return base64.b64decode(body, validate=True)
        except ValueError:  # binascii.Error among them
            raise Problem(422, "The body is not base64.") from None


def _partition(parameter: str) -> tuple[str, str, str]:
    return parameter.partition("=")


def is_note_id(text: str) -> bool:
    """Whether a note could have this id: the table's other items could not."""
    return _UUID.fullmatch(text) is not None
