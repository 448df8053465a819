"""What is said to a client whose request is not carried out, in one shape: RFC 9457, application/problem+json."""

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
"""RFC 9110's and 6585's names; those of http.HTTPStatus differ between versions of Python."""


class Problem(Exception):  # noqa: N818 - RFC 9457's own name
    """Why a request is not carried out. The gateway's own errors have the same members (stacks/api_problems.py)."""

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
        """The members of the problem document. `request_id` finds the request in the logs."""
        members: dict[str, Any] = {
            "type": "about:blank",  # RFC 9457: the status says it all
            "title": TITLES[self.status],
            "status": self.status,
            "detail": self._detail,
            "request_id": request_id,
        }
        return {**members, "errors": [*self._errors]} if self._errors else members
