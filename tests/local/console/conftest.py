"""These fixtures open the pages of the console that `make local` has started, with real data of the examples."""

import json
from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import Browser, Page

from localaws.aws import LocalAws
from tests.support.browser import run_browser
from tests.support.deployment import Deployment

OpenPage = Callable[..., Page]
"""Opens a path of the console in a new tab: `open_page("/examples/cron", width=400, dark=True)`."""


def session_without_proxy() -> requests.Session:
    """Return a session that ignores a proxy in the environment, because a proxy cannot reach this machine."""
    session = requests.Session()
    session.trust_env = False
    return session


@pytest.fixture(scope="session")
def console_url(local_aws: LocalAws, deployment: Deployment) -> str:
    """Return the address of the console, without a slash at the end."""
    if not deployment.is_local:
        pytest.skip("the console is a part of the local deployment")
    port = json.loads((local_aws.folder / "console.json").read_text())["port"]
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Run one browser for all tests of this folder. It must end with them, because it occupies the event loop."""
    with run_browser() as chromium:
        yield chromium


@pytest.fixture
def open_page(browser: Browser, console_url: str) -> Iterator[OpenPage]:
    """Yield a function that opens a page. At the end of the test, no page may have reported an error."""
    messages: list[str] = []
    pages: list[Page] = []

    def open_(path: str, *, width: int = 1280, dark: bool = False) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
        page.on("console", lambda message: messages.append(f"{path}: {message.text}"))
        page.on("pageerror", lambda error: messages.append(f"{path}: {error}"))
        page.goto(f"{console_url}{path}")
        pages.append(page)
        return page

    yield open_
    for page in pages:
        page.close()
    assert not messages, "the browser reports errors: a script failed, or the Content-Security-Policy refuses something"
