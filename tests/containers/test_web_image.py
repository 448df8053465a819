"""The files of the web image's asset, which can be checked without a container tool."""

import shutil
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as ecr_assets

from tests.containers.servers import WEB


def staged(source: Path, folder: Path) -> tuple[str, set[str]]:
    """Return the hash of CDK's asset, and the files in it."""
    app = cdk.App(outdir=str(folder))
    asset = ecr_assets.DockerImageAsset(cdk.Stack(app), "Image", directory=str(source))
    (directory,) = Path(app.synth().directory).glob("asset.*")
    files = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    return asset.asset_hash, files


def test_only_files_of_the_image_change_the_hash_of_its_asset(tmp_path: Path) -> None:
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
