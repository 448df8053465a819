"""From the signal to stop until nobody asks any more."""

import time
from dataclasses import dataclass, field


@dataclass
class Drain:
    """How long to go on serving after the signal to stop.

    A load balancer goes on sending until it has noticed that the task leaves, and clients keep connections open. So the
    end is when no request came for `quiet` seconds, at the latest after `limit` seconds. Health checks do not count.
    """

    quiet: float
    limit: float
    _began: float | None = field(default=None, init=False)
    _last: float = field(default=0.0, init=False)

    @property
    def begun(self) -> bool:
        """Whether the signal came."""
        return self._began is not None

    @property
    def over(self) -> bool:
        """Whether it is time to close the door."""
        if self._began is None:
            return False
        now = time.monotonic()
        return now - max(self._began, self._last) >= self.quiet or now - self._began >= self.limit

    def begin(self) -> None:
        """Take note of the signal."""
        self._began = time.monotonic()

    def note_request(self) -> None:
        """Take note that somebody asked."""
        self._last = time.monotonic()
