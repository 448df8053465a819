"""Find the container tool of this machine, which is docker or podman.

docker is preferred. podman is used if docker's daemon does not answer. If podman does not work either, there is no
tool.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

CHOICE = "LOCAL_CONTAINERS"
"""The environment variable with which the user chooses the tool. Its value is docker, podman or none."""
NO_ANSWER = "does not answer"
ANSWER_SECONDS = 10
"""The maximum time to wait for the tool's answer."""
LABEL = "local-aws"
"""The label of all containers and images of a local AWS. Its value is the folder of the local AWS."""
KEPT_DAYS = 7
"""podman's images and layers are kept for this number of days. Then they are built again, with a new base image."""
# Limits for open files and processes. On a machine that is itself a container, podman's default limits may be higher
# than the machine allows.
_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A container tool and its options. If there is no tool, `command` is empty and `bool(tool)` is False."""

    name: str
    why: str
    """The reason why this tool was chosen, in a few words for the user."""
    command: tuple[str, ...] = ()
    """The program and its global options."""
    build: tuple[str, ...] = ()
    """Additional options of the subcommand `build`."""
    run: tuple[str, ...] = ()
    """Additional options of the subcommand `run`."""
    plain_http: tuple[str, ...] = ()
    """Options of `push` and `pull` for a registry without TLS on this machine."""
    limits: bool = False
    """Whether the tool enforces processor and memory limits."""
    storage: tuple[str, ...] = ()
    """The folders that contain the images and containers of this local AWS, and nothing else."""

    def __bool__(self) -> bool:
        return bool(self.command)

    def to_json(self) -> str:
        """Return the tool as text, for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Tool":
        """Return a tool from the parsed output of `to_json`."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**fields)

    def __call__(self, *arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run the tool with these arguments, and return its exit status and output."""
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
    """Return the container tool of this machine. podman will store its images in `folder`.

    If the variable LOCAL_CONTAINERS in `environment` is docker, podman or none, no other tool is considered.
    """
    choice = environment.get(CHOICE, "")
    if choice == "none":
        return Tool(name="none", why=f"{CHOICE}=none")
    if platform.system() != "Linux":
        # Docker Desktop runs containers in a virtual machine, and 127.0.0.1 in that machine is not this machine.
        return Tool(name="none", why="containers can use the network of this machine only on Linux")
    reasons = []
    for name, find_tool in (("docker", _find_docker), ("podman", _find_podman)):
        if choice in ("", name):
            tool = find_tool(folder)
            if tool:
                return replace(tool, why=f"{CHOICE}={choice}") if choice else tool
            reasons.append(tool.why)
    return Tool(name="none", why="; ".join(reasons) or f"{CHOICE} must be docker, podman or none, but is {choice}")


def _find_docker(_folder: Path) -> Tool:
    context = _info("docker", "context", "inspect", "--format", "{{json .Endpoints.docker}}")
    if isinstance(context, str):
        return Tool(name="none", why=context)
    host = str(context.get("Host"))
    if not host.startswith("unix://"):
        return Tool(name="none", why=f"docker's daemon is not on this machine, but at {host}")
    # The host is an option here, because DOCKER_HOST has another value in the engine process.
    command = ("docker", "--host", host)
    info = _info(*command, "info", "--format", "{{json .}}")
    if isinstance(info, str):
        return Tool(name="none", why=info)
    if "rootless" in str(info.get("SecurityOptions")) or "Desktop" in str(info.get("OperatingSystem")):
        return Tool(
            name="none", why="docker runs containers in a network of its own (Docker Desktop or rootless docker)"
        )
    return Tool(name="docker", why="docker's daemon answers", command=command, limits=bool(info.get("MemoryLimit")))


