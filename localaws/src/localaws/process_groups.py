"""Ends groups of processes: what was started, and all that it started in turn."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from types import FrameType

STOP_SECONDS = 5
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a kill, and a terminal that is closed."""


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Let what would end this command wait until the end of the block: a process that is just started must be known."""
    came: list[tuple[int, FrameType | None]] = []
    handlers = {sign: signal.signal(sign, lambda *told: came.append(told)) for sign in ENDINGS}
    try:
        yield
    finally:
        for sign, handler in handlers.items():
            signal.signal(sign, handler)
    for number, frame in came[:1]:
        handler = handlers[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        else:
            signal.raise_signal(number)


def end_group(group: int, leader: subprocess.Popen[bytes] | subprocess.Popen[str] | None = None) -> bool:
    """Ask the group to end, then kill it, and answer whether it is gone. Give its `leader` if it is a child of ours."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, sign)
        if _gone(group, leader):
            return True
    return False


def _gone(group: int, leader: subprocess.Popen[bytes] | subprocess.Popen[str] | None) -> bool:
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if leader:
            leader.poll()  # an ended child is in its group until it is asked for
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
