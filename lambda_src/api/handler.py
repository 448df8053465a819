"""The API's routes: one request in, one answer out, and never a 5xx for what a client did."""

import os
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from api import contract, jsontext
from api.notes import Content, Note
from api.preconditions import if_match, none_match
from api.problems import CONTENT_TYPE, Problem
from api.reading import JSON, MERGE_PATCH, Request, is_note_id
from api.store import Store, changed_meanwhile

logger = Logger()
tracer = Tracer(patch_modules=["botocore"])
app = APIGatewayRestResolver(
    cors=CORSConfig(
        allow_origin=os.environ["ALLOWED_ORIGIN"],
        expose_headers=["ETag", "Location", "Retry-After", "Idempotency-Replayed"],
    )
)

# Two tries of 3 s and a second between them, twice in a patch, end before the function's 20 s do: what DynamoDB fails
# at is answered, and not a time-out.
_aws = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
store = Store(boto3.client("dynamodb", config=_aws), table=os.environ["NOTES_TABLE"])

NOT_SHARED = {"Cache-Control": "private, no-cache"}
"""A cache does not know that X-Api-Key keeps strangers out; and a note may have changed the moment after."""
PATCH_TRIES = 5
"""How often a patch of whichever version is made anew when another change was faster."""


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of API Gateway's (Lambda proxy integration, payload version 1.0)."""
    return app.resolve(event, context)


@app.get("/v1/health")
def health() -> Response[str]:
    """Whether the function runs. It asks nothing of the table, for everybody may call it."""
    return _answer(200, {"status": "ok"})


@app.post("/v1/notes")
def create_note() -> Response[str]:
    """Create a note; with an Idempotency-Key, once however often it is asked for."""
    request = _request()
    key = request.idempotency_key()
    content = Content.of(request.json(JSON))
    if key is None:
        return _created(store.create(content, _now()))
    created = store.create_once(content, _now(), client=request.client, key=key)
    return _created(created.note, replayed=created.replayed)


@app.get("/v1/notes")
def list_notes() -> Response[str]:
    """A page of notes, newest first, without their bodies."""
    request = _request()
    page = store.page(request.limit(), request.cursor())
    return _answer(200, {"notes": page.summaries, "next_cursor": str(page.next) if page.next else None})


@app.get("/v1/notes/<note_id>")
def read_note(note_id: str) -> Response[str]:
    """One note, unless the client has it already."""
    note = store.read(_known(note_id))
    if none_match(_request().list_header("If-None-Match"), note.etag):
        return _current(note)
    return Response(status_code=304, headers={"ETag": note.etag, **NOT_SHARED}, body="")


@app.put("/v1/notes/<note_id>")
def replace_note(note_id: str) -> Response[str]:
    """Replace a note, if it is still the version that the client has seen."""
    request = _request()
    versions = _required_versions(request)
    content = Content.of(request.json(JSON))
    return _current(store.replace(_known(note_id), content, _now(), versions))


@app.patch("/v1/notes/<note_id>")
def patch_note(note_id: str) -> Response[str]:
    """Change a part of a note, if it is still the version that the client has seen."""
    request = _request()
    versions = _required_versions(request)
    patch = request.json(MERGE_PATCH, JSON)
    contract.require("NotePatch", patch)
    for _ in range(PATCH_TRIES):
        note = store.read(_known(note_id))
        if versions is not None and note.version not in versions:
            raise changed_meanwhile(note.etag)
        try:
            return _current(store.replace(note_id, note.content.patched(patch), _now(), frozenset({note.version})))
        except Problem as problem:
            if versions is not None or problem.status != 412:  # noqa: PLR2004 - Precondition Failed
                raise
    raise Problem(409, "Others change this note all the time; try again.", headers={"Retry-After": "1"})


@app.delete("/v1/notes/<note_id>")
def delete_note(note_id: str) -> Response[str]:
    """Delete a note; with If-Match, only the version that the client has seen."""
    request = _request()
    _refuse_if_none_match(request)
    store.delete(_known(note_id), if_match(request.list_header("If-Match")))
    return Response(status_code=204, body="")


@app.not_found
def no_route(_error: NotFoundError) -> Response[str]:
    """404 where there is nothing, 405 where there is something else to do."""
    methods = contract.methods(app.current_event.path)
    # A path with characters that the resolver's routes do not take is one of a note that there is not.
    if not methods or app.current_event.http_method in methods:
        return _refused(Problem(404, "There is no such resource."))
    allowed = ", ".join([*methods, "OPTIONS"])
    return _refused(Problem(405, f"This resource knows {allowed}.", headers={"Allow": allowed}))


@app.exception_handler(Problem)  # type: ignore[untyped-decorator]
def problem(error: Problem) -> Response[str]:
    """What is wrong with the request: the client's to mend, so no error of ours."""
    logger.info("refused", status=error.status, detail=str(error))
    return _refused(error)


@app.exception_handler([ClientError, BotoCoreError])  # type: ignore[untyped-decorator]
def aws_failed(error: ClientError | BotoCoreError) -> Response[str]:
    """What DynamoDB failed at: an alarm counts the 5xx, and the client may try again."""
    logger.error("AWS failed", exc_info=error)
    return _refused(Problem(503, "The notes cannot be reached now; try again.", headers={"Retry-After": "1"}))


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]
def our_fault(error: Exception) -> Response[str]:
    """A bug. The client learns the id under which the log tells more."""
    logger.error("a bug", exc_info=error)
    return _refused(Problem(500, "The service has a bug; it is in its log under the request_id."))


def _request() -> Request:
    return Request(app.current_event.raw_event)


def _now() -> datetime:
    return datetime.now(UTC)


def _known(note_id: str) -> str:
    if not is_note_id(note_id):
        raise Problem(404, "There is no such note.")
    return note_id


def _refuse_if_none_match(request: Request) -> None:
    if request.list_header("If-None-Match") is not None:
        raise Problem(400, "If-None-Match is for reading; a change takes If-Match.")


def _required_versions(request: Request) -> frozenset[int] | None:
    _refuse_if_none_match(request)
    value = request.list_header("If-Match")
    if value is None:
        raise Problem(428, "Send the ETag of the version that you change as If-Match, or `*` for whichever there is.")
    return if_match(value)


def _created(note: Note, *, replayed: bool = False) -> Response[str]:
    # Relative to the request's own URL, whatever stage or domain is in front. RFC 9110, section 10.2.2.
    folder = "" if app.current_event.path.endswith("/") else "notes/"
    headers = {"ETag": note.etag, "Location": f"{folder}{note.id}"}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return _answer(201, note.as_json(), headers)


def _current(note: Note) -> Response[str]:
    return _answer(200, note.as_json(), {"ETag": note.etag})


def _refused(error: Problem) -> Response[str]:
    document = error.document(app.current_event.request_context.request_id)
    return Response(error.status, CONTENT_TYPE, jsontext.dump(document), error.headers)


def _answer(status: int, document: dict[str, Any], headers: dict[str, str] | None = None) -> Response[str]:
    return Response(status, JSON, jsontext.dump(document), {**NOT_SHARED, **(headers or {})})
