"""Builds images whose build context is the folder of the project."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from local.project import SETTINGS
from localaws import base_image, container_tool
from localaws.container_tool import Tool
from tests.support.folders import ROOT

BASE_IMAGE = "localhost/test-base:1"


def build_image(tool: Tool, dockerfile: str, folders: Iterable[str], tag: str, context: Path) -> str:
    """Build an image from the files in these folders of the project. Return its name, which is `tag`.

    If the registry of the base image cannot be reached, the base image is made from the Python of this machine.
    `context` is an empty folder.
    """
    build_arguments: tuple[str, ...] = ()
    assert SETTINGS.base_image is not None
    if not container_tool.is_reachable(SETTINGS.base_image.image):
        base_image.import_into(tool, SETTINGS.base_image, BASE_IMAGE)
        build_arguments = ("--build-arg", f"BASE_IMAGE={BASE_IMAGE}")
    # CDK copies the files of the image into a folder, the build context. This function copies the same files.
    for folder in folders:
        shutil.copytree(ROOT / folder, context / folder, ignore=shutil.ignore_patterns("__pycache__"))
    options = ("--file", str(context / dockerfile), "--tag", tag)
    checked_output(tool("build", *tool.build, *build_arguments, *options, str(context)))
    return tag


def compiled_modules(tool: Tool, image: str, modules: str, **variables: str) -> list[str]:
    """Import modules in a container. Return the files that Python compiles for this, because they have no bytecode."""
    options = [part for name, value in variables.items() for part in ("--env", f"{name}={value}")]
    options += ["--read-only", "--network", "host", "--entrypoint", "python", *tool.run]
    run = tool("run", "--rm", *options, image, "-v", "-c", f"import {modules}")
    checked_output(run)
    # For each module, Python writes one of these lines: "<bytecode> matches <source>" or "code object from <source>".
    assert re.search(r"\.pyc matches /", run.stderr), "Python reports no bytecode"
    return re.findall(r"# code object from '?(/.+\.py)'?$", run.stderr, re.MULTILINE)


def checked_output(run: subprocess.CompletedProcess[str]) -> str:
    """Return the output of a command. Raises AssertionError if the command has failed."""
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout
