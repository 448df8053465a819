"""Tests of the message about a changed template."""

import copy
from typing import Any

import pytest

from tests.support.losses import check_snapshot
from tests.support.template_changes import describe_changes

TEMPLATE: dict[str, Any] = {
    "Resources": {
        "Function": {"Type": "AWS::Lambda::Function", "Properties": {"MemorySize": 512, "Layers": ["a", "b"]}},
        "Notes": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Delete"},
    },
    "Outputs": {"ApiUrl": {"Value": "https://"}},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the template with another value at the path. None removes the old value."""
    template = copy.deepcopy(TEMPLATE)
    *parents, last = path.split(".")
    parent = template
    for name in parents:
        parent = parent[name]
    if value is None:
        del parent[last]
    else:
        parent[last] = value
    return template


@pytest.mark.parametrize(
    ("path", "value", "lines"),
    [
        ("Resources.Function.Properties.MemorySize", 1024, ["Function: MemorySize 512 -> 1024"]),
        ("Resources.Function.Properties.MemorySize", None, ["Function: MemorySize 512 -> nothing"]),
        ("Resources.Function.Properties.Timeout", 3, ["Function: Timeout nothing -> 3"]),
        ("Resources.Function.Properties.Layers", ["a", "c"], ['Function: Layers[1] "b" -> "c"']),
        ("Resources.Function.Properties.Layers", ["a"], ['Function: Layers ["a", "b"] -> ["a"]']),
        ("Resources.Notes.DeletionPolicy", "Retain", ['Notes: DeletionPolicy "Delete" -> "Retain"']),
        ("Resources.Notes", None, ["Notes: removed, AWS::DynamoDB::Table"]),
        ("Resources.Queue", {"Type": "AWS::SQS::Queue"}, ["Queue: new, AWS::SQS::Queue"]),
        ("Outputs.ApiUrl.Value", "http://", ['Outputs: ApiUrl.Value "https://" -> "http://"']),
        ("Outputs", None, ['Outputs: ApiUrl {"Value": "https://"} -> nothing']),
    ],
)
def test_each_change_is_described_in_one_line(path: str, value: Any, lines: list[str]) -> None:
    expected = [f"compute-api: {line}" for line in lines]
    assert describe_changes("compute-api", TEMPLATE, changed(path, value)) == expected


def test_a_template_without_changes_has_no_lines() -> None:
    assert describe_changes("compute-api", TEMPLATE, copy.deepcopy(TEMPLATE)) == []


def test_a_long_value_is_cut_and_the_difference_stays_visible() -> None:
    old, new = ({"Resources": {"A": {"Type": "T", "Text": "x" * 500 + end + "y" * 500}}} for end in ("old", "new"))
    (line,) = describe_changes("s", old, new)
    assert "xold" in line
    assert "xnew" in line
    assert len(line) < 200


def test_many_changes_of_one_resource_are_counted() -> None:
    old, new = ({"Resources": {"A": {"Type": "T", "Values": [value] * 9}}} for value in (1, 2))
    lines = describe_changes("s", old, new)
    assert lines[0] == "s: A: Values[0] 1 -> 2"
    assert lines[-1] == "s: A: and 4 more changes"


class OtherSnapshot:
    """A snapshot that no template equals."""

    def __eq__(self, _: object) -> bool:
        return False

    __hash__ = object.__hash__


def test_a_changed_template_fails_with_its_changes_and_the_command_that_accepts_them() -> None:
    snapshot: Any = OtherSnapshot()
    new = changed("Resources.Function.Properties.MemorySize", 1024)
    with pytest.raises(pytest.fail.Exception) as failure:
        check_snapshot(new, snapshot, old=TEMPLATE, stores=(), stack="compute-api", meant=())
    assert str(failure.value) == (
        "compute-api: Function: MemorySize 512 -> 1024\nIf you meant these changes: make snapshots"
    )
