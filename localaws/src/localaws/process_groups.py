"""Ends process groups: a process and all processes that it started."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from types import FrameType

STOP_SECONDS = 5
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C sends the first, `kill` the second, and a terminal that is closed the third."""


@contextlib.contextmanager
def delay_signals() -> Iterator[None]:
    """Delay the signals that stop this process until the block ends.

    So a process that the block starts is also recorded, and can be ended later.
    """
    received: list[tuple[int, FrameType | None]] = []
    handlers = {sign: signal.signal(sign, lambda *event: received.append(event)) for sign in STOP_SIGNALS}
    try:
        yield
    finally:
        for sign, handler in handlers.items():
            signal.signal(sign, handler)
    for number, frame in received[:1]:
        handler = handlers[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        else:
            signal.raise_signal(number)


def end_process_group(
    process_group: int, leader: subprocess.Popen[bytes] | subprocess.Popen[str] | None = None
) -> bool:
    """Send SIGTERM and then, after STOP_SECONDS, SIGKILL. Return whether the process group has ended.

    Pass its `leader` if that is a child of this process, because an ended child stays in its process group until this
    process asks for its exit status.
    """
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process_group, sign)
        if _ends(process_group, leader):
            return True
    return False


def _ends(process_group: int, leader: subprocess.Popen[bytes] | subprocess.Popen[str] | None) -> bool:
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
