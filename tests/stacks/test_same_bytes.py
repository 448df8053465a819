"""Synthesis writes the same bytes for every user, in every folder, on every machine and at any time.

If somebody edits a function, then its asset, which is the archive with its code, gets another name.
"""

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from config import PROFILES
from stacks import _bundling
from tests.support.apps import assembly, stack_name, synthesize_folders
from tests.support.folders import ROOT

SOURCES = ("app.py", "config.py", "settings_checks.py", "cdk.json", "stacks", "lambda_src", "containers")
BUNDLED = "thumbnail"
"""The only function whose requirements these tests bundle. Some of these requirements contain compiled code."""
every_profile = pytest.mark.parametrize("profile", PROFILES)


@pytest.fixture(scope="module")
def other_assemblies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the cloud assemblies of a copy of the project.

    The copy is synthesized in another folder, with another user, locale, time zone, umask and hash seed.
    """
    folder = tmp_path_factory.mktemp("somewhere else") / "ünïcode"
    folder.mkdir()
    for source in SOURCES:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, folder / source)
    (folder / ".build").symlink_to(ROOT / ".build")  # contains installed requirements, so uv needs no network
    for cache in (folder / "lambda_src" / BUNDLED / "__pycache__", folder / "containers" / "web" / "__pycache__"):
        cache.mkdir()
        (cache / "handler.cpython-39.pyc").write_bytes(b"stale")
    (folder / "lambda_src" / BUNDLED / "handler.py").touch()
    synthesize_folders(
        folder,
        umask=0o077,
        context={"aws:cdk:bundling-stacks": [stack_name(BUNDLED)]},
        USER="somebody",
        LOGNAME="somebody",
        TZ="Asia/Kathmandu",
        LANG="C",
        LC_ALL="C",
        PYTHONHASHSEED="7",
        AWS_PROFILE="none",
        CDK_DEFAULT_ACCOUNT="123456789012",
        CDK_DEFAULT_REGION="eu-west-1",
    )
    return folder / "cdk.out"


@pytest.mark.slow
@every_profile
def test_templates_are_the_same_in_another_environment(other_assemblies: Path, profile: str) -> None:
    assert _synthesized_files(other_assemblies / profile) == _synthesized_files(assembly(profile))


@pytest.mark.slow
@every_profile
def test_container_images_have_the_same_files(other_assemblies: Path, profile: str) -> None:
    images = [asset for asset in sorted((other_assemblies / profile).glob("asset.*")) if not _is_bundle(asset)]
    assert len(images) >= 2
    for image in images:
        assert _hashes(image) == _hashes(assembly(profile) / image.name)


@pytest.mark.slow
@every_profile
def test_the_assembly_contains_no_path_of_the_folder_and_no_account_id(other_assemblies: Path, profile: str) -> None:
    for file in (other_assemblies / profile).glob("*.json"):
        if not file.name.endswith(".assets.json") or file.name.startswith(stack_name(BUNDLED)):
            assert str(other_assemblies.parent) not in file.read_text(), file.name
        assert "123456789012" not in file.read_text(), file.name


@pytest.mark.slow
def test_a_bundle_has_the_same_files_and_lambda_can_read_them(other_assemblies: Path, tmp_path: Path) -> None:
    (bundle,) = (asset for asset in (other_assemblies / "sandbox").glob("asset.*") if _is_bundle(asset))
    _bundling._LocalBundling(_bundling.LAMBDA_SRC / BUNDLED).try_bundle(str(tmp_path))
    assert _hashes(bundle) == _hashes(tmp_path)
    assert {path.stat().st_mode & 0o777 for path in bundle.rglob("*") if path.is_file()} == {0o644}
    assert {path.stat().st_mode & 0o777 for path in bundle.rglob("*") if path.is_dir()} == {0o755}


@pytest.mark.parametrize(
    "edited_file",
    [
        "lambda_src/thumbnail/handler.py",
        "lambda_src/thumbnail/requirements.txt",
        "stacks/_bundling.py",
        "stacks/_requirements.py",
    ],
)
def test_an_edit_changes_the_name_of_the_bundle(edited_file: str) -> None:
    """CloudFormation deploys a function again only if the name of its asset changes."""
    assert _bundle_name() == _bundle_name()
    assert _bundle_name(edited_file=ROOT / edited_file) != _bundle_name()


def _bundle_name(edited_file: Path | None = None) -> str:
    read_bytes = Path.read_bytes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda path: read_bytes(path) + (b"# edited" if path == edited_file else b""))
        return _bundling.digest_of(_bundling.LAMBDA_SRC / "thumbnail")


def _is_bundle(asset: Path) -> bool:
    return (asset / BUNDLED).is_dir()


def _synthesized_files(folder: Path) -> dict[str, str]:
    """Return the files that CDK itself writes, without the paths of assets that are not bundled."""
    return {
        file.name: re.sub(r'"path": "[^"]*"', '"path": "…"', file.read_text())
        for file in folder.glob("*")
        if file.is_file() and file.name != "validation-report.json"
    }


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
