"""The app as it is deployed, synthesized once for each profile and run of the tests."""

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from app import build_app
from config import PROFILES

Template = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
NO_BUNDLING: dict[str, Any] = {"aws:cdk:bundling-stacks": []}


@cache
def assembly(profile: str) -> Path:
    """The folder of the profile's cloud assembly. Bundling is off: it is not the templates' business."""
    folder = tempfile.mkdtemp(prefix="cdk.out-")
    atexit.register(shutil.rmtree, folder)
    build_app({"profile": profile, **NO_BUNDLING}, outdir=folder).synth()
    return Path(folder)


def templates(profile: str) -> dict[str, Template]:
    """The profile's templates by the stem of their stack: `thumbnail`."""
    files = sorted(assembly(profile).glob("*.template.json"))
    return {
        file.name.removeprefix("compute-").removesuffix(".template.json").replace("-", "_"): json.loads(
            file.read_text()
        )
        for file in files
    }


def stack_name(stem: str) -> str:
    """The name of an example's stack."""
    return f"compute-{stem.replace('_', '-')}"


def resources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """The template's resources of one CloudFormation type, by logical id."""
    return {name: found for name, found in template["Resources"].items() if found["Type"] == kind}


EVERY_STACK = [(profile, stem) for profile in PROFILES for stem in templates(profile)]
"""Parameters for a test that holds for every stack in every profile."""
