"""`make test-fast` runs the tests that a change can affect. No fast test reads files that do not count as a change."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.folders import ROOT
from tools import fast_tests


def affected(path: str) -> set[str]:
    """Return the groups of tests that run after a change of the file. `a` and `b` are functions."""
    return {group for group in ("a", "b", "stacks") if fast_tests.can_affect(path, group)}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("lambda_src/a/handler.py", {"a", "stacks"}),
        ("lambda_src/a/pictures/png.py", {"a", "stacks"}),
        ("tests/handlers/a/test_a.py", {"a"}),
        ("stacks/a.py", {"stacks"}),
        ("config.py", {"stacks"}),
        ("containers/web/Dockerfile", {"a", "b", "stacks"}),
        ("tests/conftest.py", {"a", "b", "stacks"}),
        ("tests/handlers/lambda_function.py", {"a", "b", "stacks"}),
        ("lambda_src/new_file.py", {"a", "b", "stacks"}),
        ("requirements-dev.txt", {"a", "b", "stacks"}),
        ("tools/fast_tests.py", {"a", "b", "stacks"}),
        ("docs/a.md", set()),
        ("tests/docs/test_links.py", set()),
    ],
)
def test_a_change_runs_the_tests_that_it_can_affect(path: str, expected: set[str]) -> None:
    assert affected(path) == expected


def test_every_fast_test_belongs_to_a_group() -> None:
    arguments = [ROOT / argument for group in fast_tests.groups().values() for argument in group]
    for folder in ("handlers", "stacks"):
        for file in (ROOT / "tests" / folder).rglob("test_*.py"):
            assert sum(argument in (file, *file.parents) for argument in arguments) == 1, file


def test_a_change_of_a_file_changes_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_tests, "ROOT", tmp_path)
    file = tmp_path / "lambda_src" / "a" / "x.json"
    file.parent.mkdir(parents=True)
    hashes = [fast_tests.fingerprint("a")]
    for content in ("{}", "[]"):
        file.write_text(content)
        hashes.append(fast_tests.fingerprint("a"))
    file.chmod(0o700)
    hashes.append(fast_tests.fingerprint("a"))
    file.rename(file.with_name("y.json"))
    hashes.append(fast_tests.fingerprint("a"))
    assert len({*hashes}) == 5
    assert fast_tests.fingerprint("b") == hashes[0]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "status"), [("README.md", 1), ("app.py", 1), ("pyproject.toml", 0)])
def test_a_group_that_reads_a_file_of_other_groups_fails(file: str, status: int, tmp_path: Path) -> None:
    test = tmp_path / "test_reading.py"
    test.write_text(f"def test_reading():\n    open({str(ROOT / file)!r}).close()\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.read_files", "-p", "no:cacheprovider", str(test)]
    environment = {**os.environ, "FAST_TESTS": "a"}
    run = subprocess.run(
        [*command, "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == status, run.stdout + run.stderr
    assert (f"(tools/fast_tests.py): {file}" in run.stdout) == bool(status)
