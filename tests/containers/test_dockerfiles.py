"""These tests check every Dockerfile. They need no container tool."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.images import COMMON_STAGE
from local.project import base_image
from tests.support.folders import ROOT

DOCKERFILES = sorted((ROOT / "containers").glob("*/Dockerfile"))
for_each_dockerfile = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.parent.name)


@for_each_dockerfile
def test_the_image_has_the_base_image_of_the_project(dockerfile: Path) -> None:
    assert f"ARG BASE_IMAGE={base_image()}\n" in dockerfile.read_text()


@for_each_dockerfile
def test_an_image_for_arm_can_be_built_on_x86(dockerfile: Path) -> None:
    """The build stages use the processor of the builder. The final stage runs no program, so no emulator is needed."""
    *build_stages, final_stage = dockerfile.read_text().split("\nFROM ")[1:]
    assert build_stages
    assert all(stage.startswith(("--platform=$BUILDPLATFORM ", f"{COMMON_STAGE} AS ")) for stage in build_stages)
    assert not re.search(r"^RUN", final_stage, re.MULTILINE)


@for_each_dockerfile
def test_a_change_of_the_code_repeats_no_step_of_the_packages(dockerfile: Path) -> None:
    """A build repeats each step that follows a changed file, and each stage that copies from a changed stage."""
    _, packages, code, final_stage = dockerfile.read_text().split("\nFROM ")[1:]
    assert re.findall(r"^COPY (.+)", packages, re.MULTILINE) == [
        f"{dockerfile.parent.relative_to(ROOT)}/requirements.txt /build/".removeprefix(_context(dockerfile))
    ], "copy only requirements.txt into the stage of the packages, and all code into the stage of the code"
    assert "compileall" in packages
    assert "compileall" in code
    *_, last = final_stage.strip().splitlines()
    assert last == "COPY --from=code /code /app", "the copy of the code must be the last step"


def test_all_builds_share_the_stage_that_compiles_the_library() -> None:
    """A build finds the steps of another build if they are the same, and all steps before them, too."""
    first_stages = {file.read_text().split(f" AS {COMMON_STAGE}\n")[1].split("\nFROM ")[0] for file in DOCKERFILES}
    assert len(first_stages) == 1
    assert "compileall" in first_stages.pop()


def _context(dockerfile: Path) -> str:
    """Return the prefix of the paths outside the build context."""
    is_project = dockerfile.with_name("Dockerfile.dockerignore").exists()
    return "" if is_project else f"{dockerfile.parent.relative_to(ROOT)}/"


@for_each_dockerfile
@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
def test_the_locked_packages_have_wheels_for_the_processor(dockerfile: Path, processor: str, tmp_path: Path) -> None:
    """requirements.txt locks the packages: it contains exact versions and hashes."""
    python_version = re.search(r"python:(3\.\d+)\.\d+-slim", base_image())
    assert python_version
    platforms = re.findall(r'--platform "(\w+)_\$\{processor\}"', dockerfile.read_text())
    assert "manylinux_2_28" in platforms
    target = (
        *(f"--platform={platform}_{processor}" for platform in platforms),
        "--implementation",
        "cp",
        "--python-version",
        python_version[1],
    )
    options = ("--only-binary", ":all:", "--require-hashes", "--no-deps", "--target", str(tmp_path))
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", *target, *options]
    subprocess.run([*command, "--requirement", str(dockerfile.with_name("requirements.txt"))], check=True)
