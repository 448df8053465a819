"""Call an ASGI application without a server and without a network."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

import anyio
from starlette.types import ASGIApp, Message


@dataclass(frozen=True)
class Answer:
    """The answer of an application."""

    status: int
    headers: Mapping[str, str]
    """The headers. Their names are in lower case."""
    body: str


def call(app: ASGIApp, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
    """Return the answer to a request. Of an endless stream, it contains only the first part.

    `path` goes to the application as it is: a browser would remove `..` from it.
    """
    messages: list[Message] = []
    raw_path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(raw_path).decode(),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 50000),
    }

    async def run() -> None:
        has_content = anyio.Event()
        is_received = False

        async def receive() -> Message:
            nonlocal is_received
            if not is_received:
                is_received = True
                return {"type": "http.request", "body": body, "more_body": False}
            await has_content.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            messages.append(message)
            if message.get("body"):
                has_content.set()

        with anyio.fail_after(20):
            await app(scope, receive, send)

    try:
        with ThreadPoolExecutor() as thread:  # playwright may occupy the event loop of this thread
            thread.submit(anyio.run, run).result()
    except Exception:
        if not messages:  # Starlette answers first, and raises the error of the page again for the server's log
            raise
    start = next(message for message in messages if message["type"] == "http.response.start")
    return Answer(
        status=start["status"],
        headers={name.decode().lower(): value.decode() for name, value in start["headers"]},
        body=b"".join(message.get("body", b"") for message in messages).decode(errors="replace"),
    )
