"""Problem documents: the body of every answer to a request that fails. RFC 9457, application/problem+json."""

from collections.abc import Mapping, Sequence
from typing import Any

CONTENT_TYPE = "application/problem+json"

TITLES: Mapping[int, str] = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    428: "Precondition Required",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
"""The names in RFC 9110 and RFC 6585. The names in http.HTTPStatus differ between versions of Python."""


class Problem(Exception):  # noqa: N818 - RFC 9457 uses this name
    """The reason why a request fails. The gateway's own errors have the same members (stacks/api_problems.py)."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """`detail` tells the client what to change; `errors` names each fault of a body by JSON pointer."""
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self._detail = detail
        self._errors = errors

    def document(self, request_id: str) -> dict[str, Any]:
        """Return the members of the problem document. `request_id` finds the request in the log."""
        members: dict[str, Any] = {
            "type": "about:blank",  # RFC 9457: the status is the whole type
            "title": TITLES[self.status],
            "status": self.status,
            "detail": self._detail,
            "request_id": request_id,
        }
        return {**members, "errors": [*self._errors]} if self._errors else members


def note_not_found() -> Problem:
    """Return the problem of a request for a note that does not exist."""
    return Problem(404, "There is no such note.")


def version_changed(etag: str) -> Problem:
    """Return the problem of a change to an old version. `etag` is the tag of the current version."""
    return Problem(
        412,
        f"The note has changed: its ETag is {etag} now. Read it, and make your change anew.",
        headers={"ETag": etag},
    )
