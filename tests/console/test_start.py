"""These tests open the first page of the console in a browser."""

from playwright.sync_api import Route, expect

from tests.console.conftest import OpenPage
from tests.support.browser import needs_browser


@needs_browser
def test_the_first_page_shows_every_deployed_example(open_page: OpenPage) -> None:
    page = open_page("/")
    expect(page.locator(".card")).to_have_count(8)
    expect(page.locator(".card .state.good")).to_have_count(8)


@needs_browser
def test_a_page_is_live_even_if_the_extension_of_htmx_comes_late(open_page: OpenPage) -> None:
    page = open_page("/lessons/cron")

    def answer_late(route: Route) -> None:
        page.wait_for_timeout(500)
        route.continue_()

    page.route("**/hx-sse.min.js*", answer_late)
    with page.expect_response("**/live", timeout=20_000):
        page.goto(page.url.replace("/lessons/cron", "/"), wait_until="commit")
