"""Many requests at once, to show the limits of the API: a few get an answer, and the others get 429."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

REQUESTS = 100
"""The number of requests. It is far above the limits of one API key."""
THREADS = 20
"""The maximum number of requests at the same time. More threads would only wait for this machine's processor."""
NO_ANSWER = 0
"""The status of a request without an answer."""
TOO_MANY_REQUESTS = 429

Send = Callable[[], tuple[int, str]]
"""Sends one request. Returns the status of the answer, and its header Retry-After."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to one request of the burst. The times are seconds since the start of the burst."""

    number: int
    sent: float
    received: float
    status: int
    retry_after: str

    @property
    def kind(self) -> str:
        """The kind of the answer, which decides its colour: good, warm (429) or bad."""
        if self.status == TOO_MANY_REQUESTS:
            return "warm"
        return "good" if 200 <= self.status < 300 else "bad"  # noqa: PLR2004 - successful, RFC 9110, section 15.3


class Burst:
    """Sends one burst at a time in the background."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: list[Answer] = []
        self._is_running = False

    def start(self, send: Send) -> bool:
        """Start a burst. Return False if a burst still runs."""
        with self._lock:
            if self._is_running:
                return False
            self._is_running, self._answers = True, []
        # The thread ends with the console, even if a request has no answer yet.
        threading.Thread(target=self._run, args=(send,), daemon=True, name="burst").start()
        return True

    @property
    def is_running(self) -> bool:
        """Whether requests still wait for an answer."""
        return self._is_running

    def answers(self) -> Sequence[Answer]:
        """Return the answers until now, in the order of the requests."""
        with self._lock:
            return sorted(self._answers, key=lambda answer: answer.number)

    def _run(self, send: Send) -> None:
        start = time.monotonic()

        def request(number: int) -> None:
            sent = time.monotonic() - start
            try:
                status, retry_after = send()
            except OSError:  # all errors of a connection, which also are the errors of requests
                status, retry_after = NO_ANSWER, ""
            received = time.monotonic() - start
            with self._lock:
                self._answers.append(
                    Answer(number=number, sent=sent, received=received, status=status, retry_after=retry_after)
                )

        try:
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(request, range(REQUESTS)))
        finally:
            self._is_running = False


def counts(answers: Sequence[Answer]) -> Sequence[tuple[int, str, int]]:
    """Return each status with its kind and the number of its answers, the lowest status first."""
    return [
        (status, kind, count) for (status, kind), count in sorted(Counter((a.status, a.kind) for a in answers).items())
    ]
