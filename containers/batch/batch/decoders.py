"""Processes that decode pictures, so that a picture that crashes its process harms no other picture."""

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from thumbnail.imaging import Rejected, Thumbnail
from thumbnail.limits import Limits

DECODING_SECONDS = 60
"""Limit for one picture: twenty times the slowest one that was measured."""


class Decoders:
    """`count` processes, each of which decodes one picture at a time. Several threads may call the methods at once."""

    def __init__(self, count: int, limits: Limits, *, seconds: int = DECODING_SECONDS) -> None:
        self._count = count
        self._limits = limits
        self._seconds = seconds
        # The fork server has no threads and has loaded all modules, so starting a process takes 10 ms.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])
        self._alone = threading.Lock()
        self._idle: queue.SimpleQueue[ProcessPoolExecutor] = queue.SimpleQueue()
        for _ in range(count):
            self._idle.put(self._process())

    def thumbnail(self, data: bytes) -> Thumbnail:
        """Return the thumbnail of a picture. Raises Rejected, also when the picture's process dies twice."""
        try:
            return self._decode(data)
        except BrokenProcessPool:
            pass  # perhaps the other pictures used up the memory, so try again alone
        with self._without_others():
            try:
                return self._decode(data)
            except BrokenProcessPool:
                raise Rejected(
                    f"The picture crashes its decoder, or keeps it busy for more than {self._seconds} seconds."
                ) from None

    def close(self) -> None:
        """End the processes. All of them must be idle."""
        for _ in range(self._count):
            self._idle.get().shutdown()

    def _decode(self, data: bytes) -> Thumbnail:
        process = self._idle.get()
        try:
            return process.submit(_thumbnail, data, self._limits, self._seconds).result()
        except BrokenProcessPool:
            process.shutdown()
            process = self._process()
            raise
        finally:
            self._idle.put(process)

    @contextmanager
    def _without_others(self) -> Iterator[None]:
        with self._alone:  # two threads that collect all processes at once would block each other
            others = [self._idle.get() for _ in range(self._count - 1)]
            try:
                yield
            finally:
                for process in others:
                    self._idle.put(process)

    def _process(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, self._context, initializer=_begin)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the job, which finishes the pictures in work
    threading.Thread(target=_end_with_the_job, daemon=True).start()


def _end_with_the_job() -> None:
    job = multiprocessing.parent_process()
    assert job is not None  # noqa: S101 - for the type checker
    job.join()
    os._exit(1)


def _thumbnail(data: bytes, limits: Limits, seconds: int) -> Thumbnail:
    signal.alarm(seconds)  # without a handler the kernel ends the process, even inside the decoder
    try:
        return limits.make_thumbnail(data)
    finally:
        signal.alarm(0)
