"""Start and stop a local AWS: a program (the engine) that imitates AWS on this machine.

The engine and the CDK CLI write all their files into one folder.
"""

import contextlib
import fcntl
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from filelock import FileLock

from localaws import container_tool, docker_for_cdk, environment
from localaws.container_tool import Tool
from localaws.environment import ACCESS_KEY, REGION
from localaws.process_groups import delay_signals, end_process_group
from localaws.settings import Settings

PORT = 4566
"""The usual port of programs that imitate AWS."""
START_SECONDS = 90
"""The maximum time until a new engine answers. A quiet machine needs 2 s, and a very busy one has needed 13 s."""
SOURCE = Path(__file__).resolve().parent.parent
"""The folder that contains this package. The engine starts in this folder, so it imports this copy of the package."""


_clients_lock = threading.Lock()
"""boto3 does not allow two threads to create clients at the same time."""


class LocalError(RuntimeError):
    """A step of the local deployment failed. The message contains the step, the reason, and a remedy."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine process. The file `engine.json` contains the same fields."""

    pid: int
    port: int
    site_port: int = 0
    """The port of the engine's web site. It is 0 for an engine of an older version, which has no web site."""
    tool: Tool = field(default_factory=lambda: Tool(name="none", why="unknown"))
    """The container tool that runs the ECS tasks."""

    @property
    def endpoint(self) -> str:
        """The URL at which the engine answers requests for all AWS services."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def site(self) -> str:
        """The URL of a small web site that the engine also serves, so that a function can check it."""
        return f"http://127.0.0.1:{self.site_port}/"


class LocalAws:
    """A local AWS whose files are in `folder`. Its engine may be running or stopped."""

    def __init__(self, folder: Path, settings: Settings | None = None, *, patched: bool = True) -> None:
        """Prepare a local AWS for `start`. With `patched=False`, the engine will run ministack without the patches."""
        self.folder = folder
        self.settings = settings or Settings()
        self._project = Path(self.settings.project)
        self._command = [sys.executable, "-m", "localaws.engine", *([] if patched else ["--stock"])]
        self._process: subprocess.Popen[bytes] | None = None
        self.log_file = folder / "engine.log"
        self.env_file = folder / "env"
        """A file for shells. After `. env`, the commands aws, cdk and curl and the SDKs use the local AWS."""
        self.site_down_file = folder / "site-is-down"
        """While this file exists, the engine's web site is down: it answers 503."""
        self.permissions_file = folder / "tmp" / "permissions.jsonl"
        """The permissions that roles have used. patches/iam.py writes this file, and `stop` deletes it."""
        self.images_folder = folder / "containers"
        """The folder in which podman stores its images. docker stores its images elsewhere."""
        self._state_file = folder / "engine.json"
        self._incomplete_mark = folder / "unfinished"

    # -- start and stop

    def running_engine(self) -> Engine | None:
        """Return the engine if it answers and has a web site, which engines of older versions do not have."""
        engine = self.alive_engine()
        return engine if engine and engine.site_port and _answers(engine) else None

    def alive_engine(self) -> Engine | None:
        """Return the engine if its process has not ended.

        The engine process holds a lock on `engine.json` until it ends. The process id in this file is not sufficient,
        because after a restart of the machine another process may have the same id.
        """
        try:
            with self._state_file.open() as state:
                fcntl.flock(state, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except BlockingIOError:
            return self._last_engine()
        return None

    @property
    def was_started(self) -> bool:
        """Whether an engine was started and not stopped. Its process may have crashed."""
        return self._state_file.exists()

    def _last_engine(self) -> Engine | None:
        # Return the engine in the file, although its process may have ended. Return None if the file is missing or
        # incomplete.
        try:
            state = json.loads(self._state_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return Engine(**{**state, "tool": Tool.from_json(state["tool"])}) if "tool" in state else Engine(**state)

    def start(self, port: int = PORT) -> Engine:
        """Start an engine. If the port is 0 or in use, use a free port. Raises LocalError if no engine starts."""
        self.stop(keep_images=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").mkdir()
        # With this lock, two engines that start at the same time cannot choose the same port.
        with FileLock(Path(tempfile.gettempdir()) / f"localaws-{os.getuid()}.lock"):
            engine = self._start(port)
        variables = {**environment.client_variables(engine.endpoint, self.folder), **self._docker_variables(engine)}
        self.env_file.write_text(environment.shell_file(variables, self._project))
        return engine

    def _start(self, port: int) -> Engine:
        free_port, site_port = _free_ports(2)
        engine_port = port if port and _is_free(port) else free_port
        tool = container_tool.find(self.folder)
        with self.log_file.open("wb") as log, self._state_file.open("w") as state, delay_signals():
            fcntl.flock(state, fcntl.LOCK_EX)
            self._process = subprocess.Popen(
                [
                    *self._command,
                    *("--folder", str(self.folder), "--permissions", str(self.permissions_file)),
                    *("--site-port", str(site_port), "--site-down", str(self.site_down_file)),
                    *("--tool", tool.to_json(), "--settings", self.settings.to_json()),
                ],
                cwd=SOURCE,
                env={
                    **environment.inherited_variables(),
                    **environment.engine_variables(engine_port, self.folder, self._project),
                    "PATH": environment.search_path(self._project),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal ends only the command that started the engine
                pass_fds=[state.fileno()],  # the engine inherits the lock
            )
            engine = Engine(pid=self._process.pid, port=engine_port, site_port=site_port, tool=tool)
            json.dump(asdict(engine), state)
        self._wait_until_it_answers(self._process, engine)
        return engine

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes], engine: Engine) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(engine):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = self.log_tail()
                self.stop(keep_images=True)
                raise LocalError(f"the local AWS did not start. The last lines of {self.log_file}:\n{tail}")
            time.sleep(0.05)

    def log_tail(self) -> str:
        """Return the last 15 lines of the engine's log."""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-15:])

    def stop(self, *, keep_images: bool = False) -> None:
        """End the engine and all processes and containers that it started, and delete its temporary files.

        With `keep_images`, podman's images and layers stay in the folder, and the next engine uses them.

        Raises LocalError if a process does not end.
        """
        engine, last_engine = self.alive_engine(), self._last_engine()
        if engine:
            self._end(engine.pid)
        if self._process:  # an ended child process keeps its id until its parent calls wait
            self._end(self._process.pid)
            self._process.wait()
            self._process = None
        self._remove_containers(last_engine, keep_images=keep_images)
        self._state_file.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)
        self.env_file.unlink(missing_ok=True)
        self.site_down_file.unlink(missing_ok=True)
        self._incomplete_mark.unlink(missing_ok=True)

    @property
    def has_images(self) -> bool:
        """Whether `stop` has kept images of podman in `images_folder`."""
        return self.images_folder.exists()

    def _remove_containers(self, last_engine: Engine | None, *, keep_images: bool) -> None:
        if keep_images:
            if last_engine:
                container_tool.remove_containers(last_engine.tool, self.folder)
            else:
                container_tool.remove_old_images(self.folder)
        elif last_engine:
            container_tool.remove_all(last_engine.tool, self.folder)
        elif self.has_images:
            container_tool.remove_all(container_tool.find(self.folder), self.folder)

    def _end(self, process_group: int) -> None:
        # The engine and the functions that it runs are in one process group. The id of the group is the process id of
        # the engine.
        if not end_process_group(process_group, self._process):
            raise LocalError(f"processes of the local AWS did not end. To end them, type: kill -9 -- -{process_group}")

    # -- incomplete deployments

    @property
    def is_incomplete(self) -> bool:
        """Whether the last deployment failed or was interrupted."""
        return self._incomplete_mark.exists()

    @contextlib.contextmanager
    def deploying(self) -> Iterator[None]:
        """Mark the deployment as incomplete. Remove the mark when the block ends without an error."""
        self._incomplete_mark.touch()
        yield
        self._incomplete_mark.unlink()

    # -- clients

    def client(self, service: str, engine: Engine) -> Any:
        """Return a boto3 client for the local AWS. The client ignores the user's own AWS configuration.

        All threads share one client for each service, because it takes more time to create a client than to use it.
        So do not register event handlers on it.
        """
        with _clients_lock:
            return _client(service, engine.endpoint)

    def environment(self, engine: Engine) -> dict[str, str]:
        """Return environment variables with which the CDK CLI and the SDKs use the local AWS, never a real account."""
        return {
            **environment.inherited_variables(),
            **environment.client_variables(engine.endpoint, self.folder),
            **self._docker_variables(engine),
            "PATH": environment.search_path(self._project),
        }

    def _docker_variables(self, engine: Engine) -> dict[str, str]:
        return docker_for_cdk.environment(engine.tool, self.folder, engine.port, self.settings)


def _answers(engine: Engine) -> bool:
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{engine.endpoint}/_ministack/health", timeout=2) as response:
            return bool(response.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as sockets:  # all sockets stay open until the end, so all ports differ
        probes = [sockets.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@functools.cache
def _client(service: str, endpoint: str) -> Any:
    return boto3.client(  # type: ignore[call-overload] # the types have one overload for each service
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=ACCESS_KEY,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 3},
            s3={"addressing_style": "path"},
            max_pool_connections=50,  # many threads use the client at the same time
        ),
    )
