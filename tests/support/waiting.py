"""A function that waits for a change. AWS makes some changes later, and sends no message about them."""

from collections.abc import Callable
from typing import TypeVar, cast

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

MAX_WAIT_SECONDS = 180
"""S3 usually sends an event within seconds, but it "can sometimes take a minute or longer" (S3 user guide)."""
Found = TypeVar("Found")


def wait_for(look: Callable[[], Found | None], description: str, *, seconds: float = MAX_WAIT_SECONDS) -> Found:
    """Call `look` again and again until its result is true, and return the result.

    Raises AssertionError with the description if this takes more than `seconds`.
    """

    def give_up(_: object) -> Found:
        raise AssertionError(f"waited {seconds} s for {description}")

    retrying = Retrying(
        retry=retry_if_result(lambda found: not found),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(0.1),
        retry_error_callback=give_up,
    )
    return cast("Found", retrying(look))
