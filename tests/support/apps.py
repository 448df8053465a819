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


def synthesize_example(stem: str, folder: Path, **settings: str) -> None:
    """Write the cloud assembly of one example with these settings into a folder; the others are not even made."""
    others = {name: mock.DEFAULT for other, name in STACKS.items() if other != stem}
    with mock.patch.multiple(app, **others), without_validation():
        synthesize(folder, **settings)


def without_validation() -> Any:
    """While it lasts, an app is not validated as AWS would do it: whole ones are, and the validator is slow to load."""
    return mock.patch.object(cdk, "App", partial(cdk.App, builtin_cloud_formation_validation=False))


@cache
def template_with(stem: str, **settings: str) -> Template:
    """The template of one example with these settings. It is not to be changed."""
    with tempfile.TemporaryDirectory() as folder:
        synthesize_example(stem, Path(folder), **settings)
        return templates_in(Path(folder))[stem]


def synthesize_folders(*folders: Path, umask: int = 0o022, context: Mapping[str, Any], **environment: str) -> None:
    """Have the apps in these folders write `cdk.out/<profile>` there, where nothing of this project can be imported.

    What AWS would say of the templates is not asked again: it takes longer than the synthesis.
    """
    run = subprocess.run(
        [sys.executable, "-P", str(ROOT / "tests" / "support" / "synthesize_folders.py"), *map(str, folders)],
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


def only_resource(template: Template, type_: str, id_prefix: str = "") -> dict[str, Any]:
    """Return the only resource of a CloudFormation type whose logical id begins with the prefix."""
    (resource,) = [one for name, one in resources(template, type_).items() if name.startswith(id_prefix)]
    return dict(resource)


def properties_of(template: Template, type_: str, id_prefix: str = "") -> dict[str, Any]:
    """Return the properties of the only resource of a type whose logical id begins with the prefix."""
    return dict(only_resource(template, type_, id_prefix)["Properties"])


def get_att(template: Template, construct_id: str, attribute: str = "Arn") -> dict[str, Any]:
    """Return Fn::GetAtt for a resource. CDK made its logical id of the construct's id and eight digits of a hash."""
    length = len(construct_id) + 8
    (name,) = [name for name in template["Resources"] if name.startswith(construct_id) and len(name) == length]
    return {"Fn::GetAtt": [name, attribute]}


if __name__ == "__main__":
    for profile in PROFILES:
        assembly(profile)
