"""The life of a local AWS: one engine process, and one folder for all files that it and the CDK CLI write."""

import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
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
"""The usual port of local AWS engines."""
START_SECONDS = 30
SOURCE = Path(__file__).resolve().parent.parent
"""The folder that holds this package. The engine starts there, so that it runs this very copy of the package."""


class LocalError(RuntimeError):
    """A step of the local deployment failed. The message says which step, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine process, as the file `engine.json` describes it."""

    pid: int
    port: int
    site_port: int = 0
    """The port of the web site beside AWS. An engine of an older version has none, so this is 0."""
    tool: Tool = field(default_factory=lambda: Tool(name="none", why="unknown"))
    """The container tool that runs the ECS tasks."""

    @property
    def endpoint(self) -> str:
        """The URL that answers for every AWS service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def site(self) -> str:
        """The URL of a web site that the engine serves beside AWS. A function can check whether it is up."""
        return f"http://127.0.0.1:{self.site_port}/"


class LocalAws:
    """The local AWS whose files are in `folder`, whether its engine runs or not."""

    def __init__(self, folder: Path, settings: Settings | None = None, *, patched: bool = True) -> None:
        """`patched=False` starts ministack without the patches, to compare with."""
        self.folder = folder
        self.settings = settings or Settings()
        self._project = Path(self.settings.project)
        self._command = [sys.executable, "-m", "localaws.engine", *([] if patched else ["--stock"])]
        self._process: subprocess.Popen[bytes] | None = None
        self.log_file = folder / "engine.log"
        self.env_file = folder / "env"
        """A file for `sh` to source: afterwards aws, cdk, curl and the SDKs use the local AWS."""
        self.site_down_file = folder / "site-is-down"
        """The web site is down while this file exists."""
        self.permissions_file = folder / "tmp" / "permissions.jsonl"
        """The permissions that roles have used, written by localaws/patches/iam.py. Deleted with the engine."""
        self._state_file = folder / "engine.json"
        self._incomplete_mark = folder / "deployment-incomplete"

    # -- life

    def running_engine(self) -> Engine | None:
        """Return the last engine if it answers and is of this version."""
        engine = self.alive_engine()
        return engine if engine and engine.site_port and _answers(engine) else None

    def alive_engine(self) -> Engine | None:
        """Return the last engine if its process lives.

        The process holds a lock on `engine.json` for as long as it lives. Its number alone is not enough: after a
        restart of the machine, another process may have the same number.
        """
        try:
            with self._state_file.open() as state:
                fcntl.flock(state, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except BlockingIOError:
            return self._last_engine()
        return None

    def _last_engine(self) -> Engine | None:
        # The process may have ended. None if the file does not exist or was cut off.
        try:
            state = json.loads(self._state_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return Engine(**{**state, "tool": Tool.from_json(state["tool"])}) if "tool" in state else Engine(**state)

    def start(self, port: int = PORT) -> Engine:
        """Start an engine on this port, or on a free one if it is taken or 0. Raises LocalError on failure."""
        self.stop()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").mkdir()
        with FileLock(Path(tempfile.gettempdir()) / f"localaws-{os.getuid()}.lock"):  # two starts could take one port
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
                    **environment.inherited(),
                    **environment.engine_variables(engine_port, self.folder, self._project),
                    "PATH": environment.path(self._project),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C ends the command; the engine outlives it
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
                self.stop()
                raise LocalError(f"the local AWS did not start; the end of {self.log_file}:\n{tail}")
            time.sleep(0.05)

    def log_tail(self) -> str:
        """Return the last lines of the engine's log."""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-15:])

    def stop(self) -> None:
        """End the engine and every process and container that it started, and delete its temporary files.

        Raises LocalError if a process survives.
        """
        alive, last = self.alive_engine(), self._last_engine()
        if alive:
            self._end(alive.pid)
        if self._process:  # a child of this process keeps its number until somebody waits for it, even if it has ended
            self._end(self._process.pid)
            self._process.wait()
            self._process = None
        if last:
            container_tool.remove_all(last.tool, self.folder)
        self._state_file.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)
        self.env_file.unlink(missing_ok=True)
        self.site_down_file.unlink(missing_ok=True)
        self._incomplete_mark.unlink(missing_ok=True)

    def _end(self, process_group: int) -> None:
        # The engine leads its own session, and the functions that it runs are in its process group.
        if not end_process_group(process_group, self._process):
            raise LocalError(
                f"processes of the local AWS survive in process group {process_group}; "
                f"end them by hand: kill -9 -- -{process_group}"
            )

    # -- a deployment that broke off

    @property
    def is_incomplete(self) -> bool:
        """Whether the last deployment into this engine began and did not end."""
        return self._incomplete_mark.exists()

    @contextlib.contextmanager
    def deploying(self) -> Iterator[None]:
        """Mark the deployment as half done, until the block ends without an error."""
        self._incomplete_mark.touch()
        yield
        self._incomplete_mark.unlink()

    # -- how to reach it

    def client(self, service: str, engine: Engine) -> Any:
        """Return a boto3 client of the local AWS, which ignores the person's own AWS configuration."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=engine.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=ACCESS_KEY,
            config=Config(retries={"mode": "standard", "total_max_attempts": 3}, s3={"addressing_style": "path"}),
        )

    def environment(self, engine: Engine) -> dict[str, str]:
        """Return an environment in which the CDK CLI and every SDK reach the local AWS, and never a real account."""
        return {
            **environment.inherited(),
            **environment.client_variables(engine.endpoint, self.folder),
            **self._docker_variables(engine),
            "PATH": environment.path(self._project),
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
    with contextlib.ExitStack() as stack:  # all sockets are open at once, so no port is found twice
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
