"""These functions synthesize the app and return its templates.

A test run synthesizes each profile and each example only once with the same settings, because its processes share the
results.

A stem is the short name of an example, such as ecs_ec2.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from filelock import FileLock, Timeout

import app
from config import PROFILES, from_context
from tests.support.folders import ROOT, assemblies
from tools.templates import Template, resources, synthesize, templates_in

PREFIX = from_context({}).prefix
"""The first part of every stack's name."""
STACKS = {stack.__module__.removeprefix("stacks."): name for name, stack in vars(app).items() if name.endswith("Stack")}
"""The names of the stack classes by stem. app.py imports these classes."""
EVERY_STACK = [(profile, stem) for profile in PROFILES for stem in sorted(STACKS)]
"""All pairs of a profile and a stem, as parameters for tests."""


@cache
def assembly(profile: str, **settings: str) -> Path:
    """Return the folder of the profile's cloud assembly, synthesized with these settings."""
    if not settings:
        for other in PROFILES:  # while another process synthesizes this profile, synthesize another one
            if other != profile and _is_busy(profile):
                _profile_folder(other)
        return _profile_folder(profile)
    with without_validation():
        return _shared_folder(
            f"{profile}-{_hash(settings)}", lambda folder: synthesize(folder, profile=profile, **settings)
        )


def _profile_folder(profile: str) -> Path:
    return _shared_folder(profile, lambda folder: synthesize(folder, profile=profile))


def _is_busy(name: str) -> bool:
    """Whether another process writes this shared folder now."""
    try:
        with FileLock(f"{assemblies() / name}.lock", blocking=False):
            return False
    except Timeout:
        return True


def _hash(settings: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _shared_folder(name: str, write: Callable[[Path], None]) -> Path:
    """Return a folder that all processes of the test run share. The first process calls `write`, which fills it."""
    folder = assemblies() / name
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            unfinished = Path(f"{folder}.unfinished")
            write(unfinished)
            unfinished.rename(folder)
    return folder


@cache
def templates(profile: str, **settings: str) -> dict[str, Template]:
    """Return the profile's templates with these settings, by stem. All tests share them, so do not change them."""
    return templates_in(assembly(profile, **settings))


@cache
def documented_templates(profile: str) -> dict[str, Template]:
    """Return the templates that the documents describe. A setting in config.py may remove a part of an example.

    With the original values in config.py, these are the templates of the profile.
    """
    config = PROFILES[profile]()
    documented = replace(
        config,
        retain_data=profile == "production",
        watch_closely=config.watch_closely or profile == "production",
        cron_urls=("https://example.com/",),
        vpc=None,
        publish_web_image=True,
    )
    if documented == config:
        return templates(profile)
    with (
        tempfile.TemporaryDirectory() as folder,
        without_validation(),
        mock.patch.object(app, "from_context", return_value=documented),
    ):
        synthesize(Path(folder))
        return templates_in(Path(folder))


@cache
def example_assembly(stem: str, **settings: str) -> Path:
    """Return the folder of a cloud assembly that contains one example with these settings."""
    return _shared_folder(f"{stem}-{_hash(settings)}", lambda folder: _synthesize_example(stem, folder, **settings))


def _synthesize_example(stem: str, folder: Path, **settings: str) -> None:
    other_stacks = {name: mock.DEFAULT for other_stem, name in STACKS.items() if other_stem != stem}
    only_this_stack = mock.patch.multiple(app, **other_stacks) if other_stacks else contextlib.nullcontext()
    with only_this_stack, without_validation():
        synthesize(folder, **settings)


def without_validation() -> Any:
    """Return a context manager that turns off CDK's validation, because it is slow and other tests validate the app."""
    return mock.patch.dict(os.environ, CDK_VALIDATION="false")


@cache
def template_with(stem: str, **settings: str) -> Template:
    """Return an example's template with these settings. All tests share this object, so do not change it."""
    config = from_context(settings)
    if config == PROFILES[config.profile]():  # all settings have their default values
        return templates(config.profile)[stem]
    return templates_in(example_assembly(stem, **settings))[stem]


def synthesize_folders(*folders: Path, umask: int = 0o022, context: Mapping[str, Any], **environment: str) -> None:
    """Synthesize the app in each of these folders. Write each cloud assembly into `cdk.out/<profile>` of the folder.

    The apps cannot import modules of this project. CDK does not validate them, because that takes more time than the
    synthesis.
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
    """Return the name of an example's stack."""
    return f"{PREFIX}-{stem.replace('_', '-')}"


def only_resource(template: Template, type_: str, id_prefix: str = "") -> dict[str, Any]:
    """Return the only resource of a CloudFormation type whose logical id begins with the prefix."""
    (resource,) = [one for name, one in resources(template, type_).items() if name.startswith(id_prefix)]
    return dict(resource)


def properties_of(template: Template, type_: str, id_prefix: str = "") -> dict[str, Any]:
    """Return the properties of the only resource of a type whose logical id begins with the prefix."""
    return dict(only_resource(template, type_, id_prefix)["Properties"])


def get_att(template: Template, construct_id: str, attribute: str = "Arn") -> dict[str, Any]:
    """Return Fn::GetAtt for a resource. Its logical id is the construct's id with a hash of eight digits."""
    length = len(construct_id) + 8
    (name,) = [name for name in template["Resources"] if name.startswith(construct_id) and len(name) == length]
    return {"Fn::GetAtt": [name, attribute]}
