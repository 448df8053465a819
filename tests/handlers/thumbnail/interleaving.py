"""A class that runs several functions at the same time, and switches between them before each call to AWS."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


class CrashError(Exception):
    """Simulates that Lambda ends an environment during a call to AWS."""


class Interleaving:
    """Several threads, of which only one runs at a time.

    Before each call to AWS, `choose` receives the number of threads. It returns the index of the thread that runs next.
    """

    def __init__(self, choose: Callable[[int], int]) -> None:
        self._choose = choose
        self._calls_left: dict[int, int] = {}
        self._paused = threading.Semaphore(0)
        self._resume: dict[int, threading.Semaphore] = {}

    def pause(self, **_: object) -> None:
        """Pause this thread, so that another thread can run.

        Raises CrashError if this thread has made as many calls as `crash_after` allows.
        """
        thread_id = threading.get_ident()
        if thread_id in self._resume:
            self._paused.release()
            self._resume[thread_id].acquire()
            self._calls_left[thread_id] = self._calls_left.get(thread_id, -1) - 1
            if self._calls_left[thread_id] == -1:
                raise CrashError

    @contextmanager
    def pause_before_calls(self, *clients: Any) -> Iterator[None]:
        """Pause before each call of these boto3 clients."""
        with ExitStack() as stack:
            for events in (client.meta.events for client in clients):
                events.register("before-call", self.pause)
                stack.callback(events.unregister, "before-call", self.pause)
            yield

    def crash_after(self, calls: int) -> None:
        """Make this thread crash after this number of calls to AWS. With -1, the thread never crashes."""
        self._calls_left[threading.get_ident()] = calls

    def run(self, *functions: Callable[[], None]) -> None:
        """Run the functions, each in its own thread, until all have ended."""
        threads = [self._start(function) for function in functions]
        while threads:
            thread = threads[self._choose(len(threads))]
            self._resume[thread.ident or 0].release()
            self._paused.acquire()
            threads = [thread for thread in threads if thread.ident in self._resume]

    def _start(self, function: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            thread_id = threading.get_ident()
            self._resume[thread_id] = threading.Semaphore(0)
            self.pause()
            try:
                function()
            finally:
                del self._resume[thread_id]
                self._paused.release()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._paused.acquire()
        return thread
