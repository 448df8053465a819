"""What the CDK CLI runs in place of docker: the tool at hand, and the local registry in place of the account's.

No repository of an account answers here. What goes to one, or comes from there, goes to the engine's own.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from localaws import base_image, container_tool
from localaws.container_tool import Tool
from localaws.settings import BaseImage, Settings

COMMAND = Path(__file__).with_name("docker")
"""The script that runs this module."""
BASE = "localhost/local-aws/base:made-here"
_REGISTRY = re.compile(r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/")


def environment(tool: Tool, folder: Path, port: int, settings: Settings) -> dict[str, str]:
    """What tells the CLI of this module, and this module of the tool, its folder and the engine's port."""
    return {
        "CDK_DOCKER": str(COMMAND),
        "LOCAL_AWS_TOOL": tool.to_json(),
        "LOCAL_AWS_FOLDER": str(folder),
        "LOCAL_AWS_PORT": str(port),
        "LOCAL_AWS_SETTINGS": settings.to_json(),
    }


def in_the_engine(image: str, port: int) -> str:
    """The name of an image, its registry replaced by the engine's where it is an account's."""
    return _REGISTRY.sub(f"127.0.0.1:{port}/", image)


def arguments(tool: Tool, folder: Path, port: int, base: BaseImage | None, given: list[str]) -> list[str]:
    """What to give to the tool for what the CLI gives to docker. Makes the base image when it has to."""
    command, *rest = given
    named = [in_the_engine(argument, port) for argument in rest]
    if command == "build":
        label = f"{container_tool.LABEL}={folder}"
        return ["build", *tool.build, "--label", label, *_base(tool, folder, base), *rest]
    if command == "push":
        return ["push", *tool.plain_http, *named]
    if command == "inspect":
        return ["image", "inspect", *named]
    return [command, *named]


def is_base_made_here(folder: Path) -> bool:
    """Whether an image was built on a base of this machine's Python."""
    return _mark(folder).exists()


def _mark(folder: Path) -> Path:
    return folder / "containers" / "base-made-here"


def _base(tool: Tool, folder: Path, base: BaseImage | None) -> list[str]:
    if base is None or container_tool.is_reachable(base.image):
        return []
    if not is_base_made_here(folder):
        base_image.import_into(tool, base, BASE, f"LABEL {container_tool.LABEL}={folder}")
        _mark(folder).parent.mkdir(parents=True, exist_ok=True)
        _mark(folder).touch()
    return ["--build-arg", f"{base.build_argument}={BASE}"]


def main(given: list[str], told: Mapping[str, str]) -> int:
    """Do one command, and answer with its exit status."""
    if given[0] == "login":  # the engine's registry asks for no password
        return 0
    tool = Tool.from_json(json.loads(told["LOCAL_AWS_TOOL"]))
    base = Settings.from_json(told["LOCAL_AWS_SETTINGS"]).base_image
    command = arguments(tool, Path(told["LOCAL_AWS_FOLDER"]), int(told["LOCAL_AWS_PORT"]), base, given)
    status = subprocess.run([*tool.command, *command], stdin=subprocess.DEVNULL, check=False).returncode
    # The CLI takes 1 for "there is no such image", and other numbers for a failure.
    return min(status, 1) if given[0] == "inspect" else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
