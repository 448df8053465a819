"""The app as it is deployed, synthesized once for each profile and run of the tests."""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import mock

import aws_cdk as cdk

import app
from config import PROFILES
from tests.support.folders import ROOT, assemblies
from tools.templates import Template, resources, synthesize, templates_in

STACKS = {stack.__module__.removeprefix("stacks."): name for name, stack in vars(app).items() if name.endswith("Stack")}
"""The class of each example by the stem of its file, as app.py imports them. Nothing is synthesized for it."""
EVERY_STACK = [(profile, stem) for profile in PROFILES for stem in sorted(STACKS)]
"""Parameters for a test that holds for every stack in every profile."""


@cache
def assembly(profile: str) -> Path:
    """The folder of the profile's cloud assembly. The first process of the run that asks for it makes it."""
    folder = assemblies() / profile
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = Path(f"{folder}.unfinished")
            synthesize(unfinished, profile=profile)
            unfinished.rename(folder)
    return folder


@cache
def templates(profile: str) -> dict[str, Template]:
    """The profile's templates by the stem of their stack: `thumbnail`. They are not to be changed."""
    return templates_in(assembly(profile))


def synthesize_one(stem: str, folder: Path, **settings: str) -> None:
    """Write the cloud assembly of one example with these settings into a folder; the others are not even made."""
    others = {name: mock.DEFAULT for other, name in STACKS.items() if other != stem}
    with mock.patch.multiple(app, **others), unvalidated():
        synthesize(folder, **settings)


def unvalidated() -> Any:
    """While it lasts, an app is not validated as AWS would do it: whole ones are, and the validator is slow to load."""
    return mock.patch.object(cdk, "App", partial(cdk.App, builtin_cloud_formation_validation=False))


@cache
def template_with(stem: str, **settings: str) -> Template:
    """The template of one example with these settings. It is not to be changed."""
    with tempfile.TemporaryDirectory() as folder:
        synthesize_one(stem, Path(folder), **settings)
        return templates_in(Path(folder))[stem]


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


def the(template: Template, kind: str, begins: str = "") -> dict[str, Any]:
    """The one resource of a type whose logical id begins so."""
    (found,) = [one for name, one in resources(template, kind).items() if name.startswith(begins)]
    return dict(found)


def properties(template: Template, kind: str, begins: str = "") -> dict[str, Any]:
    """The properties of the one resource of a type whose logical id begins so."""
    return dict(the(template, kind, begins)["Properties"])


def arn(begins: str, template: Template, attribute: str = "Arn") -> dict[str, Any]:
    """How a template refers to the one resource that CDK named so, with eight characters of its hash."""
    (name,) = [name for name in template["Resources"] if name.startswith(begins) and len(name) == len(begins) + 8]
    return {"Fn::GetAtt": [name, attribute]}


if __name__ == "__main__":
    for profile in PROFILES:
        assembly(profile)
