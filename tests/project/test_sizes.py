"""The files that a reader opens first stay short."""

import pytest

from tests.support.folders import ROOT


@pytest.mark.parametrize(("files", "limit"), [("stacks/*.py", 200), ("lambda_src/*/handler.py", 60)])
def test_stacks_and_handlers_are_short(files: str, limit: int) -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in ROOT.glob(files)}
    too_long = {name: count for name, count in lines.items() if count > limit}
    assert lines
    assert not too_long, f"move a part of these files into another module, so that they have {limit} lines or fewer"
