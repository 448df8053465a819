"""Run ECS tasks as containers, or as ordinary processes on a machine without a container tool.

The engine expects a client object of the Python package `docker`. `TaskRunner` has the same methods, so the engine uses
a TaskRunner instead. Each task is a child process of the engine. The task uses the network of this machine, and has its
own port.
"""

import contextlib
import os
import queue
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.container_tool import LABEL, Tool
from localaws.environment import inherited_variables
from localaws.settings import Settings, StandIn

RUN_WITH_PARENT = Path(__file__).with_name("run_with_parent.py")
HOST = "127.0.0.1"
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
STOP_SECONDS = 30
"""The time between SIGTERM and SIGKILL. This is the default of ECS."""


class ImageError(RuntimeError):
    """The image cannot be run. In the `docker` package, the exception ImageNotFound means the same."""


class TaskProcess:
    """A task: a process, or a container."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        port: int,
        kill_command: Sequence[str] = (),
    ) -> None:
        """Start the task. If `command` runs a container, `kill_command` must remove this container.

        The process of `command` is only the container tool's client. The container can still run after this process
        has ended.
        """
        self.id = secrets.token_hex(32)
        self.name = name
        self.address = (HOST, port)
        self._kill_command = kill_command
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(RUN_WITH_PARENT), *command],
            env=environment,
            stdin=subprocess.PIPE,  # the pipe closes when the engine ends, and then run_with_parent.py stops the task
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        threading.Thread(target=self._read_output, daemon=True, name=f"output of {name}").start()

    def _read_output(self) -> None:
        # Read the pipe even if nobody needs the log, because a full pipe would block the task.
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    @property
    def pid(self) -> int:
        """The id of the process of run_with_parent.py, which runs the task."""
        return self._process.pid

    @property
    def status(self) -> str:
        """The status of the task: `running` or `exited`."""
        return "running" if self._process.poll() is None else "exited"

    def reload(self) -> None:
        """Do nothing, because the status is always current."""

    def logs(self, *, stream: bool = False, **_: Any) -> Iterator[bytes] | bytes:
        """Return the lines of the output until the task ends. Only the engine's log driver may read these lines."""
        return iter(self._lines.get, None) if stream else b""

    def wait(self) -> dict[str, int]:
        """Wait until the task ends, and return its exit status."""
        return {"StatusCode": self._process.wait()}

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Send SIGTERM, and kill the task if it still runs after `timeout` seconds."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the task immediately with SIGKILL."""
        if self._kill_command:
            subprocess.run(self._kill_command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        self._process.kill()
        self._process.wait()

    def remove(self, **_: Any) -> None:
        """Do nothing, because an ended task leaves nothing behind."""


@dataclass(frozen=True)
class _RegistryData:
    id: str


class Images:
    """The images that tasks can run."""

    def __init__(
        self,
        tool: Tool,
        stand_ins: Mapping[str, StandIn],
        name_for_tool: Callable[[str], str],
        digest_of_image: Callable[[str], str],
    ) -> None:
        """Both functions receive the name of an image in a task definition.

        `name_for_tool` returns the name that the container tool uses. `digest_of_image` returns the digest in the
        engine's registry.
        """
        self._tool = tool
        self._stand_ins = stand_ins
        self._name_for_tool = name_for_tool
        self._digest_of_image = digest_of_image
        self._pulled: dict[str, str] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def get_registry_data(self, image: str, **_: Any) -> _RegistryData:
        """Return the digest of an image. Raises LookupError if the engine's registry does not contain the image."""
        return _RegistryData(self._digest_of_image(image))

    def pull(self, image: str, **_: Any) -> "Images":
        """Pull the image if this object has not pulled it yet, or if the registry has another one with this name now.

        Raises ImageError if the image cannot be run, and then the task fails.
        """
        if not self._tool:
            find_stand_in(self._stand_ins, image)
            return self
        with self._locks[image]:  # several tasks start at the same time
            digest = self._digest(image)
            if digest is None or self._pulled.get(image) != digest:
                self._pull(image)
                self._pulled[image] = digest or ""
        return self

    def _digest(self, image: str) -> str | None:
        with contextlib.suppress(LookupError):  # an image of another registry
            return self._digest_of_image(image)
        return None

    def _pull(self, image: str) -> None:
        answer = self._tool("pull", *self._tool.plain_http, self._name_for_tool(image))
        if answer.returncode:
            raise ImageError(answer.stderr.strip().splitlines()[-1] if answer.stderr.strip() else image)

    def get(self, image: str) -> "Images":
        """Return normally if the image is already on this machine. Raises ImageError if it is not."""
        if not self._tool:
            find_stand_in(self._stand_ins, image)
        elif self._tool("image", "inspect", self._name_for_tool(image)).returncode:
            raise ImageError(image)
        return self

    def tag(self, *_: Any, **__: Any) -> bool:
        """Do nothing, because the image keeps its own name. Return True (success), like the package `docker`."""
        return True


def find_stand_in(stand_ins: Mapping[str, StandIn], image: str) -> StandIn:
    """Return the stand-in of this image, or of this image with any digest. Raises ImageError if there is none."""
    found = stand_ins.get(image) or stand_ins.get(_DIGEST.sub("", image))
    if found is None:
        names = ", ".join(stand_ins) or "none"
        raise ImageError(
            f"there is no container tool to run {image}, and no stand-in for it (images with a stand-in: {names})"
        )
    return found


class Containers:
    """The tasks that the engine has started: running and ended ones."""

    def __init__(self, tool: Tool, folder: Path, settings: Settings, name_for_tool: Callable[[str], str]) -> None:
        self._tool = tool
        self._folder = folder
        self._stand_ins = {stand_in.image: stand_in for stand_in in settings.stand_ins}
        self._environment = settings.task_environment
        self._name_for_tool = name_for_tool
        self._tasks: dict[str, TaskProcess] = {}
        self._lock = threading.Lock()

    def run(self, image: str, *, name: str, environment: Mapping[str, str], **options: Any) -> TaskProcess:
        """Start a task with this image, or with the stand-in of the image if there is no container tool."""
        with self._lock:  # with this lock, two tasks cannot find the same free port
            port = _free_port()
            variables = {**environment, "HOST": HOST, "PORT": str(port), **self._environment}
            if self._tool:
                command = self._container_command(image, name, variables, options)
                kill_command = [*self._tool.command, "rm", "--force", name]
                task = TaskProcess(name, command, os.environ, port, kill_command)
            else:
                stand_in = find_stand_in(self._stand_ins, image)
                variables = {**inherited_variables(), **variables, **stand_in.environment, "PYTHONUNBUFFERED": "1"}
                task = TaskProcess(name, [*stand_in.command, *(options.get("command") or ())], variables, port)
            self._tasks[task.id] = task
        return task

    def _container_command(
        self, image: str, name: str, variables: Mapping[str, str], options: Mapping[str, Any]
    ) -> list[str]:
        arguments = ["--rm", "--name", name, "--network", "host", "--label", f"{LABEL}={self._folder}", *self._tool.run]
        for variable, value in variables.items():
            arguments += ["--env", f"{variable}={value}"]
        if options.get("read_only"):
            arguments += ["--read-only"]
        if self._tool.limits and options.get("mem_limit"):
            arguments += ["--memory", f"{options['mem_limit']}m"]
        if self._tool.limits and options.get("cpus"):
            arguments += ["--cpus", str(options["cpus"])]
        return [*self._tool.command, "run", *arguments, self._name_for_tool(image), *(options.get("command") or ())]

    def get(self, container_id: str) -> TaskProcess:
        """Return the task with this id. Raises LookupError if there is none."""
        return self._tasks[container_id]

    def list(self, **_: Any) -> list[TaskProcess]:
        """Return all running tasks."""
        return [task for task in self._tasks.values() if task.status == "running"]


class TaskRunner:
    """The object that the engine uses instead of a client of the `docker` package."""

    def __init__(
        self,
        tool: Tool,
        folder: Path,
        settings: Settings,
        *,
        name_for_tool: Callable[[str], str],
        digest_of_image: Callable[[str], str],
    ) -> None:
        """Both functions receive the name of an image in a task definition.

        `name_for_tool` returns the name that the container tool uses. `digest_of_image` returns the digest in the
        engine's registry.
        """
        stand_ins = {stand_in.image: stand_in for stand_in in settings.stand_ins}
        self.containers = Containers(tool, folder, settings, name_for_tool)
        self.images = Images(tool, stand_ins, name_for_tool, digest_of_image)


def _free_port() -> int:
    # The kernel returns an ephemeral port. ECS uses such ports too, and security groups for its tasks allow them.
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
