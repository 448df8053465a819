"""Processes that run the readers. If a reader crashes, only its own result is lost."""

import multiprocessing
import os
import queue
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from thumbnail.imaging import Rejected
from tools.compare_pictures.differences import Reading
from tools.compare_pictures.readers import Reader, read_ours


class Processes:
    """Processes that each read one file at a time. Several threads may call `read` at the same time."""

    def __init__(self, count: int, seconds: int) -> None:
        self._count = count
        self._seconds = seconds
        # The fork server has no threads and has loaded all modules, so a new process starts fast after a crash.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])
        self._idle: queue.SimpleQueue[ProcessPoolExecutor] = queue.SimpleQueue()
        for _ in range(count):
            self._idle.put(self._new_process())

    def read(self, reader: Reader, data: bytes) -> Reading:
        """Return the reading of a file. If the process dies, the reading says so."""
        process = self._idle.get()
        started = time.monotonic()
        try:
            return process.submit(_read, reader, data, self._seconds).result()
        except BrokenProcessPool:
            is_slow = time.monotonic() - started >= self._seconds
            process.shutdown()
            process = self._new_process()
            reason = f"needs more than {self._seconds} seconds" if is_slow else "the process crashed"
            return Reading(reason=reason, crashed=True)
        finally:
            self._idle.put(process)

    def close(self) -> None:
        """End the processes. All processes must be idle."""
        for _ in range(self._count):
            self._idle.get().shutdown()

    def _new_process(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, self._context, initializer=_prepare_process)


def _prepare_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # after Ctrl-C, only the parent prints a message
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the C libraries print warnings about damaged files


def _read(reader: Reader, data: bytes, seconds: int) -> Reading:
    # The alarm has no handler, so the kernel ends the process even while C code runs.
    signal.alarm(seconds)
    try:
        return Reading(picture=reader(data))
    except Exception as error:  # noqa: BLE001 - each reader raises its own errors for a file that it cannot read
        is_our_fault = reader is read_ours and not isinstance(error, Rejected)
        return Reading(reason=" ".join(str(error).split()) or type(error).__name__, crashed=is_our_fault)
    finally:
        signal.alarm(0)
