"""The CDK CLI runs this module instead of docker. The module runs docker or podman with other arguments.

An image name begins with the address of a registry. The CLI uses the address of the registry in an AWS account. This
module replaces that address by the address of the engine's registry on this machine.
"""

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from localaws import base_image, container_tool
from localaws.container_tool import Tool
from localaws.settings import BaseImage, Settings

COMMAND = Path(__file__).with_name("docker")
"""The script that runs this module."""
BASE_IMAGE_NAME = "localhost/localaws/base:made-here"
_ACCOUNT_REGISTRY = re.compile(r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/")


def environment(tool: Tool, folder: Path, port: int, settings: Settings) -> dict[str, str]:
    """Return environment variables. CDK_DOCKER makes the CLI run this module, which reads the other variables."""
    return {
        "CDK_DOCKER": str(COMMAND),
        "LOCAL_AWS_TOOL": tool.to_json(),
        "LOCAL_AWS_FOLDER": str(folder),
        "LOCAL_AWS_PORT": str(port),
        "LOCAL_AWS_SETTINGS": settings.to_json(),
    }


def engine_image_name(image: str, port: int) -> str:
    """Return an image name in which the engine's registry at `port` replaces the registry of an AWS account."""
    return _ACCOUNT_REGISTRY.sub(f"127.0.0.1:{port}/", image)


def arguments(tool: Tool, folder: Path, port: int, base: BaseImage | None, docker_arguments: list[str]) -> list[str]:
    """Translate docker's arguments for the container tool. Also make the base image if a build needs it."""
    command, *rest = docker_arguments
    renamed_arguments = [engine_image_name(argument, port) for argument in rest]
    if command == "build":
        label = f"{container_tool.LABEL}={folder}"
        return ["build", *tool.build, "--label", label, *_base_arguments(tool, folder, base), *rest]
    if command == "push":
        return ["push", *tool.plain_http, *renamed_arguments]
    if command == "inspect":
        return ["image", "inspect", *renamed_arguments]
    return [command, *renamed_arguments]


def is_base_made_here(folder: Path) -> bool:
    """Whether a build used a base image that was made from the Python of this machine."""
    return _base_mark(folder).exists()


def _base_mark(folder: Path) -> Path:
    # The file contains the name of the archive with the base image.
    return folder / "containers" / "base-made-here"


def _base_arguments(tool: Tool, folder: Path, base: BaseImage | None) -> list[str]:
    if base is None:
        return []
    mark = _base_mark(folder)
    mark.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(mark.with_suffix(".lock")):  # several builds may run at the same time
        if tool("image", "inspect", base.image).returncode == 0 or container_tool.is_reachable(base.image):
            mark.unlink(missing_ok=True)
            return []
        archive = base_image.archive(base).name
        if not mark.exists() or mark.read_text(encoding="utf-8") != archive:
            base_image.import_into(tool, base, BASE_IMAGE_NAME, f"LABEL {container_tool.LABEL}={folder}")
            mark.write_text(archive, encoding="utf-8")
    return ["--build-arg", f"{base.build_argument}={BASE_IMAGE_NAME}"]


def _build_lock(folder: Path, docker_arguments: list[str]) -> FileLock:
    # Builds of the same Dockerfile run one after the other. The second one finds the layers of the first one.
    file = docker_arguments[docker_arguments.index("--file") + 1] if "--file" in docker_arguments else "Dockerfile"
    digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]
    (folder / "containers").mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "containers" / f"build-{digest}.lock")


def main(docker_arguments: list[str], variables: Mapping[str, str]) -> int:
    """Run the docker command with these arguments, and return its exit status."""
    if docker_arguments[0] == "login":  # the engine's registry needs no password
        return 0
    tool = Tool.from_json(json.loads(variables["LOCAL_AWS_TOOL"]))
    if not tool:
        print(f"error: there is no container tool: {tool.why}", file=sys.stderr)
        return 1
    folder, port = Path(variables["LOCAL_AWS_FOLDER"]), int(variables["LOCAL_AWS_PORT"])
    base = Settings.from_json(variables["LOCAL_AWS_SETTINGS"]).base_image
    with _build_lock(folder, docker_arguments) if docker_arguments[0] == "build" else contextlib.nullcontext():
        command = arguments(tool, folder, port, base, docker_arguments)
        status = subprocess.run([*tool.command, *command], stdin=subprocess.DEVNULL, check=False).returncode
    # For `inspect`, exit status 1 means that the image does not exist. The CLI treats any higher status as a failure.
    return min(status, 1) if docker_arguments[0] == "inspect" else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
