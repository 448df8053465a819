"""Run the parts of the set-up at the same time, and show their progress."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

POLL_SECONDS = 0.1
SECONDS_TO_STOP = 3
"""A program has this time to delete its temporary files. Then it is killed."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the set-up: one program, which starts after other parts."""

    name: str
    text: str
    """What the part installs, and where. The progress shows it."""
    command: Sequence[str]
    after: Sequence[str] = ()
    """The names of the parts that this part needs. Parts that do not run count as finished."""


class PartError(Exception):
    """A part failed. `output` is the output of its program."""

    def __init__(self, part: Part, output: str) -> None:
        super().__init__(part.text)
        self.part = part
        self.output = output


@dataclass
class _Run:
    """The running program of a part. It has its own process group, so that all its processes can be stopped."""

    part: Part
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._output = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - the program writes it until its end
        self.process = subprocess.Popen(
            self.part.command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def seconds(self) -> int:
        return round(time.monotonic() - self.started)

    def finished(self) -> bool:
        """Return whether the program has ended. Raises PartError if it failed."""
        if self.process.poll() is None:
            return False
        if self.process.returncode:
            self._output.seek(0)
            raise PartError(self.part, self._output.read())
        return True

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def run_parts(parts: Iterable[Part]) -> None:
    """Run all parts, and show their progress. A failure or Ctrl-C stops all programs.

    Raises PartError for the first part that fails.
    """
    waiting = {part.name: part for part in parts}
    running: list[_Run] = []
    progress = _Progress()
    try:
        while waiting or running:
            unfinished = {*waiting, *(run.part.name for run in running)}
            for part in [part for part in waiting.values() if unfinished.isdisjoint(part.after)]:
                progress.line(f"    installing {part.text}", in_terminal=False)
                running.append(_Run(waiting.pop(part.name)))
            for run in [run for run in running if run.finished()]:
                running.remove(run)
                progress.line(f"    installed {run.part.text} ({run.seconds} s)")
            progress.show(running)
            time.sleep(POLL_SECONDS)
    finally:
        progress.clear()
        _stop(running)


def _stop(running: Sequence[_Run]) -> None:
    ignored = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    for run in running:
        run.signal(signal.SIGINT)
    deadline = time.monotonic() + SECONDS_TO_STOP
    for run in running:
        with suppress(subprocess.TimeoutExpired):
            run.process.wait(max(0, deadline - time.monotonic()))
        run.signal(signal.SIGKILL)
        run.process.wait()
    for number, handler in ignored.items():
        signal.signal(number, handler)


class _Progress:
    """Prints lines. In a terminal, the last line shows what is running, and changes all the time."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def line(self, text: str, *, in_terminal: bool = True) -> None:
        if in_terminal or not self._terminal:
            self.clear()
            print(text, flush=True)

    def show(self, running: Sequence[_Run]) -> None:
        if self._terminal and running:
            text = "    installing " + ", ".join(f"{run.part.text} ({run.seconds} s)" for run in running)
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K{text if len(text) <= width else text[: width - 1] + '…'}", end="", flush=True)

    def clear(self) -> None:
        if self._terminal:
            print("\r\033[K", end="", flush=True)