def _find_podman(folder: Path) -> Tool:
    storage = _storage(folder)
    if shutil.which("podman") is None:
        return Tool(name="none", why="podman is not installed")
    # podman passes these paths to conmon, which fails if the locale does not support all their letters.
    command = ("/usr/bin/env", "LC_ALL=C.UTF-8", "podman", "--root", storage[0], "--runroot", storage[1])
    isolation: tuple[str, ...] = ()
    # A machine with root but without systemd is probably itself a container or sandbox.
    if os.geteuid() == 0 and not Path("/run/systemd/system").exists():
        runc = shutil.which("runc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        command = (*command, "--cgroup-manager=cgroupfs", *((f"--runtime={runc}",) if runc else ()))
        isolation = ("--isolation", "chroot")
    info = _info(*command, "info", "--format", "json")
    if isinstance(info, str) and not info.endswith(NO_ANSWER) and Path(storage[0]).exists():
        # podman refuses kept images if the folder has moved, or after a crash. Without them, it starts from nothing.
        _remove_storage(folder)
        info = _info(*command, "info", "--format", "json")
    if isinstance(info, str):
        return Tool(name="none", why=info)
    controllers = info["host"].get("cgroupControllers") or []
    return Tool(
        name="podman",
        why="docker's daemon does not answer, but podman works",
        command=command,
        build=(*isolation, "--format", "docker"),  # the OCI format has no health check
        # podman's health checks need systemd. They are not needed, because ECS and the load balancer check tasks.
        run=(*_LIMITS, "--no-healthcheck"),
        plain_http=("--tls-verify=false",),
        limits="memory" in controllers,
        storage=storage,
    )


def _storage(folder: Path) -> tuple[str, str]:
    return str(folder / "containers" / "root"), str(_run_root(folder))


def _run_root(folder: Path) -> Path:
    # podman creates sockets in this folder, and rejects a path of more than 50 characters. The path of the local AWS
    # folder is often longer. So this folder is elsewhere, and its name contains a hash of the local AWS folder's path.
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"local-aws-{name}"


def _info(program: str, *arguments: str) -> dict[str, Any] | str:
    # Return the tool's description of itself (a dict), or the reason why there is no description (a str).
    if shutil.which(program) is None:
        return f"{program} is not installed"
    try:
        answer = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{program} {NO_ANSWER}"
    try:
        info = json.loads(answer.stdout)
    except json.JSONDecodeError:
        info = {}
    # If docker's daemon does not answer, docker describes its client, and some versions exit with 0.
    if answer.returncode or info.get("ServerErrors"):
        return f"{program} is installed, but does not work: {_last_line(answer.stderr) or info.get('ServerErrors')}"
    return dict(info)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else ""


def is_reachable(image: str) -> bool:
    """Whether the registry of the image answers."""
    try:
        with urllib.request.urlopen(f"https://{image.split('/', maxsplit=1)[0]}/v2/", timeout=3):
            return True
    except urllib.error.HTTPError as error:
        return error.headers.get("Docker-Distribution-Api-Version") is not None
    except OSError:
        return False


def remove_containers(tool: Tool, folder: Path) -> None:
    """Remove all containers of the local AWS whose folder is `folder`. Keep podman's images and layers in `folder`.

    So the next start builds only what has changed. After KEPT_DAYS, or if an interrupted build has left something, the
    images are removed, too. docker's images are always removed: docker keeps their layers itself, for all projects.
    """
    if not tool.storage:
        _remove_labelled(tool, folder)  # images of podman stay, because the next start may use podman again
        return
    first_use = folder / "containers" / "first-use"
    if not Path(tool.storage[0]).exists():
        remove_all(tool, folder)
        return
    _remove_containers(tool, f"label={LABEL}={folder}")
    others = tool("ps", "--all", "--external", "--quiet")  # also the containers of interrupted builds
    if not first_use.exists():
        first_use.touch()
    if _is_old(first_use) or others.returncode or others.stdout.strip():
        remove_all(tool, folder)
    else:
        shutil.rmtree(tool.storage[1], ignore_errors=True)  # this folder is outside of `folder`, and contains no image


def remove_old_images(folder: Path) -> None:
    """Remove podman's images in `folder` if they were kept for more than KEPT_DAYS."""
    if _is_old(folder / "containers" / "first-use"):
        _remove_storage(folder)


def _is_old(first_use: Path) -> bool:
    return first_use.exists() and time.time() - first_use.stat().st_mtime > KEPT_DAYS * 24 * 60 * 60


def _remove_containers(tool: Tool, label: str) -> None:
    containers = tool("ps", "--all", "--quiet", "--filter", label).stdout.split()
    if containers:
        tool("rm", "--force", *containers)


def remove_all(tool: Tool, folder: Path) -> None:
    """Remove all containers and images of the local AWS whose folder is `folder`."""
    _remove_labelled(tool, folder)
    _remove_storage(folder)


def _remove_labelled(tool: Tool, folder: Path) -> None:
    label = f"label={LABEL}={folder}"
    if tool:
        _remove_containers(tool, label)
        images = tool("images", "--quiet", "--filter", label).stdout.split()
        if images:
            tool("rmi", "--force", *dict.fromkeys(images))


def _remove_storage(folder: Path) -> None:
    # The tool of this start can be another one than podman, which has stored the images in an earlier start.
    storage = _storage(folder)
    if os.geteuid() and Path(storage[0]).exists() and shutil.which("podman"):
        # Some files belong to users that exist only inside podman.
        subprocess.run(["podman", "unshare", "rm", "-rf", *storage], capture_output=True, check=False)
    for path in (*map(Path, storage), folder / "containers"):
        shutil.rmtree(path, ignore_errors=True)


def architecture() -> str:
    """Return the processor architecture of this machine: `arm64` or `x86_64`."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"
