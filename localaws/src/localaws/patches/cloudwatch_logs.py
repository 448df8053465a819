"""Patches of CloudWatch Logs. A log group contains log streams, and a stream contains events. An event is one line."""

import contextlib
import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch_logs, lambda_svc

MAX_EVENTS = 10_000
"""A group keeps this number of events. FilterLogEvents returns as many events in one answer."""
_EXTRA_EVENTS = 1_000
"""A group may have this number of additional events. So old events are not searched at each new event."""
_MILLISECONDS_PER_DAY = 86_400_000


def delete_old_events() -> None:
    """Delete events that are older than the retention of their group, and all but the newest 10,000 to 11,000 events.

    Also delete a function's log stream without events.

    Stock engine: keeps all events, and a log stream for each invocation of a function. So its memory grows.
    AWS: deletes the events that are older than the retention of the group. The number of events has no limit.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html
    Upstream issue: none known.
    """
    stock_emit, stock_put = lambda_svc._emit_lambda_logs, cloudwatch_logs._put_log_events

    def emit_and_delete(function: Any, *arguments: Any, **options: Any) -> None:
        stock_emit(function, *arguments, **options)
        configuration = function.get("config") or function
        name = (configuration.get("LoggingConfig") or {}).get("LogGroup")
        _delete_old_events(name or f"/aws/lambda/{configuration.get('FunctionName')}")

    def put_and_delete(data: Any) -> Any:
        answer = stock_put(data)
        _delete_old_events(data.get("logGroupName"))
        return answer

    lambda_svc._emit_lambda_logs, cloudwatch_logs._put_log_events = emit_and_delete, put_and_delete
    for name in ("_describe_log_streams", "_get_log_events"):
        setattr(cloudwatch_logs, name, _repeat_after_deletion(getattr(cloudwatch_logs, name)))


def _delete_old_events(group_name: str) -> None:
    group = cloudwatch_logs._log_groups.get(group_name)
    if group is None:
        return
    with cloudwatch_logs._log_events_lock:
        oldest = _oldest_time_to_keep(group)
        for name, stream in [*group["streams"].items()]:
            if not stream["events"] or _time(stream["events"][0]) >= oldest:
                continue
            deleted = bisect_left(stream["events"], oldest, key=_time)
            for event in stream["events"][:deleted]:
                cloudwatch_logs._log_records.pop(event.get("eventId"), None)
            stream["events"] = stream["events"][deleted:]  # a new list, because a request may read the old one
            if not stream["events"] and "[" in name:  # Lambda writes into a stream like 2026/11/29/[$LATEST]0f3a once
                del group["streams"][name]


def _oldest_time_to_keep(group: Any) -> float:
    # Return the time in milliseconds since 1970. Older events are deleted.
    streams = [stream["events"] for stream in [*group["streams"].values()]]
    oldest = 0.0
    if group["retentionInDays"]:
        oldest = time.time() * 1000 - group["retentionInDays"] * _MILLISECONDS_PER_DAY
    if sum(map(len, streams)) > MAX_EVENTS + _EXTRA_EVENTS:
        times = sorted(_time(event) for events in streams for event in events)
        oldest = max(oldest, times[-MAX_EVENTS])
    return oldest


def _time(event: Any) -> float:
    return float(event["timestamp"])


def _repeat_after_deletion(operation: Callable[[Any], Any]) -> Callable[[Any], Any]:
    # The operation looks up a stream twice. Another thread may delete the stream meanwhile.
    def repeat(data: Any) -> Any:
        while True:
            with contextlib.suppress(KeyError):
                return operation(data)

    return repeat
