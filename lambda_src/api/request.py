"""The parts of a request: headers, parameters and body. A wrong part raises Problem 400, 415 or 422."""

import base64
import re
from collections.abc import Mapping
from typing import Any

from api import jsontext
from api.pages import Cursor, ExportCursor
from api.problems import Problem

DEFAULT_LIMIT = 20
"""Number of notes on a page if the request has no parameter `limit`."""
MAX_LIMIT = 100
"""Maximum number of notes on a page. 100 notes without bodies have at most about 500 KB, at 4 bytes a character.
DynamoDB returns at most 1 MB for a query."""
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
CHALLENGE = {"WWW-Authenticate": "Bearer"}
"""Every 401 answer says how to authenticate. RFC 9110, section 11.6.1; RFC 6750, section 3."""


def path_without_base(event: Mapping[str, Any]) -> str:
    """Return the path of a request as in openapi.json, for example `/v1/notes`.

    With a custom domain, the path in the event begins with the base path of the domain, such as `/shop/v1/notes`. If
    the mapping of the domain names no stage, the path also contains the stage. The resource of API Gateway has neither
    of them, so the path's last parts are the parts of the resource. A path that does not fit the resource is returned
    unchanged, and gets 404 later.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    path, resource = str(event["path"]), str(event.get("resource") or "")
    parts = ("[^/]+" if part.startswith("{") else re.escape(part) for part in resource.split("/"))
    found = re.fullmatch(f"(?:/.*)?({'/'.join(parts)}/?)", path, re.DOTALL)
    return found[1] if found and resource else path


class Request:
    """One HTTP request, as an event of API Gateway (Lambda proxy integration, payload version 1.0)."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._event = event
        self._headers: dict[str, list[str]] = {}
        for name, values in (event.get("multiValueHeaders") or {}).items():
            self._headers.setdefault(name.lower(), []).extend(values)

    @property
    def id(self) -> str:
        """The id that API Gateway gave the request."""
        return str(self._event["requestContext"]["requestId"])

    @property
    def method(self) -> str:
        """The HTTP method, in capitals."""
        return str(self._event["httpMethod"])

    @property
    def path(self) -> str:
        """The path, without the stage of API Gateway and without the base path of a custom domain."""
        return str(self._event["path"])

    @property
    def client(self) -> str:
        """The id of the client's API key. The key itself is never used."""
        return str(self._event["requestContext"]["identity"].get("apiKeyId") or "")

    def person(self) -> str:
        """Return the id of the person who signed in, from the ID token that API Gateway has verified.

        Raises Problem 401 if the token is missing or has another purpose. On AWS, API Gateway refuses such requests
        itself. This second check protects the notes if somebody removes the authorizer from a route.
        """
        claims = (self._event["requestContext"].get("authorizer") or {}).get("claims") or {}
        if claims.get("token_use") != "id" or not claims.get("sub"):
            raise Problem(401, "Sign in, and send the ID token in the header Authorization.", headers=CHALLENGE)
        return str(claims["sub"])

    def header(self, name: str) -> str | None:
        """Return the value of a header, or None if it is missing. Raises Problem 400 if it has two different values."""
        values = set(self._headers.get(name.lower(), []))
        if len(values) > 1:
            raise Problem(400, f"{name} has {len(values)} different values. Send it once.")
        return values.pop() if values else None

    def list_header(self, name: str) -> str | None:
        """Return the value of a header that is a list, or None if the header is missing.

        A client may send such a header several times, and each time with a part of the list. RFC 9110, section 5.3.
        """
        values = self._headers.get(name.lower())
        return ", ".join(values) if values else None

    def limit(self) -> int:
        """Return the parameter `limit`: the maximum number of notes on the page.

        Raises Problem 400 if it is not a number from 1 to MAX_LIMIT, or if the request has it several times.
        """
        text = self._parameter("limit")
        if text is None:
            return DEFAULT_LIMIT
        # The pattern allows only four digits, because int() does not accept a text of thousands of digits.
        if not (re.fullmatch("[0-9]{1,4}", text) and 1 <= int(text) <= MAX_LIMIT):
            raise Problem(400, f"limit must be a number from 1 to {MAX_LIMIT}.")
        return int(text)

    def cursor(self) -> Cursor | None:
        """Return the parameter `cursor`, after which the page begins. Return None for the first page.

        Raises Problem 400 if it is not a cursor of this API, or if the request has it several times.
        """
        text = self._parameter("cursor")
        return None if text is None else Cursor.parse(text)

    def export_cursor(self) -> ExportCursor | None:
        """Return the parameter `cursor` of the export. Return None for the first page.

        Raises Problem 400 if it is not a cursor of the export, or if the request has it several times.
        """
        text = self._parameter("cursor")
        return None if text is None else ExportCursor.parse(text)

    def _parameter(self, name: str) -> str | None:
        values = (self._event.get("multiValueQueryStringParameters") or {}).get(name)
        if values and len(values) > 1:
            raise Problem(400, f"{name} was sent {len(values)} times. Send it once.")
        return values[0] if values else None

    def idempotency_key(self) -> str | None:
        """Return the header Idempotency-Key, or None if it is missing. Raises Problem 400 for an invalid key."""
        key = self.header("Idempotency-Key")
        if key is not None and not re.fullmatch(r"[!-~]{1,255}", key):
            raise Problem(400, "Idempotency-Key must be 1 to 255 visible ASCII characters.")
        return key

    def json(self, *media_types: str) -> Any:
        """Return the JSON value of the body.

        Raises Problem 415 if the body has another media type than the given ones, and 422 if it is not JSON.
        """
        self._require_media_type(media_types)
        try:
            return jsontext.parse(self._body().decode())
        except UnicodeDecodeError:
            raise Problem(422, "The body is not UTF-8.") from None
        except jsontext.NotJsonError as error:
            raise Problem(422, f"The body cannot be read. {error}") from None

    def _require_media_type(self, media_types: tuple[str, ...]) -> None:
        # If the header is missing, the body counts as JSON. API Gateway does the same.
        content_type = self.header("Content-Type") or JSON
        media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
        pairs = [parameter.partition("=") for parameter in parameters]
        charsets = [value.strip('"') for name, _, value in pairs if name.startswith("charset")]
        if media_type not in media_types or any(charset not in ("utf-8", "utf8", "us-ascii") for charset in charsets):
            accept_header = "Accept-Patch" if MERGE_PATCH in media_types else "Accept"
            raise Problem(
                415,
                f"Content-Type must be {' or '.join(media_types)}, in UTF-8.",
                headers={accept_header: ", ".join(media_types)},
            )

    def _body(self) -> bytes:
        body = self._event.get("body") or ""
        if not self._event.get("isBase64Encoded"):
            # "surrogatepass" encodes half a character, too. The result is not UTF-8, so json() refuses it.
            return str(body).encode("utf-8", "surrogatepass")
        try:
            return base64.b64decode(body, validate=True)
        except ValueError:  # includes binascii.Error
            raise Problem(422, "The body is not base64.") from None
