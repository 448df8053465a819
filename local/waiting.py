"""Wait for something that AWS does later."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

Found = TypeVar("Found")


def wait_for(look: Callable[[], Found | None], *, seconds: float, pause: float = 0.1) -> Found | None:
    """Call `look` until it returns something true, and return that; None after `seconds`. Between calls it pauses."""
    retrying = Retrying(
        retry=retry_if_result(lambda found: not found),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(pause),
        retry_error_callback=lambda _: None,
    )
    return retrying(look)
