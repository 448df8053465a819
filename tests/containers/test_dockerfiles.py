"""Rules for every Dockerfile that can be checked without a container tool."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.project import base_image
from tests.support.folders import ROOT

DOCKERFILES = sorted((ROOT / "containers").glob("*/Dockerfile"))
each = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.parent.name)


@each
def test_all_images_have_the_same_base(dockerfile: Path) -> None:
    assert f"ARG BASE_IMAGE={base_image()}\n" in dockerfile.read_text()


@each
def test_an_image_for_arm_can_be_built_on_x86(dockerfile: Path) -> None:
    """No emulation is needed, because the stage for the other processor runs no program."""
    build, image = dockerfile.read_text().split("\nFROM ")[1:]
    assert build.startswith("--platform=$BUILDPLATFORM ")
    assert not re.search(r"^RUN", image, re.MULTILINE)


@each
@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
def test_the_lock_has_wheels_for_both_processors(dockerfile: Path, processor: str, tmp_path: Path) -> None:
    found = re.search(r"python:(3\.\d+)\.\d+-slim", base_image())
    assert found
    platform = ("--platform", f"manylinux_2_28_{processor}", "--implementation", "cp", "--python-version", found[1])
    options = ("--only-binary", ":all:", "--require-hashes", "--no-deps", "--target", str(tmp_path))
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", *platform, *options]
    subprocess.run([*command, "--requirement", str(dockerfile.with_name("requirements.txt"))], check=True)
