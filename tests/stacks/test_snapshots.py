"""These tests compare every synthesized template with its snapshot, which is a reviewed template.

`make snapshots` updates the snapshots, but not if the change would lose a store, such as a bucket.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from tests.support.apps import EVERY_STACK, stack_name, templates
from tests.support.losses import check_snapshot, store_types
from tools.templates import Template

SNAPSHOTS = Path(__file__).parent / "__snapshots__" / "test_snapshots"

MAX_INLINE_CODE = 1000
"""Maximum number of characters of code in a snapshot. Longer code is masked. Only helper functions of CDK have longer
code in the template, and the authors of CDK review it."""


@pytest.mark.parametrize(("profile", "stem"), EVERY_STACK, ids=[f"{stem}.{profile}" for profile, stem in EVERY_STACK])
def test_template(profile: str, stem: str, snapshot: SnapshotAssertion, request: pytest.FixtureRequest) -> None:
    check_snapshot(
        _masked(templates(profile)[stem]),
        snapshot(extension_class=JSONSnapshotExtension),
        old=reviewed_template(profile, stem),
        stores=store_types(reviewed_template("production", stem)),
        stack=stack_name(stem),
        meant=request.config.getoption("--meant").split(),
    )


def reviewed_template(profile: str, stem: str) -> Template:
    """Return the template in the snapshot, or an empty template for a new stack."""
    file = SNAPSHOTS / f"test_template[{stem}.{profile}].json"
    return dict(json.loads(file.read_text())) if file.exists() else {"Resources": {}}


def _masked(value: Any) -> Any:
    # Asset hashes are masked, because they change with every edit of a handler. Handlers have tests of their own.
    if isinstance(value, dict):
        return {_masked(key): _masked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    if isinstance(value, str):
        if len(value) > MAX_INLINE_CODE:
            return "<inline code of a CDK helper>"
        # The logical id of a function's version contains a hash of the whole function.
        value = re.sub(r"(?<=CurrentVersion[0-9A-F]{8})[0-9a-f]{32}\b", "<version>", value)
        return re.sub(r"\b[0-9a-f]{64}\b", "<asset>", value)
    return value


def test_only_asset_hashes_are_masked() -> None:
    version = {"Ref": f"PublisherCurrentVersion988D7C45{'0f' * 16}"}
    masked = _masked({"S3Key": f"{'a1' * 32}.zip", "Timeout": 30, "Ids": ["b" * 63], "HandlerArn": version})
    assert json.dumps(masked) == json.dumps(
        {
            "S3Key": "<asset>.zip",
            "Timeout": 30,
            "Ids": ["b" * 63],
            "HandlerArn": {"Ref": "PublisherCurrentVersion988D7C45<version>"},
        }
    )
