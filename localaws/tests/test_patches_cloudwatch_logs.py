"""Tests of the patch of CloudWatch Logs. Each test fails if the patch does not work or is not needed."""

import gc
import sys
import threading
import time
from typing import Any

import pytest
from conftest import Client
from ministack.services import cloudwatch_logs, lambda_svc

from localaws.patches import cloudwatch_logs as patches
from localaws.patches.cloudwatch_logs import EVENTS_BETWEEN_DELETIONS, MAX_EVENTS, delete_old_events

DAY = 86_400_000
"""A day in milliseconds."""


def create_stream(client: Client, group: str) -> None:
    client("logs").create_log_group(logGroupName=group)
    client("logs").create_log_stream(logGroupName=group, logStreamName="stream")


def put(client: Client, group: str, messages: range, *, when: int) -> None:
    """Put one event for each number. The time of number 0 is `when`, and each one is a millisecond later."""
    events = [{"timestamp": when + number, "message": str(number)} for number in messages]
    client("logs").put_log_events(logGroupName=group, logStreamName="stream", logEvents=events)


def stored(client: Client, group: str) -> list[str]:
    """Return the messages in the stream of the group."""
    messages: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = client("logs").get_log_events(logGroupName=group, logStreamName="stream", startFromHead=True, **token)
        if not page["events"]:
            return messages
        messages += [event["message"] for event in page["events"]]
        token = {"nextToken": page["nextForwardToken"]}


def put_many(client: Client) -> list[str]:
    create_stream(client, "many")
    now = int(time.time() * 1000)
    for start in range(0, 12_000, 4_000):
        put(client, "many", range(start, start + 4_000), when=now)
    return stored(client, "many")


def test_a_group_keeps_the_newest_events(stock: Client, patched: Client) -> None:
    assert len(put_many(stock)) == 12_000
    assert put_many(patched) == [str(number) for number in range(12_000 - MAX_EVENTS, 12_000)]


def put_old_and_new(client: Client) -> str:
    """Return the first message in the stream after an old and many new events."""
    create_stream(client, "retention")
    client("logs").put_retention_policy(logGroupName="retention", retentionInDays=3)
    now = int(time.time() * 1000)
    put(client, "retention", range(1), when=now - 4 * DAY)
    put(client, "retention", range(1, 1 + EVENTS_BETWEEN_DELETIONS), when=now - 2 * DAY)
    return stored(client, "retention")[0]


def test_events_older_than_the_retention_are_deleted(stock: Client, patched: Client) -> None:
    assert put_old_and_new(stock) == "0"
    assert put_old_and_new(patched) == "1"


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a log group in this process, with a retention of one day. The patch is undone after the test."""
    for name in ("_append_log_events", "_describe_log_streams", "_get_log_events"):
        monkeypatch.setattr(cloudwatch_logs, name, getattr(cloudwatch_logs, name))
    monkeypatch.setattr(cloudwatch_logs, "_log_groups", type(cloudwatch_logs._log_groups)())
    monkeypatch.setattr(patches, "EVENTS_BETWEEN_DELETIONS", 1)
    cloudwatch_logs._create_log_group({"logGroupName": "/aws/lambda/f"})
    cloudwatch_logs._put_retention_policy({"logGroupName": "/aws/lambda/f", "retentionInDays": 1})
    return cloudwatch_logs._log_groups["/aws/lambda/f"]


def invoke_after_two_days(group: Any) -> int:
    """Return the number of streams after an old and a new invocation."""
    function = {"config": {"FunctionName": "f"}}
    group["streams"].clear()
    lambda_svc._emit_lambda_logs(function, "1", "a", error=False, duration_ms=1)
    (stream,) = group["streams"].values()
    for event in stream["events"]:
        event["timestamp"] -= 2 * DAY
    lambda_svc._emit_lambda_logs(function, "2", "b", error=False, duration_ms=1)
    return len(group["streams"])


def test_streams_of_functions_without_events_are_deleted(group: Any) -> None:
    assert invoke_after_two_days(group) == 2
    delete_old_events()
    assert invoke_after_two_days(group) == 1


def test_no_record_of_a_deleted_event_is_left(group: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine stores each event of PutLogEvents a second time, for GetLogRecord."""
    monkeypatch.setattr(cloudwatch_logs, "_log_records", type(cloudwatch_logs._log_records)())
    delete_old_events()
    cloudwatch_logs._create_log_stream({"logGroupName": "/aws/lambda/f", "logStreamName": "own"})
    for age in (2, 0):
        event = {"timestamp": int(time.time() * 1000) - age * DAY, "message": str(age)}
        names = {"logGroupName": "/aws/lambda/f", "logStreamName": "own"}
        cloudwatch_logs._put_log_events({**names, "logEvents": [event]})
    assert [record["@message"] for _, record in cloudwatch_logs._log_records.items()] == ["0"]
    assert list(group["streams"]) == ["own"]


def test_a_deletion_does_not_fail_while_other_invocations_write_logs(group: Any) -> None:
    """A garbage collection during the deletion lets other threads run, and they add streams."""
    ended = threading.Event()

    def add_streams() -> None:
        while not ended.is_set():
            name = str(len(group["streams"]))
            cloudwatch_logs._create_log_stream({"logGroupName": "/aws/lambda/f", "logStreamName": name})

    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(1)
    sys.setswitchinterval(1e-6)
    callback = lambda *_: time.sleep(0)  # noqa: E731 - it is removed below
    gc.callbacks.append(callback)
    thread = threading.Thread(target=add_streams)
    thread.start()
    try:
        for _ in range(20):
            patches._delete_old_events("000000000000", "us-east-1", group)
    finally:
        ended.set()
        thread.join()
        gc.callbacks.remove(callback)
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)
