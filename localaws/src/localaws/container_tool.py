"""Finds the container tool of this machine: docker if its engine answers, otherwise podman, otherwise none."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

CHOICE = "LOCAL_CONTAINERS"
"""The environment variable that chooses the tool: docker, podman or none."""
ANSWER_SECONDS = 10
LABEL = "local-aws"
"""The label of every container and image that is made here. Its value is the folder of the local AWS."""
# A sandbox may allow fewer open files and processes than podman asks for.
_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A container tool and how to call it. If there is none, `command` is empty and the tool is false."""

    name: str
    why: str
    """Why this tool was chosen, in a few words for the person."""
    command: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    """Additional arguments of `build`."""
    run: tuple[str, ...] = ()
    """Additional arguments of `run`."""
    plain_http: tuple[str, ...] = ()
    """Arguments of `push` and `pull` for a registry on this machine without TLS."""
    limits: bool = False
    """Whether the tool enforces processor and memory limits."""
    storage: tuple[str, ...] = ()
    """The folders that the tool uses for this local AWS alone."""

    def __bool__(self) -> bool:
        return bool(self.command)

    def to_json(self) -> str:
        """Return the tool as text, for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Tool":
        """Return the tool that `to_json` wrote, from its parsed text."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**fields)

    def __call__(self, *arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run the tool and return its exit status and output."""
        return subprocess.run(
            [*self.command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )


def find(folder: Path, environment: Mapping[str, str] = os.environ) -> Tool:
    """Return the container tool. podman stores its images in `folder`.

    LOCAL_CONTAINERS=none, docker or podman in the environment overrules the search.
    """
    choice = environment.get(CHOICE, "")
    if choice == "none":
        return Tool(name="none", why=f"{CHOICE}=none")
    if platform.system() != "Linux":
        # Docker Desktop runs containers in a virtual machine, which cannot reach the loopback address of this one.
        return Tool(name="none", why="the containers must share this machine's network, and that needs Linux")
    reasons = []
    for name, probe in (("docker", _docker), ("podman", _podman)):
        if choice in ("", name):
            found = probe(folder)
            if found:
                return found
            reasons.append(found.why)
    return Tool(name="none", why="; ".join(reasons) or f"{CHOICE}={choice} is not docker, podman or none")


def _docker(_folder: Path) -> Tool:
    context = _info("docker", "context", "inspect", "--format", "{{json .Endpoints.docker}}")
    if isinstance(context, str):
        return Tool(name="none", why=context)
    host = str(context.get("Host"))
    if not host.startswith("unix://"):
        return Tool(name="none", why=f"docker's engine is not on this machine, but at {host}")
    command = ("docker", "--host", host)  # as an option, because the engine process has another DOCKER_HOST
    info = _info(*command, "info", "--format", "{{json .}}")
    if isinstance(info, str):
        return Tool(name="none", why=info)
    if "rootless" in str(info.get("SecurityOptions")) or "Desktop" in str(info.get("OperatingSystem")):
        return Tool(name="none", why="docker has its own machine or network (Desktop or rootless)")
    return Tool(name="docker", why="its engine answers", command=command, limits=bool(info.get("MemoryLimit")))


def _podman(folder: Path) -> Tool:
    storage = (str(folder / "containers" / "root"), str(_run_root(folder)))
    command = ("podman", "--root", storage[0], "--runroot", storage[1])
    isolation: tuple[str, ...] = ()
    if os.geteuid() == 0 and not Path("/run/systemd/system").exists():  # this machine is itself a container or sandbox
        runc = shutil.which("runc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        command = (*command, "--cgroup-manager=cgroupfs", *((f"--runtime={runc}",) if runc else ()))
        isolation = ("--isolation", "chroot")
    info = _info(*command, "info", "--format", "json")
    if isinstance(info, str):
        return Tool(name="none", why=info)
    controllers = info["host"].get("cgroupControllers") or []
    return Tool(
        name="podman",
        why="docker's engine does not answer, podman works",
        command=command,
        build=(*isolation, "--format", "docker"),  # the OCI format has no health check
        # ECS and the load balancer check the health. podman's own check needs systemd.
        run=(*_LIMITS, "--no-healthcheck"),
        plain_http=("--tls-verify=false",),
        limits="memory" in controllers,
        storage=storage,
    )


def _run_root(folder: Path) -> Path:
    # podman puts sockets there, so it rejects a path of more than 50 characters. Many local AWS folders are longer.
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"local-aws-{name}"


def _info(program: str, *arguments: str) -> dict[str, Any] | str:
    # The tool's description of itself, or the reason why there is none.
    if shutil.which(program) is None:
        return f"{program} is not installed"
    try:
        answer = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{program} does not answer"
    try:
        info = json.loads(answer.stdout)
    except json.JSONDecodeError:
        info = {}
    # When no engine answers, docker describes its client, and in some versions its exit status is 0.
    if answer.returncode or info.get("ServerErrors"):
        return f"{program} is installed, but does not work: {_last_line(answer.stderr) or info.get('ServerErrors')}"
    return dict(info)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else ""


def is_reachable(image: str) -> bool:
    """Whether the registry of an image answers."""
    try:
        with urllib.request.urlopen(f"https://{image.split('/', maxsplit=1)[0]}/v2/", timeout=3):
            return True
    except urllib.error.HTTPError as error:
        return error.headers.get("Docker-Distribution-Api-Version") is not None
    except OSError:
        return False


def remove_all(tool: Tool, folder: Path) -> None:
    """Remove the containers and images that were made for `folder`."""
    label = f"label={LABEL}={folder}"
    if tool:
        containers = tool("ps", "--all", "--quiet", "--filter", label).stdout.split()
        if containers:
            tool("rm", "--force", *containers)
        images = tool("images", "--quiet", "--filter", label).stdout.split()
        if images:
            tool("rmi", "--force", *dict.fromkeys(images))
    if tool.storage and os.geteuid():
        tool("unshare", "rm", "-rf", *tool.storage)  # some files belong to users that exist only inside podman
    for path in (*map(Path, tool.storage), folder / "containers"):
        shutil.rmtree(path, ignore_errors=True)


def architecture() -> str:
    """Return the processor of this machine: `arm64` or `x86_64`."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"
