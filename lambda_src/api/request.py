"""The parts of a request: headers, parameters and body. Raises Problem 400, 415 or 422 if a part cannot be parsed."""

import base64
import re
from collections.abc import Mapping
from typing import Any

from api import jsontext
from api.pages import Cursor
from api.problems import Problem

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
"""100 summaries with the longest titles and tags have 500 KB, at 4 bytes a character. A query returns at most 1 MB."""
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


class Request:
    """One request, as API Gateway passes it on: a proxy event of version 1.0."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._event = event
        self._headers: dict[str, list[str]] = {}
        for name, values in (event.get("multiValueHeaders") or {}).items():
            self._headers.setdefault(name.lower(), []).extend(values)

    @property
    def id(self) -> str:
        """API Gateway's id of the request."""
        return str(self._event["requestContext"]["requestId"])

    @property
    def method(self) -> str:
        """The HTTP method, in capitals."""
        return str(self._event["httpMethod"])

    @property
    def path(self) -> str:
        """The path, without the stage."""
        return str(self._event["path"])

    @property
    def client(self) -> str:
        """The id of the client's API key, never the key itself."""
        return str(self._event["requestContext"]["identity"].get("apiKeyId") or "")

    def header(self, name: str) -> str | None:
        """Return the value of a header. Raises Problem 400 if it has several different values."""
        values = set(self._headers.get(name.lower(), []))
        if len(values) > 1:
            raise Problem(400, f"{name} was sent {len(values)} times, and not the same.")
        return values.pop() if values else None

    def list_header(self, name: str) -> str | None:
        """Return the value of a list header, which may be sent in several lines. RFC 9110, section 5.3."""
        values = self._headers.get(name.lower())
        return ", ".join(values) if values else None

    def limit(self) -> int:
        """Return the largest number of notes that the client wants on a page."""
        text = self._parameter("limit")
        if text is None:
            return DEFAULT_LIMIT
        # isdigit() accepts the digits of all scripts, so isascii() is needed. int() does not read thousands of digits,
        # so four are the most.
        if not (text.isascii() and text.isdigit() and len(text) <= len("1000") and 1 <= int(text) <= MAX_LIMIT):
            raise Problem(400, f"limit must be a number from 1 to {MAX_LIMIT}.")
        return int(text)

    def cursor(self) -> Cursor | None:
        """Return the start of the page; None for the first page."""
        text = self._parameter("cursor")
        return None if text is None else Cursor.parse(text)

    def _parameter(self, name: str) -> str | None:
        values = (self._event.get("multiValueQueryStringParameters") or {}).get(name)
        if values and len(values) > 1:
            raise Problem(400, f"{name} was given {len(values)} times.")
        return values[0] if values else None

    def idempotency_key(self) -> str | None:
        """Return the client's key for a create that it may repeat."""
        key = self.header("Idempotency-Key")
        if key is not None and not re.fullmatch(r"[!-~]{1,255}", key):
            raise Problem(400, "Idempotency-Key must be 1 to 255 visible ASCII characters.")
        return key

    def json(self, *types: str) -> Any:
        """Return the JSON value of the body, if its media type is one of the given types."""
        self._require_type(types)
        try:
            return jsontext.parse(self._body().decode())
        except UnicodeDecodeError:
            raise Problem(422, "The body is not UTF-8.") from None
        except jsontext.NotJsonError as error:
            raise Problem(422, f"The body is not what it says. {error}") from None

    def _require_type(self, types: tuple[str, ...]) -> None:
        # A body without a type is JSON for the gateway, too.
        media_type, *parameters = (part.strip().lower() for part in (self.header("Content-Type") or JSON).split(";"))
        pairs = [parameter.partition("=") for parameter in parameters]
        charsets = [value.strip('"') for name, _, value in pairs if name.startswith("charset")]
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
        except ValueError:  # includes binascii.Error
            raise Problem(422, "The body is not base64.") from None
