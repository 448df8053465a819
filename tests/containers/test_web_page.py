"""These tests open the page in a browser, with a small and a large screen, and with light and dark colours."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.containers.servers import WebServer, example_answers, run_metadata_endpoint, run_web_server
from tests.support.browser import needs_browser, run_browser
from web.page import colour_of, contrast_with_white, hue_of

TASK = "bfa2636268144d039771334145e490c5"
WCAG_CONTRAST = 4.5
"""The contrast between text and background that WCAG, the guidelines for readable web pages, requires at least."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with (
        run_metadata_endpoint(example_answers("fargate")) as endpoint,
        run_web_server(tmp_path_factory.mktemp("web"), ECS_CONTAINER_METADATA_URI_V4=endpoint) as web_server,
    ):
        yield web_server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_browser() as chromium:
        yield chromium


def open_page(browser: Browser, url: str, *, width: int, dark: bool) -> tuple[Page, list[str], list[str]]:
    """Open a page. Return the page, the messages in its console, and the URLs that the browser requests."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    messages: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(url)
    return page, messages, requests


@needs_browser
@pytest.mark.parametrize("path", ["/", "/nowhere"])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 1280])
def test_the_page_fits_the_screen_and_is_readable(
    server: WebServer, browser: Browser, path: str, width: int, *, dark: bool
) -> None:
    url = f"http://127.0.0.1:{server.port}{path}"
    page, messages, requests = open_page(browser, url, width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") == width, "the page is wider than the screen"
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.lang") == "en"
    for element in ("h1", ".lead", "footer", "footer a", ".button", *(("dt", "dd") if path == "/" else ())):
        assert _contrast(*page.evaluate(READ_COLOURS, element)) >= WCAG_CONTRAST, element
    is_dark = _luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) < 0.2
    assert is_dark is dark
    not_found_messages = ["Failed to load resource: the server responded with a status of 404 (Not Found)"]
    assert messages == ([] if path == "/" else not_found_messages), (
        "the security policy must allow the style of the page"
    )
    assert {requested_url for requested_url in requests if not requested_url.startswith("data:")} == {url}
    page.close()


@needs_browser
def test_the_header_has_the_colour_of_the_task(server: WebServer, browser: Browser) -> None:
    page, _, _ = open_page(browser, f"http://127.0.0.1:{server.port}/", width=400, dark=False)
    colour = page.evaluate("getComputedStyle(document.querySelector('header')).backgroundColor")
    assert "#" + "".join(f"{channel:02x}" for channel in _channels(colour)) == colour_of(hue_of(TASK))
    assert page.evaluate("document.querySelector('.button').pathname") == "/"
    page.close()


READ_COLOURS = """selector => {
  const element = document.querySelector(selector);
  let background = element;
  while (getComputedStyle(background).backgroundColor === 'rgba(0, 0, 0, 0)') background = background.parentElement;
  return [getComputedStyle(element).color, getComputedStyle(background).backgroundColor];
}"""
"""JavaScript that returns the colour of the text of an element, and the colour of its background."""


def _channels(colour: str) -> list[int]:
    """Return red, green and blue of a colour such as `rgb(10, 20, 30)`."""
    return [round(float(part)) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]


def _luminance(colour: Any) -> float:
    red, green, blue = (channel / 255 for channel in _channels(colour))
    return 1.05 / contrast_with_white((red, green, blue)) - 0.05


def _contrast(text: str, background: str) -> float:
    dark, light = sorted([_luminance(text), _luminance(background)])
    return (light + 0.05) / (dark + 0.05)


def test_white_text_is_readable_on_the_colour_of_every_task() -> None:
    assert contrast_with_white((0, 0, 0)) == 21
    assert round(contrast_with_white((0x76 / 255,) * 3), 2) == 4.54, (
        "WCAG names this grey as an example with just enough contrast"
    )
    for hue in range(360):
        colour = colour_of(hue)
        red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
        assert WCAG_CONTRAST <= contrast_with_white((red, green, blue)) < 6, colour


def test_most_tasks_have_different_colours() -> None:
    assert len({hue_of(f"{number:032x}") for number in range(100)}) > 70
    assert hue_of(TASK) == hue_of(TASK), "a task must always have the same colour"
