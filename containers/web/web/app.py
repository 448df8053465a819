"""The routes of the web service, and the rules that it applies to every request."""

from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.drain import Drain
from web.logs import HEALTH_CHECKS, AccessLog
from web.metadata import TaskInfoReader
from web.page import ALLOW_NOTHING, error_page, page

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": ALLOW_NOTHING,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer. A page has another Content-Security-Policy, which also allows its style and its icon."""
MAX_HEADER_BYTES = 16 * 1024
"""Maximum size of the request line and the headers together. The load balancer allows four times as much."""
TOO_LARGE = HTTPException(431, "The headers are too large.", headers={"Connection": "close"})
HAS_BODY = HTTPException(413, "This service does not accept a request body.", headers={"Connection": "close"})


def create_app(drain: Drain, metadata_endpoint: str | None) -> ASGIApp:
    """Return the web service.

    `metadata_endpoint` is the value of the environment variable ECS_CONTAINER_METADATA_URI_V4. Only ECS sets it.
    """
    reader = TaskInfoReader(metadata_endpoint)

    async def show_page(_request: Request) -> Response:
        return page(await reader.read())

    async def whoami(_request: Request) -> Response:
        return JSONResponse(asdict(await reader.read()))

    async def report_alive(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def report_ready(_request: Request) -> Response:
        return JSONResponse({"status": "draining"}, 503) if drain.has_begun else JSONResponse({"status": "ready"})

    app = Starlette(
        routes=[
            Route("/", show_page),
            Route("/api/whoami", whoami),
            Route("/healthz", report_alive),
            Route("/readyz", report_ready),
        ],
        exception_handlers={HTTPException: _answer_http_error, Exception: _answer_bug},
    )
    app.router.redirect_slashes = False  # a redirect would contain the host name that the client sent
    return AccessLog(RequestRules(app, drain))


class RequestRules:
    """Checks the limits of each request and adds headers to the answer. During the drain it also closes connections."""

    def __init__(self, app: ASGIApp, drain: Drain) -> None:
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that breaks a rule; pass every other request to the app."""
        if scope["path"] not in HEALTH_CHECKS:
            self._drain.note_request()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if self._drain.has_begun:
                    headers["Connection"] = "close"  # the next request of the client then goes to another task
            await send(message)

        violation = _violation(scope)
        answer = _answer(scope, violation) if violation else self._app
        await answer(scope, receive, send_with_headers)


def _violation(scope: Scope) -> HTTPException | None:
    # uvicorn limits the size of headers only if they arrive in several parts. So this function checks every request.
    size = len(scope["raw_path"]) + len(scope["query_string"]) + sum(len(n) + len(v) for n, v in scope["headers"])
    if size > MAX_HEADER_BYTES:
        return TOO_LARGE
    headers = dict(scope["headers"])
    has_body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
    return HAS_BODY if has_body else None


async def _answer_http_error(request: Request, error: Any) -> Response:
    return _answer(request.scope, error)


async def _answer_bug(request: Request, _error: Exception) -> Response:
    return _answer(
        request.scope, HTTPException(500, "The service has an internal error. Its log contains the details.")
    )


def _answer(scope: Scope, error: HTTPException) -> Response:
    accepted = Request(scope).headers.get("accept", "")
    if "text/html" in accepted and not scope["path"].startswith("/api/"):
        return error_page(error, scope["raw_path"])
    return JSONResponse({"status": error.status_code, "error": error.detail}, error.status_code, error.headers)
