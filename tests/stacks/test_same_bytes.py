"""The same sources are the same bytes, whoever synthesizes them, where and when; and an edit is another name."""

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from config import PROFILES
from stacks import _bundling
from tests.support.apps import assembly, stack_name, synthesize_folders
from tests.support.folders import ROOT

pytestmark = pytest.mark.slow

SOURCES = ("app.py", "config.py", "settings_checks.py", "cdk.json", "stacks", "lambda_src", "containers")
BUNDLED = "thumbnail"
"""The function that is bundled here: it has compiled dependencies. All are bundled by the same lines."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, synthesized: other folder, user, locale, time zone, umask, hash seed, and stale caches."""
    folder = tmp_path_factory.mktemp("somewhere else") / "ünïcode"
    folder.mkdir()
    for source in SOURCES:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, folder / source)
    # What pip had installed for the bundles, so that the tests need no network.
    (folder / ".build").symlink_to(ROOT / ".build")
    for cached in (folder / "lambda_src" / BUNDLED / "__pycache__", folder / "containers" / "web" / "__pycache__"):
        cached.mkdir()
        (cached / "handler.cpython-39.pyc").write_bytes(b"stale")
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


@pytest.mark.parametrize("profile", PROFILES)
def test_the_same_bytes_for_every_user_folder_and_machine(elsewhere: Path, profile: str) -> None:
    assert _written(elsewhere / profile) == _written(assembly(profile))


@pytest.mark.parametrize("profile", PROFILES)
def test_the_same_files_for_every_image(elsewhere: Path, profile: str) -> None:
    images = [found for found in sorted((elsewhere / profile).glob("asset.*")) if not _bundle(found)]
    assert len(images) >= 2
    for image in images:
        assert _digests(image) == _digests(assembly(profile) / image.name)


@pytest.mark.parametrize("profile", PROFILES)
def test_neither_a_path_nor_an_account_is_in_the_assembly(elsewhere: Path, profile: str) -> None:
    for file in (elsewhere / profile).glob("*.json"):
        if not file.name.endswith(".assets.json") or file.name.startswith(stack_name(BUNDLED)):
            assert str(elsewhere.parent) not in file.read_text(), file.name
        assert "123456789012" not in file.read_text(), file.name


def test_a_bundle_is_the_same_everywhere_and_lambda_can_read_it(elsewhere: Path, tmp_path: Path) -> None:
    (bundle,) = (found for found in (elsewhere / "sandbox").glob("asset.*") if _bundle(found))
    _bundling._PipBundling(_bundling.LAMBDA_SRC / BUNDLED).try_bundle(str(tmp_path))
    assert _digests(bundle) == _digests(tmp_path)
    assert {path.stat().st_mode & 0o777 for path in bundle.rglob("*") if path.is_file()} == {0o644}
    assert {path.stat().st_mode & 0o777 for path in bundle.rglob("*") if path.is_dir()} == {0o755}


@pytest.mark.parametrize(
    "edited", ["lambda_src/thumbnail/handler.py", "lambda_src/thumbnail/requirements.txt", "stacks/_bundling.py"]
)
def test_an_edit_of_what_is_bundled_is_deployed(edited: str) -> None:
    """A function is deployed anew when its asset's name changes."""
    assert _bundle_name() == _bundle_name()
    source = ROOT / edited
    assert _bundle_name(edited=source) != _bundle_name()


def _bundle_name(edited: Path | None = None) -> str:
    read = Path.read_bytes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda path: read(path) + (b"# edited" if path == edited else b""))
        return _bundling.digest_of(ROOT / "lambda_src" / "thumbnail")


# -- the tools of these tests


def _bundle(asset: Path) -> bool:
    return (asset / BUNDLED).is_dir()


def _written(assembly_folder: Path) -> dict[str, str]:
    """What synthesis has written itself, but where an asset lies that is not bundled."""
    return {
        file.name: re.sub(r'"path": "[^"]*"', '"path": "…"', file.read_text())
        for file in assembly_folder.glob("*")
        if file.is_file() and file.name != "validation-report.json"
    }


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
