"""The operations of openapi.json. Each function below parses the request, calls the table and returns the answer."""

import os

import boto3
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from botocore.config import Config

from api import answers, openapi
from api.notes import Content, is_note_id
from api.preconditions import client_has_version, refuse_if_none_match, required_versions, versions_in_if_match
from api.problems import note_not_found
from api.request import JSON, MERGE_PATCH, Request
from api.store import Store

router = Router()  # type: ignore[no-untyped-call]

# If DynamoDB does not answer, a call fails after at most 7 s: two attempts of 3 s each, and 1 s between them. A patch
# makes two calls, which need 14 s. It makes more calls only while other clients change the same note. So the client
# gets an answer before the function's timeout of 20 s.
_aws = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
store = Store(boto3.client("dynamodb", config=_aws), table=os.environ["NOTES_TABLE"])


@router.get("/v1/health")
def health() -> Response[str]:
    """Report that the function runs.

    Anybody can call this operation, because it needs no API key. So it does not use the table, which costs money.
    """
    return answers.json_answer(200, {"status": "ok"})


@router.post("/v1/notes")
def create_note() -> Response[str]:
    """Create a note. If a client repeats the request with the same Idempotency-Key, only one note is created."""
    request = _request()
    key = request.idempotency_key()
    content = Content.from_document(request.json(JSON))
    if key is None:
        return answers.created(store.create(content), request.path)
    creation = store.create_once(content, client=request.client, key=key)
    return answers.created(creation.note, request.path, replayed=creation.replayed)


@router.get("/v1/notes")
def list_notes() -> Response[str]:
    """Return a page of notes, newest first, without their bodies."""
    request = _request()
    page = store.page(request.limit(), request.cursor())
    return answers.json_answer(200, page.as_json())


@router.get("/v1/notes/<note_id>")
def read_note(note_id: str) -> Response[str]:
    """Return a note. If the client already has this version (If-None-Match), return 304 without the note."""
    note = store.read(_checked_id(note_id))
    return answers.not_modified(note) if client_has_version(_request(), note.etag) else answers.note_answer(note)


@router.put("/v1/notes/<note_id>")
def replace_note(note_id: str) -> Response[str]:
    """Replace all content of a note. If-Match must name the note's current version."""
    request = _request()
    versions = required_versions(request)
    content = Content.from_document(request.json(JSON))
    return answers.note_answer(store.replace(_checked_id(note_id), content, versions))


@router.patch("/v1/notes/<note_id>")
def patch_note(note_id: str) -> Response[str]:
    """Change a part of a note. If-Match must name the note's current version."""
    request = _request()
    versions = required_versions(request)
    patch = request.json(MERGE_PATCH, JSON)
    openapi.validate("NotePatch", patch)
    return answers.note_answer(store.patch(_checked_id(note_id), patch, versions))


@router.delete("/v1/notes/<note_id>")
def delete_note(note_id: str) -> Response[str]:
    """Delete a note. If the request has If-Match, this header must name the note's current version."""
    request = _request()
    refuse_if_none_match(request)
    store.delete(_checked_id(note_id), versions_in_if_match(request))
    return answers.deleted()


def _request() -> Request:
    return Request(router.current_event.raw_event)


def _checked_id(note_id: str) -> str:
    """Return the id, or raise Problem 404 if the id cannot be the id of a note.

    Without this check, a client could reach items of the table that are not notes.
    """
    if not is_note_id(note_id):
        raise note_not_found()
    return note_id
