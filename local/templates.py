"""The synthesized stacks: select some of them, and compare them with the deployed ones."""

import fnmatch
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from localaws.aws import LocalError


def selected_stacks(assembly: Path, patterns: Iterable[str]) -> list[str]:
    """Return the names of the stacks in the folder `assembly` that match a pattern. `--all` matches every stack.

    Raises LocalError if a pattern matches no stack.
    """
    names = list(template_files(assembly))
    selected: set[str] = set()
    for pattern in patterns:
        matches = fnmatch.filter(names, "*" if pattern == "--all" else pattern)
        if not matches:
            raise LocalError(f"STACK={pattern}: no stack has this name. All stacks: {', '.join(names)}")
        selected.update(matches)
    return [name for name in names if name in selected]


def changed_stacks(cloudformation: Any, assembly: Path) -> list[str]:
    """Return the names of the deployed stacks whose template in the folder `assembly` is new."""
    deployed = deployed_stacks(cloudformation)
    return [
        name
        for name, file in template_files(assembly).items()
        if name in deployed and _json(file) != cloudformation.get_template(StackName=name)["TemplateBody"]
    ]


def deployed_stacks(cloudformation: Any) -> set[str]:
    """Return the names of all deployed stacks."""
    return {
        stack["StackName"]
        for page in cloudformation.get_paginator("describe_stacks").paginate()
        for stack in page["Stacks"]
    }


def template_files(assembly: Path) -> Mapping[str, Path]:
    """Return the template of each stack, by the stack's name."""
    return {
        name: assembly / artifact["properties"]["templateFile"]
        for name, artifact in _json(assembly / "manifest.json")["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
    }


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
