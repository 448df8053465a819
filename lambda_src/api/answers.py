"""HTTP answers: notes as JSON, and problems as RFC 9457 documents."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response

from api import jsontext
from api.notes import Note
from api.problems import CONTENT_TYPE, Problem
from api.request import JSON

NOT_SHARED = {"Cache-Control": "private, no-cache"}
"""Forbids shared caches, because a cache ignores X-Api-Key. A note may also change at any moment."""


def json_answer(status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response[str]:
    """Return the document as JSON."""
    return Response(status, JSON, jsontext.dump(document), {**NOT_SHARED, **(headers or {})})


def note_answer(note: Note) -> Response[str]:
    """Return the note with its ETag."""
    return json_answer(200, note.as_json(), {"ETag": note.etag})


def created(note: Note, path: str, *, replayed: bool = False) -> Response[str]:
    """Return 201 with the note. `path` is the path of the request; `replayed`: an earlier request created the note."""
    # Location is relative to the URL of the request, so it fits every stage and domain. RFC 9110, section 10.2.2.
    folder = "" if path.endswith("/") else "notes/"
    headers = {"ETag": note.etag, "Location": f"{folder}{note.id}"}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return json_answer(201, note.as_json(), headers)


def not_modified(note: Note) -> Response[str]:
    """Return 304 without a body, because the client has this version."""
    return Response(status_code=304, headers={"ETag": note.etag, **NOT_SHARED}, body="")


def deleted() -> Response[str]:
    """Return 204 without a body."""
    return Response(status_code=204, body="")


def problem_answer(problem: Problem, request_id: str) -> Response[str]:
    """Return the problem document. `request_id` finds the request in the log."""
    return Response(problem.status, CONTENT_TYPE, jsontext.dump(problem.document(request_id)), problem.headers)
