"""Waiting for what has no caller to tell when it is done."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

Found = TypeVar("Found")


def until(look: Callable[[], Found | None], *, seconds: float = 60) -> Found:
    """Return the result of `look` as soon as it is true. Raises RetryError after so many seconds."""
    attempts = Retrying(
        stop=stop_after_delay(seconds), wait=wait_fixed(0.1), retry=retry_if_result(lambda found: not found)
    )
    return attempts(look)  # type: ignore[return-value] # it is retried while it is None
