"""Waiting for what has no caller to tell when it is done."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_SECONDS = 180
"""S3 sends events within seconds, and "can sometimes take a minute or longer"."""
Found = TypeVar("Found")


def until(look: Callable[[], Found | None], what: str, *, seconds: float = PATIENCE_SECONDS) -> Found:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s for {what}")
