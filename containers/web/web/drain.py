"""The drain is the time between the signal to stop and the end of the server, which answers requests until the end."""

import time
from dataclasses import dataclass, field


@dataclass
class Drain:
    """Decides when the server may end after the signal to stop.

    The load balancer sends requests until it notices that the task stops, and clients keep connections open. So the
    server continues until `quiet` seconds pass without a request, but at most for `limit` seconds. Health checks are
    not counted as requests.
    """

    quiet: float
    limit: float
    _begin_time: float | None = field(default=None, init=False)
    _last_request_time: float = field(default=0.0, init=False)

    @property
    def has_begun(self) -> bool:
        """Whether the process has got the signal to stop."""
        return self._begin_time is not None

    @property
    def is_over(self) -> bool:
        """Whether the server may end now."""
        if self._begin_time is None:
            return False
        now = time.monotonic()
        quiet_since = max(self._begin_time, self._last_request_time)
        return now - quiet_since >= self.quiet or now - self._begin_time >= self.limit

    def begin(self) -> None:
        """Start the drain. The server calls this when the process gets the signal to stop."""
        self._begin_time = time.monotonic()

    def note_request(self) -> None:
        """Store the time of a request. The app calls this for every request except health checks."""
        self._last_request_time = time.monotonic()
