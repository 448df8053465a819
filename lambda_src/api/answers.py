"""Functions that build the HTTP answers: notes as JSON, and problems as RFC 9457 documents."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from api import jsontext
from api.notes import Note
from api.problems import CONTENT_TYPE, Problem
from api.request import JSON

NDJSON = "application/x-ndjson"
Answer = dict[str, Any]
"""An HTTP answer, in the format that API Gateway reads.
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html"""
FOR_OTHER_SITES = {
    "Access-Control-Allow-Origin": os.environ["ALLOWED_ORIGIN"],
    "Access-Control-Expose-Headers": "Deprecation,ETag,Idempotency-Replayed,Link,Location,Retry-After,Sunset",
}
"""Headers of every answer. They allow the pages of another site to read the answer (CORS). API Gateway itself answers
the OPTIONS request that a browser sends before."""
NOT_SHARED = {"Cache-Control": "private, no-cache"}
"""`private` forbids shared caches, because such a cache would also send a note to clients without an API key.
`no-cache` makes the client's own cache ask again before each use, because a note may change at any moment."""


def json_answer(status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with the document as JSON."""
    headers = {"Content-Type": JSON, **NOT_SHARED, **(headers or {})}
    return _answer(status, headers, jsontext.dump(document))


def note_answer(note: Note) -> Answer:
    """Return 200 with the note and its ETag."""
    return json_answer(200, note.as_json(), {"ETag": note.etag})


def created(note: Note, path: str, *, replayed: bool = False) -> Answer:
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


def not_modified(note: Note) -> Answer:
    """Return 304 without a body, because the client already has this version of the note."""
    return _answer(304, {"ETag": note.etag, **NOT_SHARED})


def deleted() -> Answer:
    """Return 204 without a body."""
    return _answer(204, {})


def lines_answer(documents: Iterable[Mapping[str, Any]], headers: Mapping[str, str]) -> Answer:
    """Return 200 with one JSON document in each line (NDJSON)."""
    body = "".join(f"{jsontext.dump(document)}\n" for document in documents)
    return _answer(200, {"Content-Type": NDJSON, **NOT_SHARED, **headers}, body)


def problem_answer(problem: Problem, request_id: str) -> Answer:
    """Return the problem document with the problem's status. The log lines of the request have this `request_id`."""
    headers = {"Content-Type": CONTENT_TYPE, **problem.headers}
    return _answer(problem.status, headers, jsontext.dump(problem.document(request_id)))


def with_headers(answer: Answer, headers: Mapping[str, str]) -> Answer:
    """Return the answer with additional headers."""
    return {**answer, "multiValueHeaders": {**answer["multiValueHeaders"], **_lists(headers)}}


def _answer(status: int, headers: Mapping[str, str], body: str = "") -> Answer:
    lists = _lists({**FOR_OTHER_SITES, **headers})
    return {"statusCode": status, "multiValueHeaders": lists, "body": body, "isBase64Encoded": False}


def _lists(headers: Mapping[str, str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in headers.items()}
