"""Start and stop the console, which shows the local deployment in a browser: its own process, in the background."""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from local.project import ROOT
from localaws.aws import LocalAws, LocalError
from localaws.process_groups import delay_signals, end_process_group

PORT = 4580
"""The usual port of the console. If another process uses it, the console uses a free port."""
START_SECONDS = 90
"""The maximum time until the console answers."""


_children: dict[int, subprocess.Popen[bytes]] = {}
"""The consoles that this process has started. An ended child keeps its process id until its parent calls wait."""


@dataclass(frozen=True, slots=True)
class ConsoleProcess:
    """The console of a local AWS."""

    aws: LocalAws

    def start(self) -> "StartingConsole":
        """Start the console, and end an older one, which may run older code. Does not wait until it answers."""
        port = self.last_state().get("port", PORT)  # open pages then find the new console
        self.stop()
        with self.log_file.open("wb") as log, self._state_file.open("w") as state, delay_signals():
            fcntl.flock(state, fcntl.LOCK_EX)  # the console inherits the lock, and holds it until it ends
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "console", "--local", str(self.aws.folder)),
                    *("--port", str(port), "--state", str(self._state_file)),
                ],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal ends only the command that started the console
                pass_fds=[state.fileno()],
            )
            # The console adds its port to this file. `stop` finds the process already before.
            state.write(json.dumps({"pid": process.pid}))
        _children[process.pid] = process
        return StartingConsole(self, process)

    def stop(self) -> None:
        """End the console. Its next start uses the same port. Raises LocalError if it does not end."""
        state = self.last_state()
        if self.is_alive():
            pid = state.get("pid")
            if pid and not end_process_group(pid, _children.pop(pid, None)):
                raise LocalError(f"the console did not end. To end it, type: kill -9 {pid}")
        if state:
            self._state_file.write_text(json.dumps({"port": state.get("port", PORT)}), encoding="utf-8")

    def is_alive(self) -> bool:
        """Whether the process of the console has not ended."""
        try:
            with self._state_file.open() as state:
                fcntl.flock(state, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def last_state(self) -> dict[str, int]:
        """Return the process id and the port. Both are missing until the console has written them."""
        try:
            return dict(json.loads(self._state_file.read_text()))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    @property
    def _state_file(self) -> Path:
        return self.aws.folder / "console.json"

    @property
    def log_file(self) -> Path:
        """The file with the console's messages."""
        return self.aws.folder / "console.log"


@dataclass(frozen=True, slots=True)
class StartingConsole:
    """A console whose process has just started."""

    console: ConsoleProcess
    process: subprocess.Popen[bytes]

    def address(self) -> str:
        """Wait until the console answers, and return the address of the first page.

        Raises LocalError if the console does not answer within START_SECONDS.
        """
        deadline = time.monotonic() + START_SECONDS
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while self.process.poll() is None and time.monotonic() < deadline:
            if port := self.console.last_state().get("port"):
                with contextlib.suppress(urllib.error.URLError, OSError):
                    address = f"http://127.0.0.1:{port}/"
                    opener.open(f"{address}static/icon.svg", timeout=2).close()
                    return address
            time.sleep(0.05)
        end_process_group(self.process.pid, self.process)
        log = self.console.log_file
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise LocalError(f"the console did not start. The last lines of {log}:\n{tail}")


def can_open_browser() -> bool:
    """Whether this process runs on a desktop, with a person who looks at the terminal."""
    if not sys.stdout.isatty() or "CI" in os.environ or "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
