"""Patches of CloudWatch Logs. A log group contains log streams, and a stream contains events. An event is one line."""

import contextlib
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import cloudwatch_logs

MAX_EVENTS = 10_000
"""A group keeps this number of events. FilterLogEvents returns as many events in one answer."""
EVENTS_BETWEEN_DELETIONS = 1_000
"""Old events are deleted after this number of new events of all groups, because a deletion reads all streams."""
_MILLISECONDS_PER_DAY = 86_400_000


def delete_old_events() -> None:
    """Delete events that are older than the retention of their group, and all but the newest 10,000 of each group.

    Also delete a function's log stream without events. The deletion runs after each 1,000 new events.

    Stock engine: keeps all events, and a log stream for each invocation of a function. So its memory grows.
    AWS: deletes the events that are older than the retention of the group. The number of events has no limit.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html
    Upstream issue: none known.
    """
    stock_append = cloudwatch_logs._append_log_events
    new_events = 0

    def append_and_delete(stream: Any, events: Any) -> None:
        nonlocal new_events
        stock_append(stream, events)
        new_events += len(events)
        if new_events >= EVENTS_BETWEEN_DELETIONS:
            new_events = 0
            for (account, region, _), group in cloudwatch_logs._log_groups._data.copy().items():
                _delete_old_events(account, region, group)

    cloudwatch_logs._append_log_events = append_and_delete
    for name in ("_describe_log_streams", "_get_log_events"):
        setattr(cloudwatch_logs, name, _repeat_after_deletion(getattr(cloudwatch_logs, name)))


def _delete_old_events(account: str, region: str, group: Any) -> None:
    with cloudwatch_logs._log_events_lock:
        # Other threads add streams. `copy` lets no other thread run, but a loop or `list(…)` may do so.
        streams = group["streams"].copy()
        oldest = _oldest_time_to_keep(streams, group["retentionInDays"])
        for name, stream in streams.items():
            events = stream["events"]
            if not events or events[0]["timestamp"] >= oldest:
                continue
            deleted = bisect_left(events, oldest, key=cloudwatch_logs._event_timestamp)
            for event in events[:deleted]:
                cloudwatch_logs._log_records.pop_scoped(account, region, event.get("eventId"), None)
            stream["events"] = events[deleted:]  # a new list, because a request may read the old one
            if not stream["events"] and "[" in name:  # Lambda writes into a stream like 2026/11/29/[$LATEST]0f3a once
                del group["streams"][name]


def _oldest_time_to_keep(streams: Mapping[str, Any], retention_days: int | None) -> float:
    # Return the time in milliseconds since 1970. Older events are deleted.
    oldest = 0.0
    if retention_days:
        oldest = time.time() * 1000 - retention_days * _MILLISECONDS_PER_DAY
    times = [event["timestamp"] for stream in streams.values() for event in stream["events"]]
    if len(times) > MAX_EVENTS:
        oldest = max(oldest, sorted(times)[-MAX_EVENTS])
    return oldest


def _repeat_after_deletion(operation: Callable[[Any], Any]) -> Callable[[Any], Any]:
    # The operation looks up a stream twice. Another thread may delete the stream meanwhile.
    def repeat(data: Any) -> Any:
        for _ in range(2):
            with contextlib.suppress(KeyError):
                return operation(data)
        return operation(data)

    return repeat
