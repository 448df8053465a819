"""`make local` runs the exercises of all examples at the same time, and prints the output of each one as a whole."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from local.exercises import run_at_once
from tests.support.folders import ROOT


def test_the_output_of_each_exercise_is_printed_as_a_whole_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    second_has_begun, first_may_end = threading.Event(), threading.Event()

    def first() -> None:
        print("first begins")
        assert second_has_begun.wait(10), "the second exercise must not wait for the first"
        print("first ends")

    def second() -> None:
        print("second begins")
        second_has_begun.set()
        print("second ends")
        first_may_end.set()

    run_at_once({"first": first, "second": second}, lambda name, output: print(f"== {name}\n{output}", end=""))
    assert capsys.readouterr().out == "== first\nfirst begins\nfirst ends\n== second\nsecond begins\nsecond ends\n"


def test_an_error_is_raised_after_the_output_of_its_exercise(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        print("before the error")
        raise ValueError("not possible")

    shown: list[tuple[str, str]] = []
    exercises: dict[str, Callable[[], None]] = {"good": lambda: None, "bad": fail, "later": lambda: print("later")}
    with pytest.raises(ValueError, match="not possible"):
        run_at_once(exercises, lambda name, output: shown.append((name, output)))
    assert shown == [("good", ""), ("bad", "before the error\n")]
    assert capsys.readouterr().out == ""


def test_standard_output_is_as_before_after_the_exercises() -> None:
    before = sys.stdout
    run_at_once({}, lambda _name, _output: None)
    assert sys.stdout is before


def test_ctrl_c_does_not_wait_for_the_other_exercises() -> None:
    """`make local` then stops the local AWS, so the other exercises fail at once."""
    may_end = threading.Event()
    ended: list[str] = []

    def slow() -> None:
        may_end.wait(30)
        ended.append("slow")

    def press_ctrl_c(_name: str, _output: str) -> None:
        raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            run_at_once({"quick": lambda: None, "slow": slow}, press_ctrl_c)
        assert ended == []
    finally:
        may_end.set()


STOPPED_DURING_AN_EXERCISE = """
import asyncio, sys, threading
from local import __main__ as program
from local.exercises import run_at_once

def wait_forever():
    asyncio.run(asyncio.to_thread(threading.Event().wait))

def stop(*_):
    raise {error}

program.END_SECONDS = 0.1
program.up = lambda *_, **__: run_at_once(dict(quick=lambda: None, waiting=wait_forever), stop)
sys.argv = ["local", "up", "--folder", sys.argv[1]]
program.main()
"""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("KeyboardInterrupt", "stopped: no process is left running"),
        ("program.LocalError('it failed')", "error: it failed"),
        ("KeyError('Items')", "KeyError: 'Items'"),
    ],
)
def test_make_local_ends_although_an_exercise_waits(tmp_path: Path, error: str, message: str) -> None:
    """An exercise may wait for the answer of a local AWS that has ended."""
    program = subprocess.run(
        [sys.executable, "-c", STOPPED_DURING_AN_EXERCISE.format(error=error), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (program.returncode, program.stderr.splitlines()[-1]) == (1, message), (
        "local.__main__ must not wait for its exercises"
    )
