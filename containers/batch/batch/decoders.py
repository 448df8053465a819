"""Processes that decode pictures. If a picture crashes its process, the other pictures are not affected."""

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
"""Time limit for one picture. The slowest measured picture needed a twentieth of this time."""


class Decoders:
    """The processes of one job that decode pictures. Each process decodes one picture at a time.

    Several threads may call `thumbnail` at the same time.
    """

    def __init__(self, count: int, limits: Limits, *, seconds: int = DECODING_SECONDS) -> None:
        self._count = count
        self._limits = limits
        self._seconds = seconds
        # The fork server has no threads and has loaded all modules, so a new process starts in 10 ms.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])
        self._reservation_lock = threading.Lock()
        self._idle_processes: queue.SimpleQueue[ProcessPoolExecutor] = queue.SimpleQueue()
        for _ in range(count):
            self._idle_processes.put(self._new_process())

    def thumbnail(self, data: bytes) -> Thumbnail:
        """Return the thumbnail of a picture. Raises Rejected for a bad picture, or if its process dies twice."""
        try:
            return self._decode(data)
        except BrokenProcessPool:
            pass  # perhaps other pictures used all memory, so try again while no other picture is decoded
        with self._without_others():
            try:
                return self._decode(data)
            except BrokenProcessPool:
                raise Rejected(
                    f"The picture crashes its decoder, or keeps it busy for more than {self._seconds} seconds."
                ) from None

    def close(self) -> None:
        """End the processes. All processes must be idle."""
        for _ in range(self._count):
            self._idle_processes.get().shutdown()

    def _decode(self, data: bytes) -> Thumbnail:
        process = self._idle_processes.get()
        try:
            return process.submit(_thumbnail, data, self._limits, self._seconds).result()
        except BrokenProcessPool:
            process.shutdown()
            process = self._new_process()
            raise
        finally:
            self._idle_processes.put(process)

    @contextmanager
    def _without_others(self) -> Iterator[None]:
        # Two threads that reserve the other processes at the same time would wait for each other for ever.
        with self._reservation_lock:
            others = [self._idle_processes.get() for _ in range(self._count - 1)]
            try:
                yield
            finally:
                for process in others:
                    self._idle_processes.put(process)

    def _new_process(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, self._context, initializer=_prepare_process)


def _prepare_process() -> None:
    # Ctrl-C must not end this process, because the job still needs its decoders to finish the pictures in progress.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_job, daemon=True).start()


def _end_with_the_job() -> None:
    job = multiprocessing.parent_process()
    assert job is not None  # noqa: S101 - for the type checker
    job.join()
    os._exit(1)


def _thumbnail(data: bytes, limits: Limits, seconds: int) -> Thumbnail:
    # The alarm has no handler, so the kernel ends the process even while the decoder's C code runs.
    signal.alarm(seconds)
    try:
        return limits.make_thumbnail(data)
    finally:
        signal.alarm(0)
