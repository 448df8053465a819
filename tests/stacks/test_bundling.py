"""These tests check that the bundle of a function works on Lambda and has exactly the locked requirements.

A lock is a requirements.txt with exact versions and hashes. CDK uploads a bundle as the code of a function.
"""

import ast
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from stacks import _bundling, _requirements
from stacks._bundling import LAMBDA_SRC
from stacks._requirements import BundlingError, install_requirements
from tests.support.bundles import PYTHON_OF_LAMBDA, bundle_of, locked_versions
from tests.support.folders import ROOT

PACKAGES = sorted(lock.parent.name for lock in LAMBDA_SRC.glob("*/requirements.txt"))
AARCH64 = 0xB7
"""The field e_machine of an ELF file for 64-bit ARM.
https://github.com/ARM-software/abi-aa/blob/main/aaelf64/aaelf64.rst"""
RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py")
"""The packages that Lambda's Python runtime contains."""
ADD_BUNDLE = "the bundle has other files than expected: write them into BUNDLES in tests/support/bundles.py"
every_package = pytest.mark.parametrize("package", PACKAGES)


def build_bundle(package: str, target: Path) -> Path:
    assert _bundling._LocalBundling(LAMBDA_SRC / package).try_bundle(str(target))
    return target


def requirements(package: str) -> dict[str, str]:
    return locked_versions(LAMBDA_SRC / package / "requirements.txt")


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the folder of an empty project. Its cache of installed requirements is empty, too."""
    monkeypatch.setattr(_bundling, "ROOT", tmp_path)
    monkeypatch.setattr(_requirements, "ROOT", tmp_path)
    monkeypatch.setattr(_requirements, "CACHE", tmp_path / "cache")
    return tmp_path


@pytest.mark.slow
@every_package
def test_compiled_code_fits_the_processor_and_the_python_of_lambda(package: str, tmp_path: Path) -> None:
    objects = [path for path in build_bundle(package, tmp_path).rglob("*") if ".so" in path.name]
    assert bool(objects) is bool(bundle_of(package).compiled), ADD_BUNDLE
    for path in objects:
        header = path.read_bytes()[:20]
        assert header[:4] == b"\x7fELF", path
        assert struct.unpack("<H", header[18:20]) == (AARCH64,), path
        tag = re.search(r"\.(cpython-[^.]+|abi3)", path.name)
        assert tag is None or tag[1] in (PYTHON_OF_LAMBDA, "abi3"), path


@pytest.mark.slow
def test_a_bundle_has_the_codecs_that_the_lesson_names(tmp_path: Path) -> None:
    names = {path.name.split("-")[0].split(".")[0] for path in build_bundle("thumbnail", tmp_path).rglob("*.so*")}
    assert {"_imaging", "_imagingcms", "_webp", "_avif", "libjpeg", "libtiff", "libwebp", "libavif"} <= names
    assert {"_pillow_heif", "libheif", "libde265"} <= names


@pytest.mark.slow
@every_package
def test_a_bundle_has_only_the_package_and_its_locked_requirements(package: str, tmp_path: Path) -> None:
    names = {path.name for path in build_bundle(package, tmp_path).iterdir()}
    metadata = {f"{name.replace('-', '_')}-{version}.dist-info" for name, version in requirements(package).items()}
    assert names == {package} | bundle_of(package).from_wheels | metadata, ADD_BUNDLE
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".pyc", ".pyi")]
    machine_dependent = {"RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json"}
    assert not [path for path in tmp_path.glob("*.dist-info/*") if path.name in machine_dependent]
    assert {path.suffix for path in (tmp_path / package).rglob("*") if path.is_file()} <= {".py", ".json"}


@every_package
def test_every_requirement_is_locked_by_hash(package: str) -> None:
    text = (LAMBDA_SRC / package / "requirements.txt").read_text()
    for requirement in re.split(r"\n(?=[a-z])", text):
        assert requirement.startswith("#") or "--hash=sha256:" in requirement, requirement
    assert "://" not in text


@every_package
def test_the_tests_use_the_versions_of_the_bundle(package: str) -> None:
    installed = locked_versions(ROOT / "requirements-dev.txt")
    assert {name: installed[name] for name in requirements(package)} == requirements(package), (
        "`make lock` makes them equal"
    )


@pytest.mark.slow
@every_package
def test_lambda_can_import_the_handler(package: str, tmp_path: Path) -> None:
    """Python imports the handler here with only the standard library, the bundle and the runtime's packages."""
    folder = build_bundle(package, tmp_path)
    library = Path(ast.__file__).parent
    for compiled in bundle_of(package).compiled:  # this machine cannot run this compiled code of the bundle
        installed = _installed(compiled.replace(PYTHON_OF_LAMBDA, "*"))
        (folder / compiled).rename(folder / f"{compiled}.of_lambda")
        (folder / installed.name).symlink_to(installed)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    for name in RUNTIME_PACKAGES:
        (runtime / name).symlink_to(_installed(name))
    path = [str(folder), str(library), str(library / "lib-dynload"), str(runtime)]
    environment = {"AWS_DEFAULT_REGION": "us-east-1", **bundle_of(package).environment}
    program = f"import os, sys; os.environ.update({environment!r}); sys.path = {path!r}; import {package}.handler"
    run = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def _installed(pattern: str) -> Path:
    (location,) = {location for path in sys.path for location in Path(path).glob(pattern)}
    return location.resolve()


def test_uv_runs_only_once_for_an_unchanged_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = install_requirements(LAMBDA_SRC / "thumbnail")
    monkeypatch.setattr(_requirements, "_uv_install", lambda *_: pytest.fail("uv ran again"))
    assert install_requirements(LAMBDA_SRC / "thumbnail") == folder


def test_uv_runs_again_for_a_changed_lock(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    targets: list[Path] = []
    monkeypatch.setattr(_requirements, "_uv_install", lambda _lock, target: targets.append(target))
    folders = set()
    for text in ("a==1", "a==2", "a==1"):
        (project / "requirements.txt").write_text(text)
        folders.add(install_requirements(project))
    assert len(folders) == len(targets) == 2


@pytest.mark.slow
@pytest.mark.parametrize("hash_", ["", f" --hash=sha256:{'0' * 64}"], ids=["no hash", "wrong hash"])
def test_a_missing_or_wrong_hash_stops_the_synthesis(project: Path, hash_: str) -> None:
    (project / "requirements.txt").write_text(f"typing-extensions==4.16.0{hash_}\n")
    with pytest.raises(BundlingError, match=r"(?is)^uv could not install requirements.txt.*hash"):
        install_requirements(project)
    assert list((project / "cache").iterdir()) == []


def test_a_function_without_a_lock_is_one_line(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    monkeypatch.setattr(_bundling, "LAMBDA_SRC", project)
    (project / "worker").mkdir()
    message = (
        r"^the function worker has no worker/requirements.txt\. Write its packages into requirements\.in .*lock\.$"
    )
    with pytest.raises(BundlingError, match=message):
        _bundling.bundled_code("worker")
