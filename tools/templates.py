"""Functions that synthesize the app and read its templates."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Template = dict[str, Any]

NO_BUNDLING: dict[str, Any] = {"aws:cdk:bundling-stacks": []}
"""With this context CDK does not bundle the functions. Bundling takes minutes and does not change the templates."""


def synthesize(folder: Path, **settings: str) -> None:
    """Write the cloud assembly with these settings into a folder. Raises ConfigError for a wrong setting."""
    from app import build_app  # noqa: PLC0415 - this import starts Node, and reading templates does not need it

    build_app({**settings, **NO_BUNDLING}, outdir=str(folder)).synth()


def stacks_in(assembly: Path) -> Iterator[tuple[str, str, Template]]:
    """Yield the name, the stem (such as ecs_ec2) and the template of each stack of a cloud assembly."""
    manifest = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))
    for name, artifact in manifest["artifacts"].items():
        if artifact["type"] == "aws:cloudformation:stack":
            stack = artifact["properties"]
            template = json.loads((assembly / stack["templateFile"]).read_text(encoding="utf-8"))
            yield name, stack["tags"]["example"], template


def templates_in(assembly: Path) -> dict[str, Template]:
    """Return the templates of a cloud assembly by stem."""
    return {stem: template for _, stem, template in stacks_in(assembly)}


def resources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """Return the template's resources of one CloudFormation type, by logical id."""
    return {name: resource for name, resource in template["Resources"].items() if resource["Type"] == kind}
