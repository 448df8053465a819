"""A small load that a page sends to a web service, so that a person sees which task answers each request."""

import http.client
import json
import statistics
import threading
import time
import urllib.request
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

PAUSE_SECONDS = 0.1
"""The time between two requests."""
MAX_SECONDS = 5 * 60
"""The load ends after this time."""
UNSEEN_SECONDS = 10
"""The load ends if no page has shown it for this time."""
TIMEOUT_SECONDS = 10
MAX_BYTES = 64 * 1024
SHOWN_REQUESTS = 60
MEASURED_REQUESTS = 600
"""The response times are those of so many requests, which are one minute."""

Send = Callable[[str], str]
"""Sends a request to a URL, and returns the id of the task that answered. Raises an error of ERRORS."""
ERRORS = (OSError, http.client.HTTPException, ValueError)


@dataclass(frozen=True, kw_only=True)
class LoadState:
    """The numbers of a load since its start."""

    is_on: bool
    reason: str
    """Why the load has ended by itself. It is empty if a person ended it."""
    answered: Mapping[str, int]
    """The number of answered requests, by the id of the task."""
    failed: int
    last_error: str
    recent: Sequence[str]
    """The ids of the tasks that answered the last requests. A failed request is an empty text."""
    half_ms: float | None
    """Half of the requests were faster than this (p50)."""
    most_ms: float | None
    """95 % of the requests were faster than this (p95)."""


class Load:
    """Sends requests one after the other in a thread, at most ten a second."""

    def __init__(self, send: Send | None = None) -> None:
        """`send` replaces the function that sends a request. Tests use this."""
        self._send = send or answering_task
        self._lock = threading.Lock()
        self._end: threading.Event | None = None
        self._seen_at = 0.0
        self._totals = (0, 0)
        self._reset()

    def start(self, url: str) -> None:
        """Send requests to the URL from now on. If the load is on, it continues."""
        with self._lock:
            if self._end:
                return
            self._reset()
            self._end, self._seen_at = threading.Event(), time.monotonic()
            threading.Thread(target=self._run, args=(url, self._end), daemon=True).start()

    def stop(self, reason: str = "") -> None:
        """End the load. It can start again at once."""
        with self._lock:
            if self._end:
                self._end.set()
                self._end, self._reason = None, reason

    def totals(self) -> tuple[int, int]:
        """Return the numbers of answered and failed requests since the first start."""
        with self._lock:
            return self._totals

    def look(self) -> LoadState:
        """Return the numbers for a page. The load ends if nobody calls this function for UNSEEN_SECONDS."""
        with self._lock:
            self._seen_at = time.monotonic()
            times = [1000 * seconds for seconds in self._times]
            percentiles = statistics.quantiles(times, n=20) if len(times) > 1 else []
            return LoadState(
                is_on=self._end is not None,
                reason=self._reason,
                answered=dict(self._answered),
                failed=self._failed,
                last_error=self._last_error,
                recent=tuple(self._recent),
                half_ms=percentiles[9] if percentiles else None,
                most_ms=percentiles[18] if percentiles else None,
            )

    def _reset(self) -> None:
        self._answered: Counter[str] = Counter()
        self._failed, self._last_error, self._reason = 0, "", ""
        self._recent: deque[str] = deque(maxlen=SHOWN_REQUESTS)
        self._times: deque[float] = deque(maxlen=MEASURED_REQUESTS)

    def _run(self, url: str, end: threading.Event) -> None:
        started_at = next_at = time.monotonic()
        while not end.wait(max(0, next_at - time.monotonic())):
            now = time.monotonic()
            if now - started_at > MAX_SECONDS:
                self.stop(f"The load ended by itself after {MAX_SECONDS // 60} minutes.")
            elif now - self._seen_at > UNSEEN_SECONDS:
                self.stop(f"The load ended by itself, because no page showed it for {UNSEEN_SECONDS} seconds.")
            else:
                self._send_one(url, end)
                next_at = max(next_at + PAUSE_SECONDS, time.monotonic() - 1)  # a slow answer causes no rush afterwards

    def _send_one(self, url: str, end: threading.Event) -> None:
        task, error, began = "", "", time.monotonic()
        try:
            task = self._send(url)
        except ERRORS as found:
            error = str(found) or type(found).__name__
        seconds = time.monotonic() - began
        with self._lock:
            answered, failed = self._totals
            self._totals = (answered + (not error), failed + bool(error))
            if end.is_set():
                return  # the numbers may be those of the next load
            self._recent.append(task)
            self._times.append(seconds)
            if error:
                self._failed, self._last_error = self._failed + 1, error
            else:
                self._answered[task] += 1


def answering_task(url: str) -> str:
    """Send a request on a new connection, and return the id of the task that answered.

    Raises an error of ERRORS if the request fails, or if the answer does not name a task.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=TIMEOUT_SECONDS) as response:
        answer = json.loads(response.read(MAX_BYTES))
    task = answer.get("task") if isinstance(answer, dict) else None
    if not isinstance(task, str) or not task:
        raise ValueError("The answer does not name a task.")
    return task
