"""A plugin of pytest for `make test-fast`. It fails a group of tests that reads a file which belongs to other groups.

Otherwise `make test-fast` would not run the group after a change of this file. The plugin does not see what other
processes read.
"""

import json
import os
import sys
from pathlib import Path

import pytest

from tools.fast_tests import NO_SOURCE, READERS, ROOT, can_affect, groups

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


def unexpected_files() -> list[str]:
    """Return the source files that the tests have read, but whose change would not run the tests."""
    sources = {source_of(file) for file in _files}
    return sorted(source for source in sources if source and not can_affect(source, GROUP))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if unexpected_files():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure() -> None:
    # This text is the last one, below the line `1 passed`.
    for file in unexpected_files():
        readers = sorted(group for group in groups() if group == GROUP or can_affect(file, group))
        place = "in place of the line of this file in" if file in READERS else "at the beginning of"
        print(
            f"FAILED: the tests of the group {GROUP} read {file}. `make test-fast` would not run them after a change "
            f"of this file. Write this line {place} READERS in tools/fast_tests.py, or do not read the file:\n"
            f"    {json.dumps(file)}: {json.dumps(readers)},"
        )
