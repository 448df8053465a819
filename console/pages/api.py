"""The page of the API example: the OpenAPI document to try, the notes, and requests over the limits."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import anyio
import requests
from botocore.exceptions import BotoCoreError, ClientError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from console.account import AccountError
from console.burst import REQUESTS, Burst, counts
from console.examples import Example
from console.notes_api import ANSWER_HEADERS, NotesApi, key_of, note_document, openapi, summary
from console.own_notes import NAMES, OwnNotes
from console.page import Action, ActionError, ExamplePage, Form

NOTES = 50
"""The newest notes that the page shows."""
PROXY = "/examples/api/proxy"
PROXY_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
JSON_TYPES = ("application/json", "application/problem+json")
SANDBOX = {"Content-Security-Policy": "sandbox; default-src 'none'"}
"""If somebody opens an answer of the API as a page, the browser runs nothing in it."""
ERRORS = (AccountError, BotoCoreError, ClientError, requests.RequestException)


class Page(ExamplePage):
    """Lets a person call the API, write notes, and see the limits."""

    template = "api.html"

    def __init__(self, console: Any) -> None:
        """`console` gives access to the account and to the templates."""
        super().__init__(console)
        self._burst = Burst()
        self._own_notes = OwnNotes(self.account)

    def values(self, example: Example) -> Mapping[str, Any]:
        """Return the limits of one API key, from the template."""
        (plan,) = example.resources("AWS::ApiGateway::UsagePlan").values()
        return {"throttle": plan["Properties"]["Throttle"], "quota": plan["Properties"]["Quota"], "requests": REQUESTS}

    def live(self, example: Example) -> Mapping[str, str]:
        """Return the table of the notes, and the answers of the last burst."""
        # The page reads the table itself. A page that calls the API all the time would soon reach the quota of the key.
        found = self.account.client("dynamodb").query(
            TableName=example.outputs["TableName"],
            IndexName="newest",
            KeyConditionExpression="#collection = :notes",
            ExpressionAttributeNames={"#collection": "collection"},
            ExpressionAttributeValues={":notes": {"S": "notes"}},
            ScanIndexForward=False,
            Limit=NOTES,
        )
        answers = self._burst.answers()
        return {
            "notes": self.render(
                "_api_notes.html", example=example, notes=found["Items"], has_more="LastEvaluatedKey" in found
            ),
            "burst": self.render(
                "_api_burst.html",
                answers=answers,
                counts=counts(answers),
                seconds=max((answer.received for answer in answers), default=0.0),
                is_running=self._burst.is_running,
                requests=REQUESTS,
            ),
            **self._own_parts(example),
        }

    def _own_parts(self, example: Example) -> Mapping[str, str]:
        """Return who is signed in to version 2 and this person's notes; in a real account, only the number of notes."""
        if not self.account.is_local:
            owners, has_more = self._own_notes.owners(example)
            return {"owners": self.render("_api_owners.html", owners=owners, has_more=has_more)}
        session, now = self._own_notes.session(example), datetime.now(UTC)
        notes, has_more = self._own_notes.notes(example)
        return {
            "person": self.render(
                "_api_person.html",
                example=example,
                names=NAMES,
                session=session,
                is_expired=session is not None and session.expires <= now,
            ),
            "own-notes": self.render(
                "_api_own_notes.html", example=example, session=session, notes=notes, has_more=has_more
            ),
        }

    def actions(self) -> Mapping[str, Action]:
        """Return the actions of the buttons: write a note, delete a note, send a burst, and those of version 2."""
        return {
            "create": Action(self._create),
            "delete": Action(self._delete),
            "burst": Action(self._start_burst),
            **self._own_notes.actions(),
        }

    def routes(self) -> Sequence[BaseRoute]:
        """Return Swagger UI, its document, the proxy to the API, and the content of one note."""
        return [
            Route("/examples/api/try", self._endpoint(self._try)),
            Route("/examples/api/openapi.json", self._endpoint(self._openapi)),
            Route("/examples/api/note", self._endpoint(self._note)),
            Route("/examples/api/own-note", self._endpoint(self._own_note)),
            Route(f"{PROXY}/{{path:path}}", self._forward, methods=list(PROXY_METHODS)),
        ]

    # -- actions

    def _create(self, example: Example, form: Form) -> str:
        document = note_document(form.get("title", ""), form.get("body", ""), form.get("tags", ""))
        answer = NotesApi(self.account, example).call("POST", "v1/notes", self._key(example), document)
        return f"The API answers 201 Created. The note has the id {answer.json()['id']}."

    def _delete(self, example: Example, form: Form) -> str:
        path = f"v1/notes/{form.get('id', '')}"
        NotesApi(self.account, example).call("DELETE", path, self._key(example))
        return "The API answers 204 No Content. The note is deleted."

    def _start_burst(self, example: Example, _form: Form) -> str:
        api, headers = NotesApi(self.account, example), self._key(example)

        def send() -> tuple[int, str]:
            answer = api.forward("GET", "v1/notes", "limit=1", headers, b"")
            return answer.status_code, answer.headers.get("Retry-After", "")

        if not self._burst.start(send):
            raise ActionError("A burst still runs. Wait for its last answer.")
        return f"The console sends {REQUESTS} requests. The chart shows each answer."

    def _key(self, example: Example) -> Mapping[str, str]:
        """Return the header with the API key."""
        return {"X-Api-Key": key_of(self.account, example)}

    # -- routes

    def _try(self, _request: Request) -> Response:
        example = self._example()
        key = key_of(self.account, example) if self.account.is_local else ""
        return HTMLResponse(self.render("api_try.html", example=example, key=key))

    def _openapi(self, _request: Request) -> Response:
        server = PROXY if self.account.is_local else self._example().outputs["ApiUrl"].removesuffix("/")
        return JSONResponse(openapi(server))

    def _note(self, request: Request) -> Response:
        item = (
            self.account.client("dynamodb")
            .get_item(
                TableName=self._example().outputs["TableName"],
                Key={"id": {"S": request.query_params.get("id", "") or "-"}},
            )
            .get("Item")
        )
        if item is None or "title" not in item:
            return HTMLResponse(self.render("_outcome.html", kind="error", text="This note does not exist any more."))
        return HTMLResponse(self.render("_api_note.html", note=item, body=_readable(item["body"]["S"])))

    def _own_note(self, request: Request) -> Response:
        if not self.account.is_local:
            return PlainTextResponse("The console signs nobody in to a real account.\n", status_code=403)
        answer = self._own_notes.read(self._example(), request.query_params.get("id", ""))
        if not answer.ok:
            return HTMLResponse(self.render("_outcome.html", kind="error", text=f"The API answers {summary(answer)}"))
        # The page shows the JSON text of the answer, because a parser would change long numbers.
        return HTMLResponse(
            self.render("_api_own_note.html", note=answer.json(), etag=answer.headers["ETag"], text=answer.text)
        )

    async def _forward(self, request: Request) -> Response:
        if not self.account.is_local:
            return PlainTextResponse("The console changes nothing in a real account.\n", status_code=403)
        body = await request.body()

        def send(_request: Request) -> Response:
            answer = NotesApi(self.account, self._example()).forward(
                request.method, request.path_params["path"], request.url.query, request.headers, body
            )
            headers = {name: answer.headers[name] for name in ANSWER_HEADERS if name in answer.headers}
            if headers.get("Content-Type", "").split(";")[0] not in JSON_TYPES:
                headers["Content-Type"] = "text/plain; charset=utf-8"
            return Response(answer.content, status_code=answer.status_code, headers={**headers, **SANDBOX})

        return await self._endpoint(send)(request)

    def _example(self) -> Example:
        example = self.console.examples().get("api")
        if example is None:
            raise AccountError("The stack of api does not exist any more.")
        return example

    def _endpoint(self, read: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that calls `read` in a thread, and answers an error with one sentence."""

        async def endpoint(request: Request) -> Response:
            try:
                return await anyio.to_thread.run_sync(read, request)
            except ActionError as error:
                return PlainTextResponse(f"{error}\n", status_code=404)
            except ERRORS as error:
                return PlainTextResponse(f"{self.account.explanation(error)}\n", status_code=503)

        return endpoint


def _readable(body: str) -> str:
    """Return the body of a note for people: a text without its quotes, or another JSON value as the table stores it."""
    value = json.loads(body) if body.startswith('"') else body
    return str(value)
