"""These tests open the first page of the console in a browser."""

from playwright.sync_api import expect

from tests.console.conftest import OpenPage
from tests.support.browser import needs_browser


@needs_browser
def test_the_first_page_shows_every_deployed_example(open_page: OpenPage) -> None:
    page = open_page("/")
    expect(page.locator(".card")).to_have_count(8)
    expect(page.locator(".card .state.good")).to_have_count(8)
