"""The app as it is deployed, synthesized once for each profile and run of the tests."""

import atexit
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from app import build_app
from config import PROFILES

Template = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
NO_BUNDLING: dict[str, Any] = {"aws:cdk:bundling-stacks": []}


SHARED = "TESTS_ASSEMBLIES"
"""The environment variable that names the folder of all processes of a run (tests/conftest.py)."""


@cache
def assembly(profile: str) -> Path:
    """The folder of the profile's cloud assembly. Bundling is off: it is not the templates' business.

    The first process of the run that asks for it makes it.
    """
    folder = _assemblies() / profile
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = Path(f"{folder}.unfinished")
            build_app({"profile": profile, **NO_BUNDLING}, outdir=str(unfinished)).synth()
            unfinished.rename(folder)
    return folder


@cache
def _assemblies() -> Path:
    if SHARED in os.environ:
        return Path(os.environ[SHARED])
    folder = tempfile.mkdtemp(prefix="cdk.out-")
    atexit.register(shutil.rmtree, folder)
    return Path(folder)


@cache
def template_with(stem: str, *, prefix: str = "compute", **settings: str) -> Template:
    """The template of one example with these settings; the others are not synthesized. It is not to be changed."""
    wanted = f"{prefix}-{stem.replace('_', '-')}"
    with tempfile.TemporaryDirectory() as folder:
        app = build_app({"prefix": prefix, **settings, **NO_BUNDLING}, outdir=folder)
        for node in [child.node for child in app.node.children]:
            if node.id.startswith(f"{prefix}-") and node.id != wanted:
                app.node.try_remove_child(node.id)
        app.synth()
        return dict(json.loads((Path(folder) / f"{wanted}.template.json").read_text()))


def templates(profile: str) -> dict[str, Template]:
    """The profile's templates by the stem of their stack: `thumbnail`."""
    files = sorted(assembly(profile).glob("*.template.json"))
    return {
        file.name.removeprefix("compute-").removesuffix(".template.json").replace("-", "_"): json.loads(
            file.read_text()
        )
        for file in files
    }


def synthesize_alone(*folders: Path, umask: int = 0o022, context: Mapping[str, Any], **environment: str) -> None:
    """Have the apps in these folders write `cdk.out/<profile>` there, where nothing of this project can be imported.

    What AWS would say of the templates is not asked again: it takes longer than the synthesis.
    """
    run = subprocess.run(
        [sys.executable, "-P", str(ROOT / "tests" / "alone.py"), *map(str, folders)],
        cwd=folders[0].parent,
        umask=umask,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "CDK_CONTEXT_JSON": json.dumps(context),
            "CDK_VALIDATION": "false",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise AssertionError(run.stderr)


def stack_name(stem: str) -> str:
    """The name of an example's stack."""
    return f"compute-{stem.replace('_', '-')}"


def resources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """The template's resources of one CloudFormation type, by logical id."""
    return {name: found for name, found in template["Resources"].items() if found["Type"] == kind}


EVERY_STACK = [(profile, stem) for profile in PROFILES for stem in templates(profile)]
"""Parameters for a test that holds for every stack in every profile."""
