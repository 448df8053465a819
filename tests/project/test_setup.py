"""`make setup` installs into this folder, whatever settings a user has for pip, npm and Python.

The tests run the set-up of a small project that has this project's Makefile. It needs no network.
"""

import json
import os
import shutil
import subprocess
import venv
import zipfile
from pathlib import Path

import pip
import pytest

from stacks._pip import pip_environment
from tests.support.folders import ROOT

BACKEND = """
import shutil
def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return shutil.copy("local-1-py3-none-any.whl", wheel_directory).rpartition("/")[2]
"""
"""A build backend that only copies a wheel."""
NODE_LOCK = {
    "name": "small",
    "lockfileVersion": 3,
    "packages": {
        "": {"name": "small", "devDependencies": {"demo": "file:demo"}},
        "demo": {"version": "1.0.0", "dev": True},
        "node_modules/demo": {"resolved": "demo", "link": True},
    },
}


def write_wheel(folder: Path, name: str) -> None:
    """Write a wheel with one module into the folder. Module, package and wheel have the same name."""
    info = f"{name}-1.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a small project with this project's Makefile. Its requirements are wheels and packages in its folder."""
    folder = tmp_path / "project"
    (folder / "stacks").mkdir(parents=True)
    # A virtual environment with pip would need several seconds, so it uses the pip of this project.
    venv.create(folder / ".venv", symlinks=True)
    (site_packages,) = (folder / ".venv").glob("lib/python*/site-packages")
    (site_packages / "pip").symlink_to(Path(pip.__file__).parent)
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("__init__.py", "_pip.py"):
        shutil.copy(ROOT / "stacks" / name, folder / "stacks")
    write_wheel(folder, "demo")
    (folder / "requirements-dev.txt").write_text("./demo-1-py3-none-any.whl\n")
    (folder / "localaws").mkdir()
    write_wheel(folder / "localaws", "local")
    (folder / "localaws" / "backend.py").write_text(BACKEND)
    (folder / "localaws" / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (folder / "demo").mkdir()
    (folder / "demo" / "package.json").write_text('{"name": "demo", "version": "1.0.0"}')
    (folder / "package.json").write_text(json.dumps(NODE_LOCK["packages"][""]))  # type: ignore[index]
    (folder / "package-lock.json").write_text(json.dumps(NODE_LOCK))
    return folder


def run_make(project: Path, target: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make in the project. The home folder is empty, and the environment has only the given variables."""
    home = project.parent / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        ["make", "PYTHON=true", target],  # the virtual environment exists already
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_pip_installs_all_packages_into_the_project(project: Path, tmp_path: Path) -> None:
    """The settings come from the environment and from a file, and each of them would stop or redirect the set-up."""
    elsewhere = tmp_path / "elsewhere"
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("demo==2\n")
    settings = tmp_path / "pip.conf"
    settings.write_text(
        f"[global]\nuser = true\nquiet = 3\nconstraint = {constraints}\n[install]\nroot = {elsewhere}\ndry-run = true\n"
    )
    (elsewhere / "demo").mkdir(parents=True)
    write_wheel(elsewhere, "demo")
    with zipfile.ZipFile(elsewhere / "demo-1-py3-none-any.whl") as wheel:
        wheel.extractall(elsewhere)  # on PYTHONPATH, this package would seem to be installed
    run = run_make(
        project,
        ".venv/.installed",
        PIP_CONFIG_FILE=str(settings),
        PIP_USER="yes",
        PIP_PREFIX=str(elsewhere),
        PIP_TARGET=str(elsewhere),
        PIP_NO_BINARY=":all:",
        PIP_NO_DEPS="1",
        PYTHONUSERBASE=str(elsewhere),
        PYTHONPATH=str(elsewhere),
        PYTHONSAFEPATH="1",
    )
    assert run.returncode == 0, run.stderr
    installed = {path.name for path in (project / ".venv").rglob("*.dist-info")}
    assert {"demo-1.dist-info", "local-1.dist-info"} <= installed


@pytest.mark.slow
def test_the_error_of_the_set_up_contains_the_reason_of_pip(project: Path) -> None:
    (project / "requirements-dev.txt").write_text("--no-index\nno-such-package\n")
    run = run_make(project, ".venv/.installed")
    assert run.returncode == 2
    assert "pip failed: ERROR: No matching distribution found for no-such-package\n" in run.stderr
    assert "set-up failed: pip could not install requirements-dev.txt; its reason is above\n" in run.stdout
    assert not (project / ".venv" / ".installed").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    [
        "NPM_CONFIG_GLOBAL=true",
        "NPM_CONFIG_LOCATION=global",
        "NODE_ENV=production",
        "NPM_CONFIG_DRY_RUN=true",
        "NPM_CONFIG_PACKAGE_LOCK_ONLY=true",
    ],
)
def test_npm_installs_all_packages_into_the_project(project: Path, setting: str) -> None:
    (project / ".venv" / ".installed").touch()
    npm = project / ".venv" / "bin" / "npm"
    npm.write_text(f'#!/bin/sh\nPATH="{ROOT}/.venv/bin:$PATH" exec "{ROOT}/.venv/bin/npm" "$@"\n')
    npm.chmod(0o755)
    (project / ".npmrc").write_text("omit=dev\n")
    name, _, value = setting.partition("=")
    run = run_make(project, "node_modules/.installed", **{name: value})
    assert run.returncode == 0, run.stderr
    assert (project / "node_modules" / "demo" / "package.json").exists()


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (["global.index-url='https://pypi.example/simple'"], {"PIP_INDEX_URL": "https://pypi.example/simple"}),
        (["global.extra-index-url='\\nhttps://a\\nhttps://b'"], {"PIP_EXTRA_INDEX_URL": "\nhttps://a\nhttps://b"}),
        (["global.proxy='http://a:1'", "install.proxy='http://b:1'"], {"PIP_PROXY": "http://b:1"}),
        ([":env:.cert='/env.pem'", "install.cert='/file.pem'"], {"PIP_CERT": "/env.pem"}),
        ([":env:.cert=''", "global.cert='/file.pem'"], {"PIP_CERT": "/file.pem"}),
        (["download.index-url='https://other'", "global.user='true'", ":env:.target='/x'", "noise"], {}),
    ],
)
def test_pip_keeps_the_settings_of_the_network(listed: list[str], expected: dict[str, str]) -> None:
    environment = {"PATH": "/bin", "PIP_USER": "yes", "HTTPS_PROXY": "http://c:1"}
    kept = {"PATH": "/bin", "HTTPS_PROXY": "http://c:1", "PIP_CONFIG_FILE": os.devnull}
    assert pip_environment(environment, listed) == {**kept, **expected}
