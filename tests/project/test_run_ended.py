"""A run of these tests that is told to end lets go of all it holds, as after Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.folders import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.slow
LONG = """
import pathlib, pytest, time
here = pathlib.Path(__file__).parent

@pytest.fixture(scope="session")
def held():
    yield
    time.sleep(0.5)  # that a second signal would break off
    (here / "let go").touch()

def test_long(held):
    (here / "begun").touch()
    while True:
        time.sleep(0.1)  # one long one would miss a signal that comes just before it
"""


@pytest.mark.parametrize(
    ("processes", "send"), [(0, os.kill), (1, os.kill), (1, os.killpg)], ids=["alone", "to pytest", "to all"]
)
def test_a_run_that_is_told_to_end_lets_go(tmp_path: Path, processes: int, send: Callable[[int, int], None]) -> None:
    (tmp_path / "test_long.py").write_text(LONG)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    options = ["-c", "pyproject.toml", "-p", "tests.conftest", "--numprocesses", str(processes)]
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, "-p", "no:cacheprovider", tmp_path],
        cwd=ROOT,
        env={**inherited, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        until((tmp_path / "begun").exists, "the test to begin", seconds=60)
        sent = time.time()
        send(run.pid, signal.SIGTERM)
        assert run.stdout is not None
        said = run.stdout.read()
    assert run.returncode == pytest.ExitCode.INTERRUPTED, said
    assert (tmp_path / "let go").stat().st_mtime < sent + 4, "that was xdist, which asks after 5 s and kills after 10"
    assert [path.name for path in temporary.iterdir() if not path.name.startswith("pytest-of-")] == [], said
