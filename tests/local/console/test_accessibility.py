"""These tests open every page of the console and check it for people with and without a mouse, a large screen or light.

axe-core finds faults of accessibility: https://github.com/dequelabs/axe-core
"""

import statistics
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from console.examples import ORDER
from tests.local.console.conftest import OpenPage
from tests.support.browser import needs_browser
from tests.support.folders import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PATHS = (
    "/",
    *(f"/examples/{stem}" for stem in ORDER),
    "/events?example=ecr",
    "/lessons/cron",
    "/files/stacks/cron.py",
    "/unknown",
)
"""Every kind of page."""
LOADING_SECONDS = 2.0
"""The maximum time until a page is there. On an idle machine it is below 0.3 s, but tests run on busy machines."""
every_page = pytest.mark.parametrize("path", PATHS)


@pytest.fixture
def open_bypassing_policy(browser: Browser, console_url: str) -> Iterator[Any]:
    """Yield a function that opens a page without its Content-Security-Policy, which would refuse the script of axe."""
    contexts = []

    def open_(path: str, width: int, scheme: Any) -> Page:
        context = browser.new_context(
            bypass_csp=True, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{console_url}{path}")
        return page

    yield open_
    for context in contexts:
        context.close()


@needs_browser
@every_page
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing_serious(open_bypassing_policy: Any, path: str, width: int, scheme: str) -> None:
    page = open_bypassing_policy(path, width, scheme)
    check_with_axe(page, width)


@needs_browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing_serious_in_an_opened_note(open_bypassing_policy: Any, width: int, scheme: str) -> None:
    page = open_bypassing_policy("/examples/api", width, scheme)
    page.get_by_role("button", name="Sign in as Anna").click()
    expect(page.locator("#live-person")).to_contain_text("Anna is signed in", timeout=20_000)
    form = page.get_by_role("region", name="Write your note")
    form.get_by_label("Title").fill("accessible")
    form.get_by_role("button").click()
    page.get_by_role("button", name="Show Anna's note accessible").first.click()
    page.get_by_label("New title").wait_for()
    check_with_axe(page, width)
    page.get_by_role("button", name="Delete Anna's note accessible").first.click()
    expect(page.locator("#own-outcome")).to_contain_text("204")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#live-person")).to_contain_text("Nobody is signed in")


def check_with_axe(page: Page, width: int) -> None:
    """Fail if the page is wider than the screen, or if axe finds something serious."""
    assert page.evaluate("document.documentElement.scrollWidth") == width, "the page scrolls sideways"
    page.add_script_tag(path=str(AXE))
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    found = [
        f"{violation['id']} ({violation['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for violation in result["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]
    assert not found, "\n".join(found[:10])


TAB_STOPS = """() => {
  const stops = 'a[href], button, input, select, textarea, summary, [tabindex]';
  return [...document.querySelectorAll(stops)].filter(e => !e.disabled && e.tabIndex >= 0 && e.type !== 'hidden'
    && e.checkVisibility({visibilityProperty: true})).length;
}"""
FOCUS = """() => {
  const element = document.activeElement, style = getComputedStyle(element), box = element.getBoundingClientRect();
  (window.reached ??= new WeakSet()).add(element);  // a live update would remove an attribute
  return {
    text: element.textContent.trim(),
    // If a frame has the focus, the page in the frame has it, and scrolls.
    isVisible: box.width > 0 && box.height > 0 && box.right > 0 && (element.tagName === 'IFRAME'
      || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0)),
    what: element.outerHTML.slice(0, 150),
  };
}"""
NOT_REACHED = """() => [...document.querySelectorAll('main button, main input, main select, nav a')]
  .filter(e => !e.disabled && e.type !== 'hidden' && !window.reached.has(e))
  .filter(e => e.checkVisibility({visibilityProperty: true}))
  .map(e => e.outerHTML.slice(0, 150))"""


@needs_browser
@every_page
def test_the_keyboard_reaches_every_control_and_the_focus_is_visible(open_bypassing_policy: Any, path: str) -> None:
    page = open_bypassing_policy(path, 1280, "light")
    page.wait_for_load_state("load")
    stops, invisible = page.evaluate(TAB_STOPS), []
    for number in range(stops):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if number == 0:
            assert focus["text"] == "Skip to the content"
        if not focus["isVisible"]:
            invisible.append(focus["what"])
    assert not invisible, "these elements do not show that they have the focus"
    assert page.evaluate(NOT_REACHED) == []


@needs_browser
def test_the_skip_link_moves_the_focus_to_the_content(open_page: OpenPage) -> None:
    page = open_page("/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@needs_browser
@pytest.mark.parametrize("path", ["/", "/examples/cron", "/events", "/lessons/cron"])
def test_a_page_loads_quickly(open_bypassing_policy: Any, path: str) -> None:
    page = open_bypassing_policy(path, 1280, "light")
    times = []
    for _ in range(3):
        page.reload(wait_until="domcontentloaded")
        times.append(page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd") / 1000)
    assert statistics.median(times) < LOADING_SECONDS
