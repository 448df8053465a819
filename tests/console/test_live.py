"""These tests check which messages keep a list on a page up to date."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import AsyncMock

import anyio
import pytest

from console.live import LiveList, live_response

ONE, TWO, THREE = ("<b>one</b>", "<b>two</b>", "<b>three</b>")


def _last_message(*versions: LiveList) -> str:
    """Return the last of the messages that the server sends for these versions of a list."""
    remaining: Iterator[LiveList] = iter(versions)

    async def read_messages() -> str:
        request = AsyncMock(is_disconnected=AsyncMock(return_value=False))
        stream: Any = live_response(request, lambda: {"list": next(remaining)}, 0).body_iterator
        return str([await anext(stream) for _ in versions][-1].data)

    return anyio.run(read_messages)


def test_the_first_message_contains_every_item() -> None:
    message = _last_message({"a": ONE, "b": TWO})
    assert message.startswith('<hx-partial hx-target="#live-list" hx-swap="innerMorph"><li id="live-list-a"')
    assert f'hx-target="#live-list-b" hx-swap="innerMorph">{TWO}' in message, "a page may show an older item"


def test_a_changed_item_is_sent_alone() -> None:
    message = _last_message({"a": ONE, "b": TWO}, {"a": ONE, "b": THREE})
    assert message == f'<hx-partial hx-target="#live-list-b" hx-swap="innerMorph">{THREE}</hx-partial>'


@pytest.mark.parametrize("after", [{"c": THREE, "a": ONE, "b": TWO}, {"b": TWO}, {"b": TWO, "a": ONE}, {}])
def test_a_new_order_contains_only_new_items(after: LiveList) -> None:
    message = _last_message({"a": ONE, "b": TWO}, after)
    assert [name for name in "abc" if f'<li id="live-list-{name}"' in message] == sorted(after)
    assert (ONE in message, TWO in message, THREE in message) == (False, False, "c" in after)
