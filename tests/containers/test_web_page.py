"""The page as a person sees it: in a browser, on a phone, at night."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.containers.chromium import PROGRAM, Browser, chromium
from tests.containers.servers import Web, answers, metadata, web
from web.page import colour_of, contrast_with_white, hue_of

TASK = "bfa2636268144d039771334145e490c5"
browser_needed = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with (
        metadata(answers("fargate")) as endpoint,
        web(tmp_path_factory.mktemp("web"), ECS_CONTAINER_METADATA_URI_V4=endpoint) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@browser_needed
@pytest.mark.parametrize("path", ["/", "/nowhere"])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 1280])
def test_it_fits_and_can_be_read(
    server: Web, browser: Browser, tmp_path: Path, path: str, width: int, *, dark: bool
) -> None:
    browser.open(f"http://127.0.0.1:{server.port}{path}", width=width, dark=dark)
    browser.screenshot(tmp_path / "page.png")
    assert browser.evaluate("document.documentElement.scrollWidth") == width, "nothing sticks out"
    assert browser.evaluate("document.querySelectorAll('h1').length") == 1
    assert browser.evaluate("document.documentElement.lang") == "en"
    for element in ("h1", ".lead", "dt", "dd", "footer", "footer a", ".button"):
        if element in ("dt", "dd") and path != "/":
            continue
        assert _contrast(*browser.evaluate(COLOURS % element)) >= 4.5, element
    is_dark = _luminance(browser.evaluate("getComputedStyle(document.body).backgroundColor")) < 0.2
    assert is_dark is dark
    not_found = ["Failed to load resource: the server responded with a status of 404 (Not Found)"]
    assert browser.complaints() == ([] if path == "/" else not_found), "the security policy allows the page's own style"
    assert {url for url in browser.requested() if not url.startswith("data:")} == {
        f"http://127.0.0.1:{server.port}{path}"
    }


@browser_needed
def test_the_colour_is_the_tasks(server: Web, browser: Browser) -> None:
    browser.open(f"http://127.0.0.1:{server.port}/", width=400, dark=False)
    shown = browser.evaluate("getComputedStyle(document.querySelector('header')).backgroundColor")
    assert "#" + "".join(f"{channel:02x}" for channel in _channels(shown)) == colour_of(hue_of(TASK))
    assert browser.evaluate("document.querySelector('.button').pathname") == "/"


COLOURS = """(() => {
  const element = document.querySelector('%s');
  let ground = element;
  while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
  return [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
})()"""
"""The colour of an element's text, and that of what it stands on."""


def _channels(colour: str) -> list[int]:
    return [round(float(part)) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]


def _luminance(colour: Any) -> float:
    red, green, blue = (channel / 255 for channel in _channels(colour))
    return 1.05 / contrast_with_white((red, green, blue)) - 0.05


def _contrast(one: str, other: str) -> float:
    dark, light = sorted([_luminance(one), _luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_white_text_can_be_read_on_the_colour_of_every_task() -> None:
    assert contrast_with_white((0, 0, 0)) == 21
    assert round(contrast_with_white((0x76 / 255,) * 3), 2) == 4.54, "WCAG's own example of a grey that just passes"
    for hue in range(360):
        colour = colour_of(hue)
        red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        assert 4.5 <= contrast_with_white((red, green, blue)) < 6, colour


def test_tasks_differ_in_colour() -> None:
    assert len({hue_of(f"{number:032x}") for number in range(100)}) > 70
    assert hue_of(TASK) == hue_of(TASK)
