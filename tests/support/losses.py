"""What deploying a changed template would lose: the stores of data that CloudFormation replaces or deletes for it."""

import json
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

import cfnlint.data.AdditionalSpecs
import pytest
from cfnlint.helpers import load_resource
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError
from syrupy.assertion import SnapshotAssertion

Template = dict[str, Any]

REGION = "us-east-1"
FATES = {
    "Delete": "CloudFormation deletes it, with all that is in it",
    "Snapshot": "CloudFormation deletes it, after a last snapshot",
    "Retain": "CloudFormation keeps it with its data, but outside the stack, unused, and at its cost",
    "RetainExceptOnCreate": "CloudFormation keeps it with its data, but outside the stack",
}
HOW = """\
Not meant? Put it back as it was. A construct that is renamed or moved keeps its id with `override_logical_id("{id}")`.
Meant? Move the data of every deployment first, say so in the commit, and accept the loss by its name:
    make snapshots MEANT="{meant}"
docs/decisions.md tells more: "A store is not replaced in passing"."""


def accept(
    new: Template,
    snapshot: SnapshotAssertion,
    *,
    old: Template,
    stores: Collection[str],
    stack: str,
    meant: Collection[str],
) -> None:
    """Hold a template against its snapshot, and do not let the snapshot be updated to one that loses data.

    `old` is what the snapshot holds; `meant` names the losses that are accepted, as `stack/id`.
    """
    lost = {name: text for name, text in losses(old, new, stores=stores).items() if f"{stack}/{name}" not in meant}
    assert (old if lost else new) == snapshot  # one that a test does not use is deleted by an update
    if lost:
        pytest.fail(complaint(stack, lost), pytrace=False)


def losses(old: Template, new: Template, *, stores: Collection[str]) -> dict[str, str]:
    """The resources of the types `stores` that the change from old to new loses, each with a sentence about it."""
    found = {}
    replaced = _replaced(old, new)
    for name, resource in old["Resources"].items():
        if resource["Type"] not in stores:
            continue
        if name not in new["Resources"] or new["Resources"][name]["Type"] != resource["Type"]:
            found[name] = _gone(name, old, new)
        elif name in replaced:
            fate = new["Resources"][name].get("UpdateReplacePolicy", "Delete")
            found[name] = (
                f"{name} ({resource['Type']}) is replaced by an empty one, since {' and '.join(replaced[name])} "
                f"changes. {FATES[fate]}."
            )
    return found


def complaint(stack: str, lost: dict[str, str]) -> str:
    """What is said of the losses of one stack, and how to go on."""
    meant = " ".join(f"{stack}/{name}" for name in lost)
    lines = [f"Whoever has deployed {stack} would lose data by this change:", *(f"- {text}" for text in lost.values())]
    return "\n".join([*lines, HOW.format(id=next(iter(lost)), meant=meant)])


def kinds_of_stores(production: Template) -> set[str]:
    """The types of resources that hold data: those that cfn-lint's rule I3011 knows, and what production keeps.

    A policy is kept for its store's sake, and holds nothing.
    """
    known = load_resource(cfnlint.data.AdditionalSpecs, "StatefulResources.json")["ResourceTypes"]
    kept = {
        resource["Type"]
        for resource in production["Resources"].values()
        if resource.get("DeletionPolicy", "Delete") != "Delete" and not resource["Type"].endswith("Policy")
    }
    return {*known, *kept}


def _gone(name: str, old: Template, new: Template) -> str:
    kind = old["Resources"][name]["Type"]
    fate = FATES[old["Resources"][name].get("DeletionPolicy", "Delete")]
    others = sorted(other for other, found in new["Resources"].items() if found["Type"] == kind)
    added = ", ".join(other for other in others if other not in old["Resources"])
    hint = f" New of its type, and empty: {added}." if added else ""
    return f"{name} ({kind}) is not in the template any more. {fate}.{hint}"


def _replaced(old: Template, new: Template) -> dict[str, list[str]]:
    """The resources of both templates that CloudFormation makes anew, with the properties that cause it."""
    found: dict[str, list[str]] = {}
    names = sorted(set(old["Resources"]) & set(new["Resources"]))
    while True:  # what refers to something that is replaced is changed by it
        more = {
            name: causes
            for name in names
            if name not in found and (causes := _causes(old["Resources"][name], new["Resources"][name], found))
        }
        if not more:
            return found
        found |= more


def _causes(old: dict[str, Any], new: dict[str, Any], replaced: Collection[str]) -> list[str]:
    return [
        ".".join(path)
        for path in _create_only(new["Type"])
        if (value := _values(new.get("Properties", {}), path)) != _values(old.get("Properties", {}), path)
        or any(_refers(value, name) for name in replaced)
    ]


@cache
def _create_only(kind: str) -> tuple[tuple[str, ...], ...]:
    """Paths of the properties that are set once and for all, or may be, as AWS publishes them."""
    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    except ResourceNotFoundError:
        return ()
    paths = [*schema.get("createOnlyProperties", []), *schema.get("conditionalCreateOnlyProperties", [])]
    return tuple(tuple(path.removeprefix("/properties/").split("/")) for path in paths)


def _values(value: Any, path: tuple[str, ...]) -> list[Any]:
    return list(_walk(value, path))


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    computed = isinstance(value, dict) and any(key == "Ref" or key.startswith("Fn::") for key in value)
    if not path or computed:  # what CloudFormation computes is taken whole
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, path[1:] if path[0] == "*" else path)
    elif isinstance(value, dict):
        inside = value.values() if path[0] == "*" else [value[path[0]]] if path[0] in value else []
        for inner in inside:
            yield from _walk(inner, path[1:])


def _refers(value: Any, name: str) -> bool:
    text = json.dumps(value)
    return f'"{name}"' in text or f"${{{name}}}" in text or f"${{{name}." in text
