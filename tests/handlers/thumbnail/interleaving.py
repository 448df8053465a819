"""Runs several functions in turns, and switches between them before each call to AWS."""

import threading
from collections.abc import Callable
from typing import Any

OPERATIONS = (
    *("get_object", "head_object", "put_object", "delete_object", "get_paginator"),
    *("get_item", "put_item", "delete_item"),
)


class CrashError(Exception):
    """Stands for the end of a Lambda environment during a call to AWS."""


class Interleaving:
    """Threads of which one runs at a time. Before each call to AWS, `choose` selects the next by its position."""

    def __init__(self, choose: Callable[[int], int]) -> None:
        self._choose = choose
        self._calls_left: dict[int, int] = {}
        self._paused = threading.Semaphore(0)
        self._resume: dict[int, threading.Semaphore] = {}

    def pause(self) -> None:
        """Let another thread run. Raises CrashError if this thread has no calls left."""
        me = threading.get_ident()
        if me in self._resume:
            self._paused.release()
            self._resume[me].acquire()
            self._calls_left[me] = self._calls_left.get(me, -1) - 1
            if self._calls_left[me] == -1:
                raise CrashError

    def crash_after(self, calls: int) -> None:
        """Make this thread crash after so many calls to AWS; -1: never."""
        self._calls_left[threading.get_ident()] = calls

    def run(self, *functions: Callable[[], None]) -> None:
        """Run the functions until all have ended."""
        threads = [self._start(function) for function in functions]
        while threads:
            thread = threads[self._choose(len(threads))]
            self._resume[thread.ident or 0].release()
            self._paused.acquire()
            threads = [thread for thread in threads if thread.ident in self._resume]

    def _start(self, function: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            me = threading.get_ident()
            self._resume[me] = threading.Semaphore(0)
            self.pause()
            try:
                function()
            finally:
                del self._resume[me]
                self._paused.release()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._paused.acquire()
        return thread


class PausingClient:
    """A client of AWS that pauses before each call."""

    def __init__(self, client: Any, pause: Callable[[], None]) -> None:
        self._client = client
        self._pause = pause

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if name in OPERATIONS:
            self._pause()
        return attribute
