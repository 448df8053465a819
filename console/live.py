"""Live parts of pages: the server sends each part again when its content has changed (server-sent events).

In a template, an element with the id `live-NAME` is a live part. htmx puts the new content into the element. It also
connects again after an interruption, and closes the connection while the page is in the background.
"""

from collections.abc import AsyncIterator, Callable, Mapping

import anyio
from markupsafe import Markup, escape
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request

Fragments = Mapping[str, str]
"""HTML of live parts, by the name of the part."""


def partial(name: str, html: str) -> str:
    """Return the message with which htmx replaces the content of a live part."""
    return f'<hx-partial hx-target="#live-{escape(name)}" hx-swap="innerMorph">{html}</hx-partial>'


def live_response(request: Request, read: Callable[[], Fragments], seconds: float) -> EventSourceResponse:
    """Return a stream that calls `read` in a thread every `seconds`, and sends the parts that have changed."""
    return EventSourceResponse(_changes(request, read, seconds), ping=15)


async def _changes(request: Request, read: Callable[[], Fragments], seconds: float) -> AsyncIterator[ServerSentEvent]:
    sent: dict[str, str] = {}
    while not await request.is_disconnected():
        parts = await anyio.to_thread.run_sync(read)
        changed = {name: html for name, html in parts.items() if sent.get(name) != html}
        if changed:
            sent.update(changed)
            yield ServerSentEvent(data="".join(partial(name, html) for name, html in changed.items()))
        await anyio.sleep(seconds)


def live_part(name: str, html: str) -> Markup:
    """Return the element of a live part with its first content."""
    return Markup('<div id="live-{}">{}</div>').format(name, Markup(html))  # noqa: S704 - templates wrote this HTML
