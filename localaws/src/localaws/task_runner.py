"""What runs as an ECS task: a container of the container tool, or a process of this machine where there is none.

The engine drives it as it would drive Docker: `Runner` has those parts of the `docker` package's client that it uses.
Each task is a child of the engine's process either way, and shares the network of this machine, on a port of its own.
"""

import os
import queue
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.container_tool import LABEL, Tool
from localaws.environment import inherited
from localaws.settings import Settings, StandIn

RUN_WITH_PARENT = Path(__file__).with_name("run_with_parent.py")
HOST = "127.0.0.1"
STOP_SECONDS = 30
"""After which ECS kills a task by default."""


class ImageError(RuntimeError):
    """The image is not to be had, as docker's ImageNotFound."""


class Started:
    """A container, or the process in its place."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        port: int,
        killing: Sequence[str] = (),
    ) -> None:
        """`killing` is the command that ends a container whose client does not."""
        self.id = secrets.token_hex(32)
        self.name = name
        self.address = (HOST, port)
        self._killing = killing
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(RUN_WITH_PARENT), *command],
            env=environment,
            stdin=subprocess.PIPE,  # open for as long as the engine lives
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        threading.Thread(target=self._read, daemon=True, name=f"output of {name}").start()

    def _read(self) -> None:
        # Always, whoever wants to know: a full pipe would stop the task.
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    @property
    def pid(self) -> int:
        """The number of the process that holds the task."""
        return self._process.pid

    @property
    def status(self) -> str:
        """`running` or `exited`."""
        return "running" if self._process.poll() is None else "exited"

    def reload(self) -> None:
        """Nothing: its status is never stale."""

    def logs(self, *, stream: bool = False, **_: Any) -> Iterator[bytes] | bytes:
        """Its output, line by line until it ends. There is one reader: the log driver."""
        return iter(self._lines.get, None) if stream else b""

    def wait(self) -> dict[str, int]:
        """Wait for the end, and tell the exit code."""
        return {"StatusCode": self._process.wait()}

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Ask it to end, and kill it after `timeout` seconds."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        if self._killing:
            subprocess.run(self._killing, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        self._process.kill()
        self._process.wait()

    def remove(self, **_: Any) -> None:
        """Nothing is left of it."""


@dataclass(frozen=True)
class _Digest:
    id: str


class Images:
    """Where images come from."""

    def __init__(
        self,
        tool: Tool,
        stand_ins: Mapping[str, StandIn],
        local_name: Callable[[str], str],
        digest: Callable[[str], str],
    ) -> None:
        self._tool = tool
        self._stand_ins = stand_ins
        self._local_name = local_name
        self._digest = digest

    def get_registry_data(self, image: str, **_: Any) -> _Digest:
        """The digest of an image in a registry. Raises LookupError for one that the engine's own does not hold."""
        return _Digest(self._digest(image))

    def pull(self, image: str, **_: Any) -> "Images":
        """Make sure that the image can be run. Raises ImageError, which fails the task, if not."""
        if not self._tool:
            self._require_stand_in(image)
            return self
        answer = self._tool("pull", *self._tool.plain_http, self._local_name(image))
        if answer.returncode:
            raise ImageError(answer.stderr.strip().splitlines()[-1] if answer.stderr.strip() else image)
        return self

    def get(self, image: str) -> "Images":
        """Raises ImageError unless the image can be run as it is."""
        if not self._tool:
            self._require_stand_in(image)
        elif self._tool("image", "inspect", self._local_name(image)).returncode:
            raise ImageError(image)
        return self

    def tag(self, *_: Any, **__: Any) -> bool:
        """It stays under its own name."""
        return True

    def _require_stand_in(self, image: str) -> None:
        # A process of this machine is not whatever image a task names.
        if image not in self._stand_ins:
            names = ", ".join(self._stand_ins) or "none"
            raise ImageError(f"there is no container tool to run {image}, and no stand-in for it (only: {names})")


class Containers:
    """What runs."""

    def __init__(
        self,
        tool: Tool,
        folder: Path,
        stand_ins: Mapping[str, StandIn],
        environment: Mapping[str, str],
        local_name: Callable[[str], str],
    ) -> None:
        self._tool = tool
        self._stand_ins = stand_ins
        self._environment = environment
        self._folder = folder
        self._local_name = local_name
        self._started: dict[str, Started] = {}
        self._lock = threading.Lock()

    def run(self, image: str, *, name: str, environment: Mapping[str, str], **how: Any) -> Started:
        """Start the image, or in its place the web service itself."""
        with self._lock:  # or two would find the same port free
            port = _free_port()
            told = {**environment, "HOST": HOST, "PORT": str(port), **self._environment}
            if self._tool:
                command = self._container(image, name, told, how)
                started = Started(name, command, os.environ, port, [*self._tool.command, "rm", "--force", name])
            else:
                stand_in = self._stand_ins[image]
                here = {**inherited(), **told, **stand_in.environment, "PYTHONUNBUFFERED": "1"}
                started = Started(name, [*stand_in.command, *(how.get("command") or ())], here, port)
            self._started[started.id] = started
        return started

    def _container(self, image: str, name: str, environment: Mapping[str, str], how: Mapping[str, Any]) -> list[str]:
        options = ["--rm", "--name", name, "--network", "host", "--label", f"{LABEL}={self._folder}", *self._tool.run]
        for variable, value in environment.items():
            options += ["--env", f"{variable}={value}"]
        if how.get("read_only"):
            options += ["--read-only"]
        if self._tool.limits and how.get("mem_limit"):
            options += ["--memory", f"{how['mem_limit']}m"]
        if self._tool.limits and how.get("cpus"):
            options += ["--cpus", str(how["cpus"])]
        return [*self._tool.command, "run", *options, self._local_name(image), *(how.get("command") or ())]

    def get(self, container_id: str) -> Started:
        """The one of that id. Raises LookupError."""
        return self._started[container_id]

    def list(self, **_: Any) -> list[Started]:
        """All that run."""
        return [started for started in self._started.values() if started.status == "running"]


class Runner:
    """What the engine takes for Docker."""

    def __init__(
        self,
        tool: Tool,
        folder: Path,
        settings: Settings,
        *,
        local_name: Callable[[str], str],
        digest: Callable[[str], str],
    ) -> None:
        """`local_name` says where the tool finds an image, `digest` what the engine's registry knows it by."""
        stand_ins = {one.image: one for one in settings.stand_ins}
        self.containers = Containers(tool, folder, stand_ins, settings.task_environment, local_name)
        self.images = Images(tool, stand_ins, local_name, digest)


def _free_port() -> int:
    # Of the range that the examples' security groups open; the kernel takes from it for itself, too.
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
