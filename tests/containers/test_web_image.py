"""These tests check the files in the CDK asset of the web image. They need no container tool."""

import shutil
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as ecr_assets

from tests.containers.servers import WEB


def stage_asset(source: Path, folder: Path) -> tuple[str, set[str]]:
    """Let CDK write the asset of an image into a folder. Return the hash of the asset, and the files in it."""
    app = cdk.App(outdir=str(folder))
    asset = ecr_assets.DockerImageAsset(cdk.Stack(app), "Image", directory=str(source))
    (directory,) = Path(app.synth().directory).glob("asset.*")
    files = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    return asset.asset_hash, files


def test_the_hash_of_the_asset_changes_only_if_a_file_of_the_image_changes(tmp_path: Path) -> None:
    source = tmp_path / "web"
    shutil.copytree(WEB, source, ignore=shutil.ignore_patterns("__pycache__"))
    first_hash, files = stage_asset(source, tmp_path / "first")
    modules = {f"web/{path.name}" for path in (WEB / "web").iterdir() if path.is_file()}
    assert files - {".dockerignore"} == {"Dockerfile", "requirements.txt"} | modules
    for ignored_file in ("web/__pycache__/app.cpython-311.pyc", "notes.txt", ".env", "tests/test_web.py"):
        (source / ignored_file).parent.mkdir(exist_ok=True)
        (source / ignored_file).write_text("x")
    assert stage_asset(source, tmp_path / "second") == (first_hash, files)
    with (source / "web" / "page.css").open("a") as style_sheet:
        style_sheet.write("\n")
    assert stage_asset(source, tmp_path / "third")[0] != first_hash
