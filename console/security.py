"""Keep other web pages away from the console.

The console listens only on this machine, but every page in the user's browser can send requests to it. So a request
must name this machine as its host. Otherwise a page could use its own host name for 127.0.0.1. A request that changes
something must come from a page of the console. Other pages may link to the console, but not load parts of it.
Browsers name the kind of each request in the headers Sec-Fetch-… (https://www.w3.org/TR/fetch-metadata/).
"""

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = {"GET", "HEAD"}
"""Requests with these methods change nothing (RFC 9110, section 9.2.1)."""
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
)
"""The Content-Security-Policy of all pages. The browser loads nothing from elsewhere, and runs no inline script."""
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""The headers of each response. A response with its own value of a header keeps its own value."""

CACHED_PATHS = ("/static/", "/packages/")
CACHED = {"Cache-Control": "max-age=31536000, immutable"}
"""Scripts and styles have a version in the query of their URL, so a browser may keep them."""


class SameOrigin:
    """Refuses requests from other web pages, and adds HEADERS to each response."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        """`port` is the console's port on this machine."""
        self._app = app
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "websocket":  # the console has none, so a later one must not be open by accident
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                cached = CACHED if scope["path"].startswith(CACHED_PATHS) and scope["query_string"] else {}
                names = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (n.encode(), v.encode())
                        for n, v in {**HEADERS, **cached}.items()
                        if n.lower().encode() not in names
                    ),
                ]
            await send(message)

        reason = self._reason_to_refuse(scope["method"], Headers(scope=scope))
        app = PlainTextResponse(f"{reason}\n", status_code=403) if reason else self._app
        await app(scope, receive, send_with_headers)

    def _reason_to_refuse(self, method: str, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if host not in self._hosts:
            return "The console answers only requests to 127.0.0.1 and localhost."
        if method not in SAFE_METHODS and headers.get("origin") != f"http://{host}":
            return "Only the pages of the console may change something. This request has another Origin, or none."
        is_link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"} and not is_link:
            return "Another page may only link to the console. It may not load parts of it."
        return None
