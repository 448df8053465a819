"""The life of the local AWS: one engine process, with one folder for everything it and the CLI write."""

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
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from localaws import container_tool, docker_for_cdk, environment
from localaws.container_tool import Tool
from localaws.environment import ACCESS_KEY, REGION
from localaws.process_groups import end_group, held_back
from localaws.settings import Settings

PORT = 4566
"""The port that local AWS engines use by custom."""
START_SECONDS = 30
SOURCE = Path(__file__).resolve().parent.parent
"""The folder that holds this package. The engine starts there, so that it runs this very copy of it."""


class LocalError(RuntimeError):
    """A step of the local deployment failed. The message says which, why and what to do."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine."""

    pid: int
    port: int
    site_port: int = 0
    """0 for one that an older version of this project started."""
    tool: Tool = field(default_factory=lambda: Tool(name="none", why="not looked for"))
    """What runs the containers."""

    @property
    def endpoint(self) -> str:
        """The URL that answers for every AWS service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def site(self) -> str:
        """The URL of a web site that the engine serves beside AWS, for the cron example to check."""
        return f"http://127.0.0.1:{self.site_port}/"


class LocalAws:
    """The engine whose files are in `folder`; it may be running, or not yet, or no more."""

    def __init__(self, folder: Path, settings: Settings | None = None, *, extended: bool = True) -> None:
        self.folder = folder
        self.settings = settings or Settings()
        self._project = Path(self.settings.project)
        self._command = [sys.executable, "-m", "localaws.engine", *([] if extended else ["--stock"])]
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "engine.log"
        self.env_file = folder / "env"
        self.site_is_down = folder / "site-is-down"
        """While there is such a file, the site is down."""
        self.permissions = folder / "tmp" / "permissions.jsonl"
        """Which permissions the roles have used, as localaws/patches/iam.py writes it; goes with the engine."""
        self._state = folder / "engine.json"
        self._unfinished = folder / "unfinished"

    # -- life

    def running(self) -> Engine | None:
        """The engine, if the one that was started last is alive and answers."""
        engine = self.recorded()
        return engine if engine and engine.site_port and _answers(engine) else None

    def recorded(self) -> Engine | None:
        """The engine that was started last, if its process lives.

        It holds a lock on the file with its number for as long as it lives. The number alone would not do: after a
        restart of the machine it may be that of any process.
        """
        try:
            with self._state.open() as state:
                fcntl.flock(state, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except BlockingIOError:
            return self._told()
        return None

    def _told(self) -> Engine | None:
        # Of the engine that was started last, dead or alive. None if the file is not there, or was cut off.
        try:
            told = json.loads(self._state.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return Engine(**{**told, "tool": Tool.from_json(told["tool"])}) if "tool" in told else Engine(**told)

    def start(self) -> Engine:
        """Start an engine on its usual port, or on a free one when that is taken. Raises LocalError if it will not."""
        self.stop()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").mkdir()
        with _one_at_a_time():  # or two that begin together would find the same port free
            engine = self._started()
        self.env_file.write_text(environment.file_for_shells(engine.endpoint, self.folder, self._project))
        return engine

    def _started(self) -> Engine:
        port, site_port = _free_ports(2)
        port = PORT if _free(PORT) else port
        site = ("--site-port", str(site_port), "--site-down", str(self.site_is_down))
        files = ("--folder", str(self.folder), "--permissions", str(self.permissions))
        tool = container_tool.find(self.folder)
        with self.log.open("wb") as log, self._state.open("w") as state, held_back():
            fcntl.flock(state, fcntl.LOCK_EX)
            self._process = subprocess.Popen(
                [*self._command, *site, "--tool", tool.to_json(), "--settings", self.settings.to_json(), *files],
                cwd=SOURCE,
                env={
                    **environment.inherited(),
                    **environment.of_engine(port, self.folder, self._project),
                    "PATH": environment.path(self._project),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the command; the engine outlives it
                pass_fds=[state.fileno()],  # and with it the lock
            )
            engine = Engine(pid=self._process.pid, port=port, site_port=site_port, tool=tool)
            json.dump(asdict(engine), state)
        self._wait_until_it_answers(self._process, engine)
        return engine

    def stop(self) -> None:
        """End the engine and every process it started, and drop what they had in memory and in temporary files.

        Raises LocalError if a process survives.
        """
        engine, told = self.recorded(), self._told()
        if engine:
            self._end(engine.pid)
        if self._process:  # started by this very command, so its number is still its own, even if it is dead
            self._end(self._process.pid)
            self._process.wait()
            self._process = None
        if told:
            container_tool.remove_all(told.tool, self.folder)
        self._state.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)
        self.env_file.unlink(missing_ok=True)
        self.site_is_down.unlink(missing_ok=True)
        self._unfinished.unlink(missing_ok=True)

    def _end(self, group: int) -> None:
        # The engine leads a session of its own, and the functions it runs are in its group.
        if not end_group(group, self._process):
            raise LocalError(
                f"processes of the local AWS survive in group {group}; end them by hand: kill -9 -- -{group}"
            )

    # -- a deployment that broke off

    @property
    def half_done(self) -> bool:
        """Whether the last deployment into this engine began and did not end."""
        return self._unfinished.exists()

    @contextlib.contextmanager
    def deploying(self) -> Iterator[None]:
        """Mark the engine as half done until the block ends well."""
        self._unfinished.touch()
        yield
        self._unfinished.unlink()

    # -- how to reach it

    def client(self, service: str, engine: Engine) -> Any:
        """A boto3 client of the local AWS, with nothing from the person's own AWS configuration."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=engine.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=ACCESS_KEY,
            config=Config(retries={"mode": "standard", "total_max_attempts": 3}, s3={"addressing_style": "path"}),
        )

    def environment(self, engine: Engine) -> dict[str, str]:
        """The environment in which the CDK CLI and every SDK reach the local AWS, and the person's account never."""
        return {
            **environment.inherited(),
            **environment.of_clients(engine.endpoint, self.folder),
            **docker_for_cdk.environment(engine.tool, self.folder, engine.port, self.settings),
            "PATH": environment.path(self._project),
        }

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes], engine: Engine) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(engine):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
                self.stop()
                raise LocalError(f"the local AWS did not start; the end of {self.log}:\n{tail}")
            time.sleep(0.05)


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (Path(tempfile.gettempdir()) / f"local-aws-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _answers(engine: Engine) -> bool:
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{engine.endpoint}/_ministack/health", timeout=2) as response:
            return bool(response.status == 200)  # noqa: PLR2004
    except (urllib.error.URLError, OSError):
        return False


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:  # all at once, so that none is found twice
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
