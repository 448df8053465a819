"""Processes that decode pictures. If a picture crashes its process, the other pictures are not affected."""

import multiprocessing
import os
import queue
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from thumbnail.imaging import Rejected, Thumbnail
from thumbnail.limits import Limits

DECODING_SECONDS = 60
"""Time limit for one picture. The slowest measured picture needed a twentieth of this time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decoder:
    """A process, and the file in which it finds its next picture.

    The file is in memory, and it keeps the memory for the next picture. If Python sent a picture to the process, it
    would copy the picture several times. For a picture of 12 megapixels, this takes a tenth of the CPU time.
    """

    process: ProcessPoolExecutor
    file: IO[bytes]
    path: str
    """The path with which the process opens the file."""

    def decode(self, data: bytes, limits: Limits, seconds: int) -> Thumbnail:
        self.file.seek(0)
        self.file.write(data)
        self.file.truncate()  # also writes what is in Python's buffer
        return self.process.submit(_thumbnail, self.path, limits, seconds).result()

    def close(self) -> None:
        self.process.shutdown()
        self.file.close()


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
        self._idle: queue.SimpleQueue[_Decoder] = queue.SimpleQueue()
        for _ in range(count):
            self._idle.put(self._new_decoder())

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
            self._idle.get().close()

    def _decode(self, data: bytes) -> Thumbnail:
        decoder = self._idle.get()
        try:
            return decoder.decode(data, self._limits, self._seconds)
        except BrokenProcessPool:
            decoder.close()
            decoder = self._new_decoder()
            raise
        finally:
            self._idle.put(decoder)

    @contextmanager
    def _without_others(self) -> Iterator[None]:
        # Two threads that reserve the other processes at the same time would wait for each other for ever.
        with self._reservation_lock:
            others = [self._idle.get() for _ in range(self._count - 1)]
            try:
                yield
            finally:
                for decoder in others:
                    self._idle.put(decoder)

    def _new_decoder(self) -> _Decoder:
        process = ProcessPoolExecutor(1, self._context, initializer=_prepare_process)
        file, path = _new_file()
        return _Decoder(process=process, file=file, path=path)


def _new_file() -> tuple[IO[bytes], str]:
    """Return a new file, and the path with which another process of the same user opens it."""
    if sys.platform != "linux":
        file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - the decoder closes it
        return file, file.name
    # The file has no name and ends with the process. It may be larger than the container's folder /tmp.
    # https://man7.org/linux/man-pages/man2/memfd_create.2.html
    descriptor = os.memfd_create("picture")
    return open(descriptor, "w+b"), f"/proc/{os.getpid()}/fd/{descriptor}"  # noqa: PTH123 - a path cannot open it


def _prepare_process() -> None:
    # Ctrl-C must not end this process, because the job still needs its decoders to finish the pictures in progress.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_job, daemon=True).start()


def _end_with_the_job() -> None:
    job = multiprocessing.parent_process()
    assert job is not None  # noqa: S101 - for the type checker
    job.join()
    os._exit(1)


def _thumbnail(path: str, limits: Limits, seconds: int) -> Thumbnail:
    # The alarm has no handler, so the kernel ends the process even while the decoder's C code runs.
    signal.alarm(seconds)
    try:
        with Path(path).open("rb") as source:
            return limits.make_thumbnail(source)
    finally:
        signal.alarm(0)
