"""Functions that find the stores that a changed template would delete or replace. `cdk diff` finds the changes.

A store is a resource that holds data.
"""

import json
import os
import re
import subprocess
from collections.abc import Collection
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.support.apps import PREFIX
from tests.support.folders import ROOT
from tests.support.refused_updates import refusal_message, refused_updates
from tests.support.schemas import published
from tests.support.template_changes import describe_changes
from tools.templates import Template

CDK = ROOT / "node_modules" / ".bin" / "cdk"
ASSEMBLY_MANIFEST = {
    "version": "36.0.0",
    "artifacts": {
        "stack": {
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/unknown-region",
            "properties": {"templateFile": "new.json"},
        }
    },
}
LOST_RESOURCE = re.compile(
    r"^\[.\] \S+ (?:.* )?(\S+) (?:destroy|orphan|replace|may be replaced)$(?:\n .*)*", re.MULTILINE
)
"""The lines of `cdk diff` about one lost resource. The first group of the match is its logical id."""
RETAINED = "CloudFormation keeps the old one with its data, but outside the stack. AWS still bills it."
CONSEQUENCES = {
    "Delete": "CloudFormation deletes the old one with all its data.",
    "Snapshot": "CloudFormation deletes the old one after a last snapshot.",
    "Retain": RETAINED,
    "RetainExceptOnCreate": RETAINED,
}
HELP = """\
If you do not want this, undo the change. A construct that you rename or move keeps its logical id with
`override_logical_id("{id}")`.
If you do want it, first move the data of every deployment, and say so in the commit. Then name the loss:
    make snapshots MEANT="{meant}"
See docs/decisions.md: "Tests report each store that a change would lose"."""


def check_snapshot(
    new: Template,
    snapshot: SnapshotAssertion,
    *,
    old: Template,
    stores: Collection[str],
    stack: str,
    meant: Collection[str],
) -> None:
    """Compare a template with its snapshot, and fail with a short list of the changes.

    If AWS would refuse the change, or the change loses a store, keep the old snapshot even in an update.

    `old` is the template in the snapshot. `meant` contains the resources whose refusal or loss is intended, such as
    `compute-api/Notes5BB3582F`.
    """
    files = f"stacks/{stack.removeprefix(f'{PREFIX}-').replace('-', '_')}*.py"
    refused, lost = (
        {name: text for name, text in found.items() if f"{stack}/{name}" not in meant}
        for found in (refused_updates(old, new, files=files), losses(old, new, stores=stores))
    )
    is_reviewed = (old if refused or lost else new) == snapshot  # without a comparison, an update deletes the snapshot
    if refused:
        pytest.fail(refusal_message(stack, refused), pytrace=False)
    if lost:
        pytest.fail(loss_message(stack, lost), pytrace=False)
    if not is_reviewed:
        changes = "\n".join(describe_changes(stack, old, new))
        pytest.fail(f"{changes}\nIf you meant these changes: make snapshots", pytrace=False)


def losses(old: Template, new: Template, *, stores: Collection[str]) -> dict[str, str]:
    """Return the stores that the change would lose. `stores` contains the types of stores.

    The keys of the result are logical ids. The values explain the losses.
    """
    if old == new or not any(resource["Type"] in stores for resource in old["Resources"].values()):
        return {}
    lost = {}
    for match in LOST_RESOURCE.finditer(_cdk_diff(json.dumps(old), json.dumps(new))):
        name = match[1]
        resource = old["Resources"][name]
        if resource["Type"] in stores:
            replacement = new["Resources"].get(name)
            policy = replacement.get("UpdateReplacePolicy") if replacement else resource.get("DeletionPolicy")
            lost[name] = f"{match[0]}\n{CONSEQUENCES[policy or 'Delete']}"
    return lost


def loss_message(stack: str, lost: dict[str, str]) -> str:
    """Return the message about the losses of a stack. It contains the next steps."""
    meant = " ".join(f"{stack}/{name}" for name in lost)
    first = next(iter(lost))
    return "\n\n".join(
        [f"Everybody who has deployed {stack} would lose data:", *lost.values(), HELP.format(id=first, meant=meant)]
    )


def store_types(production: Template) -> set[str]:
    """Return the types of stores. They are in cfn-lint's rule I3011, or the template of production retains them.

    Policies are excluded, because a policy holds no data.
    """
    stateful = published("StatefulResources.json")["ResourceTypes"]
    retained = {
        resource["Type"]
        for resource in production["Resources"].values()
        if resource.get("DeletionPolicy", "Delete") != "Delete" and not resource["Type"].endswith("Policy")
    }
    return {*stateful, *retained}


@cache
def _cdk_diff(old: str, new: str) -> str:
    """Return the text of `cdk diff` for two templates in JSON. The CLI starts slowly."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in (("manifest.json", json.dumps(ASSEMBLY_MANIFEST)), ("old.json", old), ("new.json", new)):
            (folder / file).write_text(content)
        run = subprocess.run(
            [CDK, "diff", "stack", "--app", ".", "--template", "old.json", "--no-color", "--no-notices", "--ci"],
            cwd=folder,
            env={**os.environ, "CDK_DISABLE_CLI_TELEMETRY": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stderr
    return run.stdout
