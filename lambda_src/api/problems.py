"""Problem documents: JSON objects that describe an error (RFC 9457). Every answer to a failed request has one."""

from collections.abc import Mapping, Sequence
from typing import Any

CONTENT_TYPE = "application/problem+json"

TITLES: Mapping[int, str] = {
    400: "Bad Request",
    401: "Unauthorized",
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
"""The names of the statuses in RFC 9110 and RFC 6585. http.HTTPStatus has other names in some versions of Python."""


class Problem(Exception):  # noqa: N818 - RFC 9457 uses this name
    """The reason why a request fails. API Gateway's own errors have the same members (stacks/api_problems.py)."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """`detail` tells the client what to change. `errors` lists the faults of a body, each with its JSON pointer."""
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self._detail = detail
        self._errors = errors

    def document(self, request_id: str) -> dict[str, Any]:
        """Return the problem document. Its `request_id` is also in the log lines of the request."""
        members: dict[str, Any] = {
            "type": "about:blank",  # RFC 9457: only the status tells the kind of problem
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
