"""Tests that the package works without the project around it, and that its patches are documented."""

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import psutil
import pytest

import localaws
from localaws import BaseImage, Settings, StandIn, patches

SOURCE = Path(localaws.__file__).parent
ALLOWED_IMPORTS = sys.stdlib_module_names | {"boto3", "botocore", "filelock", "localaws", "ministack", "rich"}
"""The standard library, this package, its dependencies in localaws/pyproject.toml, and botocore, which boto3 needs."""


def test_no_module_imports_the_project_around_the_package() -> None:
    imported_modules = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported_modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported_modules.add(node.module.split(".")[0])
    assert imported_modules <= ALLOWED_IMPORTS


@pytest.fixture
def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE.parent), "LOCAL_CONTAINERS": "none"}


def test_every_module_can_be_imported_in_an_empty_folder(tmp_path: Path, environment: dict[str, str]) -> None:
    files = [file.relative_to(SOURCE.parent).with_suffix("") for file in SOURCE.rglob("*.py")]
    modules = [".".join(file.parts).removesuffix(".__init__") for file in files]
    subprocess.run([sys.executable, "-c", f"import {', '.join(modules)}"], cwd=tmp_path, env=environment, check=True)


def test_the_command_runs_until_ctrl_c_and_leaves_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "localaws", "--port", "0"],
        cwd=tmp_path,
        env={**environment, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as command:
        assert command.stdout is not None
        variables = {}
        for line in command.stdout:
            if line.strip().startswith("export "):
                name, _, value = line.strip().removeprefix("export ").partition("=")
                variables[name] = value
            if line.startswith("Ctrl-C"):
                break
        session = boto3.Session(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
        s3 = session.client("s3", variables["AWS_REGION"], endpoint_url=variables["AWS_ENDPOINT_URL"])
        s3.create_bucket(Bucket="test-bucket")
        started_processes = psutil.Process(command.pid).children(recursive=True)
        os.killpg(command.pid, signal.SIGINT)  # a terminal sends this signal after Ctrl-C
        assert command.stdout.read() == "==> stopped: no process of the local AWS is left\n"
        assert command.wait() == 0
    assert started_processes
    assert not psutil.wait_procs(started_processes, timeout=5)[1]
    assert {path.name for path in tmp_path.iterdir()} <= {f"localaws-{os.getuid()}.lock"}


def test_every_patch_is_documented() -> None:
    """The table in the README names the patch. The docstring of the patch has the usual three paragraphs."""
    applied_patches = re.findall(r"^    (\w+)\.(\w+)\(", (SOURCE / "patches" / "__init__.py").read_text(), re.MULTILINE)
    assert applied_patches
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for module, name in applied_patches:
        assert f"| `{module}.{name}` |" in readme
        documentation = getattr(getattr(patches, module), name).__doc__
        assert all(part in documentation for part in ("Stock engine:", "AWS:", "Upstream issue:")), name


def test_settings_are_equal_after_conversion_to_json_and_back() -> None:
    settings = Settings(
        project="/app",
        seconds_per_minute=60,
        sign_ins_per_second=2,
        task_environment={"A": "1"},
        stand_ins=(StandIn(image="web:1", command=("python", "-m", "web"), environment={"B": "2"}),),
        base_image=BaseImage(image="python:3", requirements=("requirements.txt",), cache="/cache"),
    )
    assert Settings.from_json(settings.to_json()) == settings
