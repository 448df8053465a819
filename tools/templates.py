"""The templates of the app as it is, for what reads them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app import build_app

Template = dict[str, Any]

NO_BUNDLING: dict[str, Any] = {"aws:cdk:bundling-stacks": []}
"""Context that leaves out what the functions bundle: that takes minutes, and is not the templates' business."""


def synthesize(folder: Path, **settings: str) -> None:
    """Write the cloud assembly with these settings into a folder. Raises ConfigError for a bad one."""
    build_app({**settings, **NO_BUNDLING}, outdir=str(folder)).synth()


def stacks_in(assembly: Path) -> Iterator[tuple[str, str, Template]]:
    """The stacks of a cloud assembly: name, stem and template."""
    manifest = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))
    for name, artifact in manifest["artifacts"].items():
        if artifact["type"] == "aws:cloudformation:stack":
            stack = artifact["properties"]
            template = json.loads((assembly / stack["templateFile"]).read_text(encoding="utf-8"))
            yield name, stack["tags"]["example"], template


def templates_in(assembly: Path) -> dict[str, Template]:
    """The templates of a cloud assembly by the stem of their stack: `thumbnail`."""
    return {stem: template for _, stem, template in stacks_in(assembly)}


def resources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """The template's resources of one CloudFormation type, by logical id."""
    return {name: found for name, found in template["Resources"].items() if found["Type"] == kind}
