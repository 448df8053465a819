"""The time between the signal to stop and the last request."""

import time
from dataclasses import dataclass, field


@dataclass
class Drain:
    """Decides how long the server goes on after the signal to stop.

    The load balancer sends requests until it notices that the task stops, and clients keep connections open. So the
    server ends after `quiet` seconds without a request, or after `limit` seconds. Health checks do not count.
    """

    quiet: float
    limit: float
    _began: float | None = field(default=None, init=False)
    _last: float = field(default=0.0, init=False)

    @property
    def begun(self) -> bool:
        """Whether the signal has come."""
        return self._began is not None

    @property
    def over(self) -> bool:
        """Whether the server may end now."""
        if self._began is None:
            return False
        now = time.monotonic()
        return now - max(self._began, self._last) >= self.quiet or now - self._began >= self.limit

    def begin(self) -> None:
        """Record that the signal has come."""
        self._began = time.monotonic()

    def note_request(self) -> None:
        """Record that a request has come."""
        self._last = time.monotonic()
