"""The templates of the app as it is, for what reads them."""

import json
from pathlib import Path
from typing import Any

from app import build_app

Template = dict[str, Any]

NO_BUNDLING: dict[str, Any] = {"aws:cdk:bundling-stacks": []}
"""Context that leaves out what the functions bundle: that takes minutes, and is not the templates' business."""


def synthesize(folder: Path, **settings: str) -> None:
    """Write the cloud assembly with these settings into a folder. Raises ConfigError for a bad one."""
    build_app({**settings, **NO_BUNDLING}, outdir=str(folder)).synth()


def templates_in(assembly: Path) -> dict[str, Template]:
    """The templates of a cloud assembly by the stem of their stack: `thumbnail`."""
    manifest = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))
    return {
        stack["properties"]["tags"]["example"]: json.loads(
            (assembly / stack["properties"]["templateFile"]).read_text(encoding="utf-8")
        )
        for stack in manifest["artifacts"].values()
        if stack["type"] == "aws:cloudformation:stack"
    }


def resources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """The template's resources of one CloudFormation type, by logical id."""
    return {name: found for name, found in template["Resources"].items() if found["Type"] == kind}
