"""A plugin of pytest for `make test-fast`. It fails a group of tests that reads a file which belongs to other groups.

Otherwise `make test-fast` would not run the group after a change of this file. The plugin does not see what other
processes read.
"""

import os
import sys
from pathlib import Path

import pytest

from tools.fast_tests import NO_SOURCE, ROOT, can_affect

GROUP = os.environ["FAST_TESTS"]
_files: set[str] = set()
"""Each file that this process has opened."""


def _record(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str):
        _files.add(os.path.abspath(arguments[0]))  # noqa: PTH100 - Path would be slow


sys.addaudithook(_record)


def source_of(file: str) -> str | None:
    """Return the source file that a process reads when it opens this file, relative to ROOT. None: no source file."""
    path = Path(file)
    if path.suffix == ".pyc" and path.parent.name == "__pycache__":
        path = path.parent.parent / f"{path.name.partition('.')[0]}.py"
    if not path.is_file() or not path.is_relative_to(ROOT):
        return None
    relative = path.relative_to(ROOT)
    is_written = any(part.startswith(".") or part in NO_SOURCE for part in relative.parts[:-1])
    return None if is_written else str(relative)


def pytest_sessionfinish(session: pytest.Session) -> None:
    sources = {source_of(file) for file in _files}
    unexpected = sorted(source for source in sources if source and not can_affect(source, GROUP))
    if unexpected:
        print(f"\nThe tests of {GROUP} read files that are not theirs (tools/fast_tests.py): {', '.join(unexpected)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
