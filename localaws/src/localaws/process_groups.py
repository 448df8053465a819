"""Start and end process groups. A process group contains a process (the leader) and the processes that it started."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

STOP_SECONDS = 5
"""The maximum time until a process group ends after a signal."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C sends SIGINT, the command `kill` sends SIGTERM, and a closed terminal sends SIGHUP."""


@contextlib.contextmanager
def delay_signals() -> Iterator[None]:
    """Delay the signals that stop this process until the block ends.

    The block starts a process and then stores its id. If a signal stopped this process between these two steps, the
    id would be lost, and nobody could end the new process.
    """
    received_signals: list[tuple[int, FrameType | None]] = []
    handlers = {
        stop_signal: signal.signal(stop_signal, lambda *event: received_signals.append(event))
        for stop_signal in STOP_SIGNALS
    }
    try:
        yield
    finally:
        for stop_signal, handler in handlers.items():
            signal.signal(stop_signal, handler)
    for number, frame in received_signals[:1]:
        handler = handlers[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        else:
            signal.raise_signal(number)


@contextlib.contextmanager
def running_program(
    command: Sequence[str],
    *,
    folder: Path,
    output: int | IO[str] | IO[bytes],
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Start a program in `folder`, and end it and its child processes at the end of the block.

    `output` receives the standard output and the errors. It is a file, or subprocess.PIPE. By default, the program has
    the environment of this process.
    """
    with contextlib.ExitStack() as stack:
        with delay_signals():
            program = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # so end_process_group also ends the child processes
            )
            stack.enter_context(program)
            stack.callback(end_process_group, program.pid, program)  # when the block ends, this runs first
        yield program


def end_process_group(
    process_group: int, leader: subprocess.Popen[bytes] | subprocess.Popen[str] | None = None
) -> bool:
    """Send SIGTERM, and SIGKILL if processes are left after STOP_SECONDS. Return True if the process group has ended.

    If the leader is a child of this process, pass it as `leader`. An ended child stays in its process group until its
    parent reads its exit status, which this function does.
    """
    for stop_signal in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process_group, stop_signal)
        if _wait_for_end(process_group, leader):
            return True
    return False


def _wait_for_end(process_group: int, leader: subprocess.Popen[bytes] | subprocess.Popen[str] | None) -> bool:
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if leader:
            leader.poll()
        try:
            os.killpg(process_group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
