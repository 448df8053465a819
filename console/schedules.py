"""When a schedule of EventBridge Scheduler runs next, in words."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aws_croniter import AwsCroniter


def gap_of_rate(expression: str, seconds_per_minute: float) -> timedelta | None:
    """Return the time between two runs, or None if the schedule is not a rate(...) schedule."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if found is None:
        return None
    return timedelta(seconds=int(found[1]) * {"minute": 1, "hour": 60, "day": 1440}[found[2]] * seconds_per_minute)


def next_run_of_rate(last: datetime, gap: timedelta, window: timedelta, now: datetime) -> str:
    """Return when a rate(...) schedule runs next. It may start up to `window` later than planned."""
    planned = last + gap
    clock = planned.astimezone(UTC).strftime("%H:%M:%S UTC" if gap < timedelta(hours=12) else "%Y-%m-%d %H:%M UTC")
    left = planned - now
    if left > timedelta():
        return f"{clock}, in {duration(left)}"
    # The result of a run appears a few seconds after its planned time, because the checks need some time.
    if -left < window + gap:
        return f"{clock}, so about now"
    return f"{clock} was planned, but no result arrived since then"


def next_run_of_cron(expression: str, time_zone: str, window: timedelta, now: datetime) -> str:
    """Return when a cron(...) schedule runs next. It may start up to `window` later than planned."""
    try:
        planned = _next_time(expression, ZoneInfo(time_zone), now)
    except ZoneInfoNotFoundError:
        return f"not known, because this machine does not know the time zone {time_zone}"
    except ValueError:  # aws-croniter does not know LW and steps of years. For a single L it finds no time.
        planned = None
    if planned is None:
        return "not known, because the console finds no next time for this expression"
    latest = f", or up to {duration(window)} later" if window else ""
    return f"{planned:%Y-%m-%d %H:%M} {time_zone.removeprefix('Etc/')}, in {duration(planned - now)}{latest}"


def _next_time(expression: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    schedule = AwsCroniter(expression.removeprefix("cron(").removesuffix(")"))
    # aws-croniter only accepts UTC, so this is the clock of the zone with the name UTC.
    clock = now.astimezone(zone).replace(tzinfo=UTC)
    while clock := schedule.get_next(clock)[0]:
        planned: datetime = clock.replace(tzinfo=zone).astimezone(UTC)
        # When the clock is put forward, some times do not exist, and Scheduler skips them. When it is put back, some
        # times come twice, and Scheduler uses one of them:
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time
        if planned > now and planned.astimezone(zone).replace(tzinfo=UTC) == clock:
            return planned.astimezone(zone)
    return None


def duration(time: timedelta) -> str:
    """Return a duration in words, such as `2 s`, `5 min` or `3 h`."""
    seconds = max(round(time.total_seconds()), 1)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{round(seconds / length)} {unit}"
    return f"{seconds} s"
