"""Run the exercises of all examples at the same time, and print the output of each one as a whole, in a fixed order."""

import contextlib
import io
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextvars import ContextVar
from typing import TextIO

from localaws.progress import shown_step

Result = Future[tuple[str, Exception | None]]
"""The output of an exercise, and its error."""
_THREAD = "exercise "
"""The names of the threads of the exercises begin with this text."""
_buffer: ContextVar[io.StringIO | None] = ContextVar("_buffer", default=None)


class _OutputOfThreads(io.TextIOBase):
    """Standard output that collects the text of each thread with a buffer. All other text goes to the terminal."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal

    def write(self, text: str) -> int:
        return (_buffer.get() or self._terminal).write(text)

    def flush(self) -> None:
        self._terminal.flush()

    def isatty(self) -> bool:
        return self._terminal.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override] # the type of the base class is too narrow
        return self._terminal.encoding


def run_at_once(exercises: Mapping[str, Callable[[], None]], show: Callable[[str, str], None]) -> None:
    """Run all exercises in threads. Call `show` with the name and the output of each one, in the order of `exercises`.

    The exercises do not depend on each other, and most of their time is waiting. After the output of an exercise that
    fails, its error is raised.
    """
    with _collected_output():
        results = {name: _start(name, exercise) for name, exercise in exercises.items()}
        for name, result in results.items():
            output, error = _wait(name, result, results)
            show(name, output)
            if error:
                raise error


def wait_for_end(seconds: float) -> None:
    """Wait until no exercise runs, at most this time."""
    deadline = time.monotonic() + seconds
    for thread in threading.enumerate():
        if thread.name.startswith(_THREAD):
            thread.join(max(0.0, deadline - time.monotonic()))


def _start(name: str, exercise: Callable[[], None]) -> Result:
    result: Result = Future()
    # After Ctrl-C or an error, Python does not wait for daemon threads.
    threading.Thread(target=lambda: result.set_result(_run(exercise)), name=f"{_THREAD}{name}", daemon=True).start()
    return result


def _run(exercise: Callable[[], None]) -> tuple[str, Exception | None]:
    buffer = io.StringIO()
    _buffer.set(buffer)
    try:
        exercise()
    except Exception as error:  # noqa: BLE001 - run_at_once raises it after the output
        return buffer.getvalue(), error
    return buffer.getvalue(), None


def _wait(name: str, result: Result, results: Mapping[str, Result]) -> tuple[str, Exception | None]:
    with shown_step(f"trying {name}") as step:
        while True:
            with contextlib.suppress(TimeoutError):
                return result.result(timeout=0.5)
            done = sum(each.done() for each in results.values())
            step.count(done, len(results), "all examples run at the same time")


@contextlib.contextmanager
def _collected_output() -> Iterator[None]:
    terminal = sys.stdout
    sys.stdout = _OutputOfThreads(terminal)
    yield
    # After an error, this line does not run, because the output of the other exercises would follow the error.
    sys.stdout = terminal
