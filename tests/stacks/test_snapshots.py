"""The synthesized templates, as reviewed. `make snapshots` accepts a change that is meant, and no loss of data."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from tests.support.apps import EVERY_STACK, stack_name, templates
from tests.support.losses import accept, kinds_of_stores
from tools.templates import Template

SNAPSHOTS = Path(__file__).parent / "__snapshots__" / "test_snapshots"

HELPERS_CODE = 1000
"""Inline code longer than this many characters is a helper of CDK's, and not ours to review."""


@pytest.mark.parametrize(("profile", "stem"), EVERY_STACK, ids=[f"{stem}.{profile}" for profile, stem in EVERY_STACK])
def test_template(profile: str, stem: str, snapshot: SnapshotAssertion, request: pytest.FixtureRequest) -> None:
    accept(
        _masked(templates(profile)[stem]),
        snapshot(extension_class=JSONSnapshotExtension),
        old=reviewed(profile, stem),
        stores=kinds_of_stores(reviewed("production", stem)),
        stack=stack_name(stem),
        meant=request.config.getoption("--meant").split(),
    )


def reviewed(profile: str, stem: str) -> Template:
    """The template as it was accepted last; one without resources for a new stack."""
    file = SNAPSHOTS / f"test_template[{stem}.{profile}].json"
    return dict(json.loads(file.read_text())) if file.exists() else {"Resources": {}}


def _masked(value: Any) -> Any:
    # Asset hashes change with every edit of a handler, which has tests of its own.
    if isinstance(value, dict):
        return {_masked(key): _masked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    if isinstance(value, str):
        if len(value) > HELPERS_CODE:
            return "<inline code of a CDK helper>"
        # A function's version is named after all that it is made of.
        value = re.sub(r"(?<=CurrentVersion[0-9A-F]{8})[0-9a-f]{32}\b", "<version>", value)
        return re.sub(r"\b[0-9a-f]{64}\b", "<asset>", value)
    return value


def test_masking_hides_assets_and_nothing_else() -> None:
    version = {"Ref": f"PublisherCurrentVersion988D7C45{'0f' * 16}"}
    shown = _masked({"S3Key": f"{'a1' * 32}.zip", "Timeout": 30, "Ids": ["b" * 63], "HandlerArn": version})
    assert json.dumps(shown) == json.dumps(
        {
            "S3Key": "<asset>.zip",
            "Timeout": 30,
            "Ids": ["b" * 63],
            "HandlerArn": {"Ref": "PublisherCurrentVersion988D7C45<version>"},
        }
    )
