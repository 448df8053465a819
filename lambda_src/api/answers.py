"""Functions that build the HTTP answers: notes as JSON, and problems as RFC 9457 documents."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response

from api import jsontext
from api.notes import Note
from api.problems import CONTENT_TYPE, Problem
from api.request import JSON

NOT_SHARED = {"Cache-Control": "private, no-cache"}
"""`private` forbids shared caches, because such a cache would also send a note to clients without an API key.
`no-cache` makes the client's own cache ask again before each use, because a note may change at any moment."""


def json_answer(status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response[str]:
    """Return an answer with the document as JSON."""
    return Response(status, JSON, jsontext.dump(document), {**NOT_SHARED, **(headers or {})})


def note_answer(note: Note) -> Response[str]:
    """Return 200 with the note and its ETag."""
    return json_answer(200, note.as_json(), {"ETag": note.etag})


def created(note: Note, path: str, *, replayed: bool = False) -> Response[str]:
    """Return 201 with the note. `path` is the path of the request.

    `replayed` means that an earlier request with the same Idempotency-Key created the note.
    """
    # Location is relative to the URL of the request, so it is right for every stage and domain. The path may end with
    # a slash. RFC 9110, section 10.2.2.
    prefix = "" if path.endswith("/") else "notes/"
    headers = {"ETag": note.etag, "Location": f"{prefix}{note.id}"}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return json_answer(201, note.as_json(), headers)


def not_modified(note: Note) -> Response[str]:
    """Return 304 without a body, because the client already has this version of the note."""
    return Response(status_code=304, headers={"ETag": note.etag, **NOT_SHARED}, body="")


def deleted() -> Response[str]:
    """Return 204 without a body."""
    return Response(status_code=204, body="")


def problem_answer(problem: Problem, request_id: str) -> Response[str]:
    """Return the problem document with the problem's status. The log lines of the request have this `request_id`."""
    return Response(problem.status, CONTENT_TYPE, jsontext.dump(problem.document(request_id)), problem.headers)
