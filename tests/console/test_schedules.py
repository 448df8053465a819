"""The console computes when the schedule of the cron example runs next."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import MagicMock

import pytest

from console.pages.cron import Page
from console.schedules import gap_of_rate, next_run_of_cron, next_run_of_rate

NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
"""A Saturday."""


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("rate(1 minute)", 3), ("rate(15 minutes)", 45), ("rate(1 hour)", 180), ("rate(2 days)", 8640)],
)
def test_a_minute_of_a_rate_has_the_given_length(expression: str, seconds: int) -> None:
    assert gap_of_rate(expression, seconds_per_minute=3) == timedelta(seconds=seconds)


def test_a_cron_expression_has_no_rate() -> None:
    assert gap_of_rate("cron(0 8-18 ? * MON-FRI *)", 60) is None


@pytest.mark.parametrize(
    ("minutes_later", "expected"),
    [
        (45, "13:00:00 UTC, in 15 min"),
        (59.5, "13:00:00 UTC, in 30 s"),
        (62, "13:00:00 UTC, so about now"),
        (124, "13:00:00 UTC, so about now"),
        (126, "13:00:00 UTC was planned, but no result arrived since then"),
    ],
)
def test_the_next_run_of_a_rate_follows_from_the_last_result(minutes_later: float, expected: str) -> None:
    now = NOON + timedelta(minutes=minutes_later)
    assert next_run_of_rate(NOON, timedelta(hours=1), timedelta(minutes=5), now) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("15 10 * * ? *", "2026-11-29 10:15 UTC, in 22 h"),
        ("0/15 * * * ? *", "2026-11-28 12:15 UTC, in 15 min"),
        ("0 8-18/2 ? * MON-FRI *", "2026-11-30 08:00 UTC, in 44 h"),
        ("0 9 ? * SAT-MON *", "2026-11-29 09:00 UTC, in 21 h"),
        ("0 9 ? * 1 *", "2026-11-29 09:00 UTC, in 21 h"),  # AWS counts the days of the week from Sunday
        ("0 9 L * ? *", "2026-11-30 09:00 UTC, in 45 h"),
        ("0 9 L-3 * ? *", "2026-12-28 09:00 UTC, in 30 d"),
        ("0 9 3W 1 ? *", "2027-01-04 09:00 UTC, in 37 d"),  # 3 January 2027 is a Sunday
        ("0 9 ? * FRIL *", "2026-12-25 09:00 UTC, in 27 d"),
        ("0 9 ? * MON#1 *", "2026-12-07 09:00 UTC, in 9 d"),
        ("5,35 14 * JAN,JUN ? 2028-2030", "2028-01-01 14:05 UTC, in 399 d"),
        ("0 9 29 2 ? *", "2028-02-29 09:00 UTC, in 458 d"),
    ],
)
def test_the_next_run_of_a_cron_expression_is_computed(expression: str, expected: str) -> None:
    assert next_run_of_cron(f"cron({expression})", "UTC", timedelta(), NOON) == expected


@pytest.mark.parametrize(
    "expression", ["0 9 1 1 ? 2020", "0 9 LW * ? *", "0 9 ? * L *", "0 9 1 1 ? 2028/2", "nonsense"]
)
def test_the_console_says_that_it_finds_no_next_time(expression: str) -> None:
    text = next_run_of_cron(f"cron({expression})", "UTC", timedelta(), NOON)
    assert text == "not known, because the console finds no next time for this expression"


def test_the_flexible_window_and_the_time_zone_are_named() -> None:
    text = next_run_of_cron("cron(0 9 * * ? *)", "Europe/Vienna", timedelta(minutes=15), NOON)
    assert text == "2026-11-29 09:00 Europe/Vienna, in 20 h, or up to 15 min later"


def test_an_unknown_time_zone_is_named() -> None:
    text = next_run_of_cron("cron(0 9 * * ? *)", "Mars/Olympus", timedelta(), NOON)
    assert text == "not known, because this machine does not know the time zone Mars/Olympus"


def test_a_time_that_does_not_exist_when_the_clock_is_put_forward_is_skipped() -> None:
    evening = datetime(2027, 3, 27, 20, 0, tzinfo=UTC)  # in the next night, 2:00 is followed by 3:00
    text = next_run_of_cron("cron(30 2 * * ? *)", "Europe/Vienna", timedelta(), evening)
    assert text == "2027-03-29 02:30 Europe/Vienna, in 28 h"


def test_a_time_that_comes_twice_when_the_clock_is_put_back_counts_once() -> None:
    second_hour = datetime(2027, 10, 31, 1, 10, tzinfo=UTC)  # the clock shows 2:10 for the second time
    text = next_run_of_cron("cron(30 2 * * ? *)", "Europe/Vienna", timedelta(), second_hour)
    assert text == "2027-11-01 02:30 Europe/Vienna, in 24 h"


@pytest.mark.parametrize(
    ("is_local", "zone", "note"),
    [
        (True, "UTC", "in the time zone Europe/Vienna, but the local AWS always uses UTC"),
        (False, "Europe/Vienna", "in the time zone Europe/Vienna"),
    ],
)
def test_the_page_shows_the_next_run_of_a_cron_schedule(*, is_local: bool, zone: str, note: str) -> None:
    console = MagicMock()
    console.account.is_local = is_local
    console.account.client.return_value.get_queue_attributes.return_value = {
        "Attributes": {"ApproximateNumberOfMessages": "0"}
    }
    schedule: dict[str, Any] = {
        "ScheduleExpression": "cron(0 9 * * ? 2199)",
        "ScheduleExpressionTimezone": "Europe/Vienna",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
    }
    shown = Page(console)._schedule(MagicMock(), schedule, [])
    assert shown["next_run"].startswith(f"2199-01-01 09:00 {zone}, in ")
    assert shown["note"] == note
