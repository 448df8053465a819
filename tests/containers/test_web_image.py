"""What the image is made of, as far as no container tool is needed to see it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecr_assets as ecr_assets

from tests.containers.servers import WEB

DOCKERFILE = (WEB / "Dockerfile").read_text()


def staged(source: Path, folder: Path) -> tuple[str, set[str]]:
    """The hash of the CDK's asset, and the files in it."""
    app = cdk.App(outdir=str(folder))
    asset = ecr_assets.DockerImageAsset(cdk.Stack(app), "Image", directory=str(source))
    (directory,) = Path(app.synth().directory).glob("asset.*")
    files = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    return asset.asset_hash, files


def test_only_what_is_in_the_image_changes_the_hash_of_its_asset(tmp_path: Path) -> None:
    source = tmp_path / "web"
    shutil.copytree(WEB, source, ignore=shutil.ignore_patterns("__pycache__"))
    first, files = staged(source, tmp_path / "first")
    modules = {f"web/{path.name}" for path in (WEB / "web").iterdir() if path.is_file()}
    assert files - {".dockerignore"} == {"Dockerfile", "requirements.txt"} | modules
    for useless in ("web/__pycache__/app.cpython-311.pyc", "notes.txt", ".env", "tests/test_web.py"):
        (source / useless).parent.mkdir(exist_ok=True)
        (source / useless).write_text("x")
    assert staged(source, tmp_path / "second") == (first, files)
    with (source / "web" / "page.css").open("a") as style:
        style.write("\n")
    assert staged(source, tmp_path / "third")[0] != first


def test_an_image_for_arm_can_be_built_on_x86() -> None:
    """Without emulation, because nothing runs in the stage that is for the other processor."""
    build, image = DOCKERFILE.split("\nFROM ")[1:]
    assert build.startswith("--platform=$BUILDPLATFORM ")
    assert not re.search(r"^RUN", image, re.MULTILINE)


@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
def test_the_lock_holds_for_both_processors(processor: str, tmp_path: Path) -> None:
    found = re.search(r"python:(3\.\d+)\.\d+-slim", DOCKERFILE)
    assert found
    platform = ("--platform", f"manylinux_2_28_{processor}", "--implementation", "cp", "--python-version", found[1])
    options = ("--only-binary", ":all:", "--require-hashes", "--no-deps", "--target", str(tmp_path))
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", *platform, *options]
    subprocess.run([*command, "--requirement", str(WEB / "requirements.txt")], check=True)
