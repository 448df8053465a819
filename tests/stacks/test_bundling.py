"""The bundles that pip makes: for Lambda's processor and Python, and with nothing that is not needed."""

import ast
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from stacks import _bundling
from stacks._bundling import LAMBDA_SRC, BundlingError, requirements_of
from tests.support.bundles import BUNDLES, locked_versions
from tests.support.folders import ROOT

PACKAGES = sorted(lock.parent.name for lock in LAMBDA_SRC.glob("*/requirements.txt"))
AARCH64 = 0xB7
"""e_machine of an ELF file for 64-bit ARM. https://github.com/ARM-software/abi-aa/blob/main/aaelf64/aaelf64.rst"""
every_package = pytest.mark.parametrize("package", PACKAGES)


def bundle(package: str, target: Path) -> Path:
    assert _bundling._PipBundling(LAMBDA_SRC / package).try_bundle(str(target))
    return target


@every_package
def test_compiled_code_is_for_lambdas_processor_and_python(package: str, tmp_path: Path) -> None:
    objects = [path for path in bundle(package, tmp_path).rglob("*") if ".so" in path.name]
    assert bool(objects) is bool(BUNDLES[package].compiled)
    for path in objects:
        header = path.read_bytes()[:20]
        assert header[:4] == b"\x7fELF", path
        assert struct.unpack("<H", header[18:20]) == (AARCH64,), path
        tag = re.search(r"\.(cpython-[^.]+|abi3)", path.name)
        assert tag is None or tag[1] in ("cpython-314-aarch64-linux-gnu", "abi3"), path


def test_pillow_is_bundled_with_the_codecs_of_the_lesson(tmp_path: Path) -> None:
    names = {path.name.split("-")[0].split(".")[0] for path in bundle("thumbnail", tmp_path).rglob("*.so*")}
    assert {"_imaging", "_imagingcms", "_webp", "_avif", "libjpeg", "libtiff", "libwebp", "libavif"} <= names


@every_package
def test_nothing_is_bundled_that_the_lock_does_not_name(package: str, tmp_path: Path) -> None:
    found = {path.name for path in bundle(package, tmp_path).iterdir()}
    metadata = {f"{name.replace('-', '_')}-{version}.dist-info" for name, version in _lock(package).items()}
    assert found == {package} | BUNDLES[package].of_wheels | metadata
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".pyc", ".pyi")]
    of_pip = {"RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json"}  # not the same everywhere
    assert not [path for path in tmp_path.glob("*.dist-info/*") if path.name in of_pip]
    assert {path.suffix for path in (tmp_path / package).rglob("*")} <= {".py", ".json"}


def _lock(package: str) -> dict[str, str]:
    return locked_versions(LAMBDA_SRC / package / "requirements.txt")


@pytest.mark.slow
def test_pip_refuses_what_is_not_locked_by_hash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_bundling, "ROOT", tmp_path)
    monkeypatch.setattr(_bundling, "CACHE", tmp_path / "cache")
    (tmp_path / "requirements.txt").write_text("typing-extensions==4.16.0\n")
    with pytest.raises(BundlingError, match="hash"):
        requirements_of(tmp_path)


@every_package
def test_every_requirement_is_locked_by_hash(package: str) -> None:
    text = (LAMBDA_SRC / package / "requirements.txt").read_text()
    for requirement in re.split(r"\n(?=[a-z])", text):
        assert requirement.startswith("#") or "--hash=sha256:" in requirement, requirement
    assert "://" not in text


@every_package
def test_the_tests_and_the_local_aws_run_the_versions_that_are_bundled(package: str) -> None:
    installed = locked_versions(ROOT / "requirements-dev.txt")
    for name, version in _lock(package).items():
        assert installed[name] == version, f"{name}: make lock brings them together"


@pytest.mark.slow
@every_package
def test_the_handler_finds_all_it_imports(package: str, tmp_path: Path) -> None:
    """In an interpreter that has the bundle, and of everything else only what Lambda's runtime brings."""
    folder = bundle(package, tmp_path)
    site = Path(ast.__file__).parent  # the standard library
    for compiled in BUNDLES[package].compiled:  # this machine's, for those in the bundle cannot run here
        (folder / compiled).rename(folder / f"{compiled}.lambda")
        (folder / compiled).symlink_to(_installed(compiled))
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"):
        (runtime / name).symlink_to(_installed(name))
    program = f"""
import sys
sys.path = [{str(folder)!r}, {str(site)!r}, {str(site / "lib-dynload")!r}, {str(runtime)!r}]
import {package}.handler
"""
    environment = {"AWS_DEFAULT_REGION": "us-east-1", **BUNDLES[package].environment}
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import os; os.environ.update({environment!r})\n{program}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def _installed(name: str) -> Path:
    (found,) = {path / name for path in map(Path, sys.path) if (path / name).exists()}
    return found.resolve()


def test_requirements_are_installed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = requirements_of(LAMBDA_SRC / "thumbnail")
    monkeypatch.setattr(_bundling, "_pip_install", lambda *_: pytest.fail("pip ran again"))
    assert requirements_of(LAMBDA_SRC / "thumbnail") == first


def test_an_edited_lock_is_installed_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_bundling, "ROOT", tmp_path)
    monkeypatch.setattr(_bundling, "CACHE", tmp_path / "cache")
    source = tmp_path / "one"
    source.mkdir()
    installed = []

    def install(_lock: Path, target: Path) -> None:
        target.mkdir(parents=True)
        installed.append(target)

    monkeypatch.setattr(_bundling, "_pip_install", install)
    folders = set()
    for text in ("a==1", "a==2", "a==1"):
        (source / "requirements.txt").write_text(text)
        folders.add(requirements_of(source))
    assert len(folders) == len(installed) == 2


@pytest.mark.slow
def test_a_wrong_hash_stops_the_synthesis_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_bundling, "ROOT", tmp_path)
    monkeypatch.setattr(_bundling, "CACHE", tmp_path / "cache")
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"typing-extensions==4.16.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(BundlingError, match=r"pip could not install requirements.txt"):
        requirements_of(tmp_path)
    assert list((tmp_path / "cache").iterdir()) == []
