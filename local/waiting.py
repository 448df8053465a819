"""Wait until AWS has done something."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

Found = TypeVar("Found")


def wait_for(look: Callable[[], Found | None], *, seconds: float, pause: float = 0.1) -> Found | None:
    """Call `look` until it returns a true value, and return this value. Return None after `seconds`.

    There is a pause of `pause` seconds between two calls.
    """
    retrying = Retrying(
        retry=retry_if_result(lambda found: not found),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(pause),
        retry_error_callback=lambda _: None,
    )
    return retrying(look)
