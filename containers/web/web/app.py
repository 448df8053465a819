"""What is served under which path."""

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
from web.page import error_page, page

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer; a page allows its own style on top."""
HAS_BODY = HTTPException(413, "Nothing here takes a body.", headers={"Connection": "close"})


def create_app(drain: Drain, metadata_endpoint: str | None) -> ASGIApp:
    """The whole service. `metadata_endpoint` is the value of ECS_CONTAINER_METADATA_URI_V4, where there is one."""
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
    app.router.redirect_slashes = False  # it would send the client to the host that the client named
    return AccessLog(Manners(app, drain))


class Manners:
    """What holds for every answer: its headers, no body in a request, and a farewell while the server drains."""

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
                    headers["Connection"] = "close"  # the client's next request finds another task
            await send(message)

        if _has_body(scope):
            await _answer(scope, HAS_BODY)(scope, receive, finish)
        else:
            await self._app(scope, receive, finish)


def _has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


async def _refuse(request: Request, error: Any) -> Response:
    return _answer(request.scope, error)


async def _fail(request: Request, _error: Exception) -> Response:
    return _answer(request.scope, HTTPException(500, "This should not have happened. The log says more."))


def _answer(scope: Scope, error: HTTPException) -> Response:
    accepted = Request(scope).headers.get("accept", "")
    if "text/html" in accepted and not scope["path"].startswith("/api/"):
        return error_page(error)
    return JSONResponse({"status": error.status_code, "error": error.detail}, error.status_code, error.headers)
