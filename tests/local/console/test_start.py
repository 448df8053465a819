"""These tests open the first page of the console in a browser."""

import time

from playwright.sync_api import Browser, Route, expect

from console.examples import ORDER
from tests.local.console.conftest import OpenPage
from tests.support.browser import needs_browser


@needs_browser
def test_the_first_page_shows_every_deployed_example(open_page: OpenPage) -> None:
    page = open_page("/")
    expect(page.locator(".card")).to_have_count(len(ORDER))
    expect(page.locator(".card .state.good")).to_have_count(len(ORDER))


@needs_browser
def test_a_page_is_live_if_the_extension_of_htmx_loads_slowly(browser: Browser, console_url: str) -> None:
    def answer_late(route: Route) -> None:
        time.sleep(0.3)
        route.continue_()

    with browser.new_page() as page:
        page.route("**/hx-sse.min.js*", answer_late)
        with page.expect_request("**/live", timeout=20_000):
            page.goto(f"{console_url}/")
