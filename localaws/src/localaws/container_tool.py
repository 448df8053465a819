"""Which container tool is at hand: docker, whose engine must answer, else podman, else none."""

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
"""The environment variable that chooses: docker, podman or none."""
ANSWER_SECONDS = 10
LABEL = "local-aws"
"""On every container and image that is made here; its value is the folder that it belongs to."""
# A sandbox may allow fewer open files and processes than podman asks for.
_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A container tool and how it is called; without a command there is none."""

    name: str
    why: str
    """In a few words, for the person."""
    command: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    """What `build` needs beside."""
    run: tuple[str, ...] = ()
    """What `run` needs beside."""
    plain_http: tuple[str, ...] = ()
    """What `push` and `pull` need for a registry without TLS on this machine."""
    limits: bool = False
    """Whether processor and memory limits are enforced."""
    storage: tuple[str, ...] = ()
    """Its folders that are for this local AWS alone."""

    def __bool__(self) -> bool:
        return bool(self.command)

    def to_json(self) -> str:
        """Everything, for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Tool":
        """The one that `to_json` wrote, parsed."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in told.items()
        }
        return cls(**values)

    def __call__(self, *arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run the tool to its end, and answer with what it said."""
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
    """The tool to use; what podman stores goes into `folder`. LOCAL_CONTAINERS=none|docker|podman decides otherwise."""
    choice = environment.get(CHOICE, "")
    if choice == "none":
        return Tool(name="none", why=f"{CHOICE}=none")
    if platform.system() != "Linux":
        # Docker Desktop runs containers in a machine of their own, which cannot reach this one's loopback.
        return Tool(name="none", why="containers share the network of this machine here, which needs Linux")
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
    command = ("docker", "--host", host)  # by name: in the local AWS's own environment DOCKER_HOST leads nowhere
    info = _info(*command, "info", "--format", "{{json .}}")
    if isinstance(info, str):
        return Tool(name="none", why=info)
    if "rootless" in str(info.get("SecurityOptions")) or "Desktop" in str(info.get("OperatingSystem")):
        return Tool(name="none", why="docker runs in a machine or network of its own (Desktop or rootless)")
    return Tool(name="docker", why="its engine answers", command=command, limits=bool(info.get("MemoryLimit")))


def _podman(folder: Path) -> Tool:
    storage = (str(folder / "containers" / "root"), str(_run_root(folder)))
    command = ("podman", "--root", storage[0], "--runroot", storage[1])
    chroot: tuple[str, ...] = ()
    if os.geteuid() == 0 and not Path("/run/systemd/system").exists():  # a container or sandbox itself
        runc = shutil.which("runc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        command = (*command, "--cgroup-manager=cgroupfs", *((f"--runtime={runc}",) if runc else ()))
        chroot = ("--isolation", "chroot")
    info = _info(*command, "info", "--format", "json")
    if isinstance(info, str):
        return Tool(name="none", why=info)
    controllers = info["host"].get("cgroupControllers") or []
    return Tool(
        name="podman",
        why="docker's engine does not answer, podman works",
        command=command,
        build=(*chroot, "--format", "docker"),  # the other one has no health check
        run=(*_LIMITS, "--no-healthcheck"),  # ECS's own and the load balancer's are asked; podman's wants systemd
        plain_http=("--tls-verify=false",),
        limits="memory" in controllers,
        storage=storage,
    )


def _run_root(folder: Path) -> Path:
    # podman refuses one of more than 50 characters, which the folder of many a person has: there are sockets in it.
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"local-aws-{name}"


def _info(program: str, *arguments: str) -> dict[str, Any] | str:
    # What the tool tells about itself, or why it tells nothing.
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
    # docker prints what it knows about its client, and succeeds with some versions, when no engine answers.
    if answer.returncode or info.get("ServerErrors"):
        return f"{program} is installed, but does not work: {_last_line(answer.stderr) or info.get('ServerErrors')}"
    return dict(info)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else ""


def is_reachable(image: str) -> bool:
    """Whether the registry of an image answers from here."""
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
        tool("unshare", "rm", "-rf", *tool.storage)  # some of it belongs to users that exist only for podman
    for path in (*map(Path, tool.storage), folder / "containers"):
        shutil.rmtree(path, ignore_errors=True)


def architecture() -> str:
    """Of this machine, as the configuration names it."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"
