"""These tests end the local AWS or the console while a page is open. They use their own local AWS, without stacks."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from console.examples import ORDER
from local.console_process import ConsoleProcess
from local.project import SETTINGS
from localaws.aws import LocalAws
from tests.support.browser import needs_browser, run_browser
from tests.support.folders import ROOT
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow
SECONDS = 20_000
"""Milliseconds in which a page must change. It takes about two seconds, but tests run on busy machines."""


@dataclass(frozen=True)
class Running:
    """A running local AWS with its console, and an open page."""

    aws: LocalAws
    console: ConsoleProcess
    address: str
    page: Page


def start_console(aws: LocalAws) -> str:
    """Start the console as `make local` does: in a process that ends soon. Return the address of the first page."""
    program = (
        "import pathlib, sys; from local.console_process import ConsoleProcess; from local.project import local_aws; "
        "print(ConsoleProcess(local_aws(pathlib.Path(sys.argv[1]))).start().address())"
    )
    command = [sys.executable, "-c", program, str(aws.folder)]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with run_browser() as browser:
        yield browser.new_page()


@pytest.fixture
def running(tmp_path: Path, page: Page) -> Iterator[Running]:
    aws = LocalAws(tmp_path / "local", SETTINGS)
    console = ConsoleProcess(aws)
    aws.start(port=0)
    try:
        yield Running(aws, console, start_console(aws), page)
    finally:
        page.goto("about:blank")
        console.stop()
        aws.stop()


@needs_browser
def test_an_open_page_says_that_the_local_aws_has_ended_and_continues_when_it_is_back(running: Running) -> None:
    page = running.page
    page.goto(running.address)
    expect(page.locator(".card.missing")).to_have_count(len(ORDER))
    engine = running.aws.alive_engine()
    assert engine
    os.killpg(engine.pid, signal.SIGKILL)
    notice = page.locator("#live-notice")
    expect(notice).to_contain_text("The local AWS has ended. To start it again, type: make local", timeout=SECONDS)
    expect(page.locator(".card.missing")).to_have_count(len(ORDER))  # the last state stays visible
    running.aws.start(port=0)  # `make local` starts the local AWS and the console again
    assert start_console(running.aws) == running.address
    expect(notice).to_have_text("", timeout=SECONDS)
    expect(page.locator("#connection")).to_be_hidden(timeout=SECONDS)


@needs_browser
def test_a_page_that_is_opened_without_the_local_aws_loads_when_it_is_back(running: Running) -> None:
    engine = running.aws.alive_engine()
    assert engine
    os.killpg(engine.pid, signal.SIGKILL)
    running.page.goto(running.address)
    expect(running.page.get_by_role("alert")).to_contain_text("The local AWS has ended")
    running.aws.start(port=0)
    start_console(running.aws)
    expect(running.page.locator(".card.missing")).to_have_count(len(ORDER), timeout=SECONDS)


@needs_browser
def test_an_open_page_says_that_the_console_has_ended_and_connects_again(running: Running) -> None:
    page = running.page
    page.goto(running.address)
    connection = page.locator("#connection")
    expect(connection).to_be_hidden()
    running.console.stop()
    expect(connection).to_contain_text("The console does not answer.", timeout=SECONDS)
    expect(connection).to_be_visible(timeout=SECONDS)
    assert start_console(running.aws) == running.address
    expect(connection).to_be_hidden(timeout=SECONDS)


def test_the_console_ends_with_the_local_aws_and_leaves_no_process(tmp_path: Path) -> None:
    aws = LocalAws(tmp_path / "local", SETTINGS)
    console = ConsoleProcess(aws)
    aws.start(port=0)
    start_console(aws)
    pid = console.last_state()["pid"]
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    aws.stop()
    wait_for(lambda: not any(_is_running(process) for process in processes), "the end of the console", seconds=20)
    assert not console.is_alive()


@pytest.mark.parametrize("is_child", [False, True])
def test_stopping_the_console_leaves_no_process(tmp_path: Path, *, is_child: bool) -> None:
    """Ctrl-C during `make local` stops a console that is a child process."""
    aws = LocalAws(tmp_path / "local", SETTINGS)
    console = ConsoleProcess(aws)
    aws.start(port=0)
    try:
        _ = console.start().address() if is_child else start_console(aws)
        pid = console.last_state()["pid"]
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        console.stop()
        assert not [process for process in processes if _is_running(process)]
    finally:
        aws.stop()


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
