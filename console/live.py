"""Live parts of pages: the server sends each part again when its content has changed (server-sent events).

In a template, an element with the id `live-NAME` is a live part. htmx puts the new content into the element. It also
connects again after an interruption, and closes the connection while the page is in the background.

A live part can also be a list, whose items have names. After a change, the server sends only the changed items, and the
new order of the names.
"""

from collections.abc import AsyncIterator, Callable, Mapping

import anyio
from markupsafe import Markup, escape
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request

LiveList = Mapping[str, str]
"""HTML of the items of a list, by the name of the item, in the order of the list."""
Fragments = Mapping[str, str | LiveList]
"""HTML of live parts, by the name of the part."""


def partial(name: str, html: str) -> str:
    """Return the message with which htmx replaces the content of a live part."""
    return f'<hx-partial hx-target="#live-{escape(name)}" hx-swap="innerMorph">{html}</hx-partial>'


def live_response(request: Request, read: Callable[[], Fragments], seconds: float) -> EventSourceResponse:
    """Return a stream that calls `read` in a thread every `seconds`, and sends the parts that have changed."""
    return EventSourceResponse(_changes(request, read, seconds), ping=15)


async def _changes(request: Request, read: Callable[[], Fragments], seconds: float) -> AsyncIterator[ServerSentEvent]:
    sent: dict[str, str | LiveList] = {}
    while not await request.is_disconnected():
        parts = await anyio.to_thread.run_sync(read)
        changed = {name: part for name, part in parts.items() if _is_new(sent.get(name), part)}
        if changed:
            yield ServerSentEvent(data="".join(_message(name, sent.get(name), part) for name, part in changed.items()))
            sent.update(changed)
        await anyio.sleep(seconds)


def _is_new(old: str | LiveList | None, new: str | LiveList) -> bool:
    return old != new or (isinstance(new, Mapping) and list(old or ()) != list(new))  # == ignores the order of a list


def _message(name: str, old: str | LiveList | None, new: str | LiveList) -> str:
    if isinstance(new, str):
        return partial(name, new)
    old = old if isinstance(old, Mapping) else None
    # htmx looks for the targets of a message before it changes the page. So a new item has its content in the list.
    # htmx keeps the content of an item that is already in the page. So the content of such an item follows.
    known = old or {}
    items = "".join(_item(name, item, "" if item in known else html) for item, html in new.items())
    changed = (
        partial(f"{name}-{item}", html) for item, html in new.items() if old is None or old.get(item, html) != html
    )
    is_same_order = old is not None and list(old) == list(new)
    return ("" if is_same_order else partial(name, items)) + "".join(changed)


def _item(name: str, item: str, html: str) -> Markup:
    return Markup('<li id="live-{}-{}" hx-morph-skip>{}</li>').format(name, item, Markup(html))  # noqa: S704 - of a template


def live_part(name: str, html: str) -> Markup:
    """Return the element of a live part with its first content."""
    return Markup('<div id="live-{}">{}</div>').format(name, Markup(html))  # noqa: S704 - templates wrote this HTML


def live_list(name: str, items: LiveList, css_class: str = "") -> Markup:
    """Return the element of a list with its first items. Names of items may contain only letters, digits and `-`."""
    content = Markup("").join(_item(name, item, html) for item, html in items.items())
    return Markup('<ul id="live-{}" class="{}">{}</ul>').format(name, css_class, content)
