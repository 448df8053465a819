"""The operations of openapi.json. Each function below parses the request, calls the table and returns the answer."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import botocore.session
from botocore.config import Config

from api import answers, openapi
from api.answers import Answer
from api.notes import Content, is_note_id
from api.preconditions import client_has_version, refuse_if_none_match, required_versions, versions_in_if_match
from api.problems import note_not_found
from api.request import JSON, MERGE_PATCH, Request
from api.store import Store
from api.validation import validate

# If DynamoDB does not answer, a call fails after at most 7 s: two attempts of 3 s each, and 1 s between them. A patch
# makes two calls, which need 14 s. It makes more calls only while other clients change the same note. So the client
# gets an answer before the function's timeout of 20 s.
_aws = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
# boto3 would add the modules for uploads to S3 and for resources, which need a tenth of the import time.
_dynamodb: Any = botocore.session.get_session().create_client("dynamodb", config=_aws)
store = Store(_dynamodb, table=os.environ["NOTES_TABLE"])


def answer(request: Request) -> Answer:
    """Call the operation for the request, and return its answer. Raises Problem, and botocore's errors if AWS fails."""
    operation, parameters = openapi.find_operation(request.method, request.path)
    # Both versions of the API have the same operations. They differ in the notes that a request may reach.
    return OPERATIONS[operation.removesuffix("_v2")](request, **parameters)


def _notes(request: Request) -> Store:
    """Return the notes that the request may reach: in version 1 all notes, in version 2 the notes of the person."""
    return store.of(request.person()) if request.path.startswith("/v2/") else store


def health(_request: Request) -> Answer:
    """Report that the function runs.

    Anybody can call this operation, because it needs no API key. So it does not use the table, which costs money.
    """
    return answers.json_answer(200, {"status": "ok"})


def create_note(request: Request) -> Answer:
    """Create a note. If a client repeats the request with the same Idempotency-Key, only one note is created."""
    notes = _notes(request)
    key = request.idempotency_key()
    content = Content.from_document(request.json(JSON))
    if key is None:
        return answers.created(notes.create(content), request.path)
    creation = notes.create_once(content, client=request.client, key=key)
    return answers.created(creation.note, request.path, replayed=creation.replayed)


def list_notes(request: Request) -> Answer:
    """Return a page of notes, newest first, without their bodies."""
    page = _notes(request).page(request.limit(), request.cursor())
    return answers.json_answer(200, page.as_json())


def read_note(request: Request, note_id: str) -> Answer:
    """Return a note. If the client already has this version (If-None-Match), return 304 without the note."""
    note = _notes(request).read(_checked_id(note_id))
    return answers.not_modified(note) if client_has_version(request, note.etag) else answers.note_answer(note)


def replace_note(request: Request, note_id: str) -> Answer:
    """Replace all content of a note. If-Match must name the note's current version."""
    versions = required_versions(request)
    content = Content.from_document(request.json(JSON))
    return answers.note_answer(_notes(request).replace(_checked_id(note_id), content, versions))


def patch_note(request: Request, note_id: str) -> Answer:
    """Change a part of a note. If-Match must name the note's current version."""
    versions = required_versions(request)
    patch = request.json(MERGE_PATCH, JSON)
    validate("NotePatch", patch)
    return answers.note_answer(_notes(request).patch(_checked_id(note_id), patch, versions))


def delete_note(request: Request, note_id: str) -> Answer:
    """Delete a note. If the request has If-Match, this header must name the note's current version."""
    refuse_if_none_match(request)
    _notes(request).delete(_checked_id(note_id), versions_in_if_match(request))
    return answers.deleted()


def export_notes(request: Request) -> Answer:
    """Return a page of the notes of all people, one note in each line. Only the export's function may scan the table.

    API Gateway lets only programs call this operation, with a signature of IAM.
    """
    page = store.scan(request.export_cursor())
    link = {} if page.next_cursor is None else {"Link": f'<?cursor={page.next_cursor}>; rel="next"'}
    return answers.lines_answer(page.lines, link)


def _checked_id(note_id: str) -> str:
    """Return the id, or raise Problem 404 if the id cannot be the id of a note.

    Without this check, a client could reach items of the table that are not notes.
    """
    if not is_note_id(note_id):
        raise note_not_found()
    return note_id


OPERATIONS: Mapping[str, Callable[..., Answer]] = {
    function.__name__: function
    for function in (
        *(health, create_note, list_notes, read_note, replace_note, patch_note, delete_note),
        export_notes,
    )
}
"""The functions by the operationId in openapi.json, without `_v2`. The parameters in the path are keyword arguments."""
