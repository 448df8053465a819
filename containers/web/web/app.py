"""The routes of the service, and the rules for every request."""

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
from web.metadata import Locator
from web.page import ALLOW_NOTHING, error_page, page

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": ALLOW_NOTHING,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer. A page sets its own policy, which also allows its style and icon."""
MAX_HEADER_BYTES = 16 * 1024
"""Limit for the request line and the headers together. The load balancer lets four times as much through."""
TOO_LARGE = HTTPException(431, "The headers are too large.", headers={"Connection": "close"})
HAS_BODY = HTTPException(413, "Nothing here takes a body.", headers={"Connection": "close"})


def create_app(drain: Drain, metadata_endpoint: str | None) -> ASGIApp:
    """Return the whole service. `metadata_endpoint` is the value of ECS_CONTAINER_METADATA_URI_V4, which ECS sets."""
    locator = Locator(metadata_endpoint)

    async def show(_request: Request) -> Response:
        return page(await locator.place())

    async def whoami(_request: Request) -> Response:
        return JSONResponse(asdict(await locator.place()))

    async def alive(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_request: Request) -> Response:
        return JSONResponse({"status": "draining"}, 503) if drain.begun else JSONResponse({"status": "ready"})

    app = Starlette(
        routes=[
            Route("/", show),
            Route("/api/whoami", whoami),
            Route("/healthz", alive),
            Route("/readyz", ready),
        ],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
    )
    app.router.redirect_slashes = False  # such a redirect would repeat the host that the client sent
    return AccessLog(RequestRules(app, drain))


class RequestRules:
    """Checks the limits of each request, adds the headers, and closes connections while the server drains."""

    def __init__(self, app: ASGIApp, drain: Drain) -> None:
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["path"] not in HEALTH_CHECKS:
            self._drain.note_request()

        async def finish(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if self._drain.begun:
                    headers["Connection"] = "close"  # so the client's next request goes to another task
            await send(message)

        violation = _violation(scope)
        answer = _answer(scope, violation) if violation else self._app
        await answer(scope, receive, finish)


def _violation(scope: Scope) -> HTTPException | None:
    # uvicorn limits only headers that arrive in parts. Headers that arrive at once pass its limit.
    size = len(scope["raw_path"]) + len(scope["query_string"]) + sum(len(n) + len(v) for n, v in scope["headers"])
    if size > MAX_HEADER_BYTES:
        return TOO_LARGE
    headers = dict(scope["headers"])
    has_body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
    return HAS_BODY if has_body else None


async def _refuse(request: Request, error: Any) -> Response:
    return _answer(request.scope, error)


async def _fail(request: Request, _error: Exception) -> Response:
    return _answer(request.scope, HTTPException(500, "This should not have happened. The log says more."))


def _answer(scope: Scope, error: HTTPException) -> Response:
    accepted = Request(scope).headers.get("accept", "")
    if "text/html" in accepted and not scope["path"].startswith("/api/"):
        return error_page(error)
    return JSONResponse({"status": error.status_code, "error": error.detail}, error.status_code, error.headers)
