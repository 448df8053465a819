"""These tests open the page of the cron example, and take the local site down."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from console.uptime import Result, Uptime
from localaws.aws import LocalAws
from tests.local.console.conftest import OpenPage
from tests.support.browser import needs_browser

MILLISECONDS = 20_000
"""Milliseconds that a check may need. A minute of the schedule lasts 3 seconds, and the machine may be busy."""
NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@pytest.fixture
def site_is_up_again(local_aws: LocalAws) -> Iterator[None]:
    """Start the local site at the end of the test, even if the test fails."""
    yield
    local_aws.site_down_file.unlink(missing_ok=True)


@needs_browser
@pytest.mark.usefixtures("site_is_up_again")
def test_the_switch_takes_the_site_down_and_up_again(open_page: OpenPage) -> None:
    page = open_page("/examples/cron")
    switch = page.get_by_role("switch", name="Local site")
    state = page.locator("#live-sites .state")
    expect(switch).to_be_checked()
    expect(state).to_have_text("up", timeout=MILLISECONDS)
    switch.focus()
    page.keyboard.press("Space")
    expect(page.locator("#outcome")).to_contain_text("The local site is down")
    expect(switch).not_to_be_checked()
    expect(switch).to_be_focused()
    expect(state).to_have_text("down", timeout=MILLISECONDS)
    expect(page.locator("#live-sites")).to_contain_text("it answers 503 Service Unavailable")
    page.keyboard.press("Space")
    expect(page.locator("#outcome")).to_contain_text("The local site is up again")
    expect(state).to_have_text("up", timeout=MILLISECONDS)


@needs_browser
def test_the_page_shows_the_results_the_schedule_and_the_dead_letters(open_page: OpenPage) -> None:
    page = open_page("/examples/cron", width=390, dark=True)
    expect(page.get_by_role("img", name="Response times of")).to_be_visible()
    schedule = page.locator("#live-schedule")
    expect(schedule).to_contain_text("rate(1 minute) (a minute lasts 3 s in the local AWS)")
    expect(schedule).to_contain_text(" UTC, ")
    expect(schedule.locator("dd").last).to_have_text("0")
    table = page.get_by_text("The newest results as a table")
    table.click()
    rows = page.locator("#live-results tbody tr")
    expect(rows.first).to_contain_text("http://127.0.0.1:")
    newest = rows.first.locator("td").first
    before = newest.inner_text()
    expect(newest).not_to_have_text(before, timeout=MILLISECONDS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "the page is wider than the screen"


def uptime(*milliseconds: int | None, gap: timedelta = timedelta(minutes=1)) -> Uptime:
    """Return the results of checks with these response times. None is a check that found the site down."""
    return Uptime(
        "https://example.com/",
        [
            Result(scheduled_at=NOON + index * gap, is_up=time is not None, milliseconds=time or 0, error="")
            for index, time in enumerate(milliseconds)
        ],
    )


def test_the_availability_and_the_response_times_come_from_the_checks() -> None:
    site = uptime(10, 30, None, 20)
    assert (site.percent, site.median_milliseconds, site.top) == (75, 20, 30)
    assert site.last_failure is site.results[2]
    assert uptime(10).last_failure is None
    never_up = uptime(None)
    assert (never_up.percent, never_up.median_milliseconds, never_up.bars) == (0, None, "")


def lefts(path: str) -> Sequence[float]:
    """Return the left sides of the bars of a path."""
    return [float(shape.split()[0]) for shape in path.split("M")[1:]]


def test_a_chart_ends_with_the_newest_check_and_has_a_hole_for_a_missing_check() -> None:
    first, second, third = lefts(uptime(*[1] * 40).bars)[-3:]
    assert third == pytest.approx(780)  # 40 bars of 20 units fill the chart of 800 units
    assert second - first == pytest.approx(third - second) == pytest.approx(20)
    results = [*uptime(1, 1, 1, 1, 1).results]
    del results[2]
    site = Uptime("https://example.com/", results)
    assert [round(left) for left in lefts(site.bars)] == [700, 720, 760, 780]


def test_a_failure_is_in_the_lower_half_of_the_strip() -> None:
    site = uptime(5, None)
    assert site.strip(up=True).startswith("M760.0 50v-50.0")
    assert site.strip(up=False).startswith("M780.0 100v-50.0")
    assert lefts(site.bars) == [760], "the chart of response times has a bar for a failed check"
