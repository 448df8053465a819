"""Tests of the patches of EventBridge Scheduler. Each test fails if its patch does not work or is not needed."""

import json
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import Client
from helpers import wait_for
from ministack.services import eventbridge, lambda_svc, scheduler

from localaws.patches.scheduler import replace_context_attributes, retry_scheduled_invocations

ROLE = "arn:aws:iam::000000000000:role/scheduler"
INPUT = '{"time": "<aws.scheduler.scheduled-time>", "schedule": "<aws.scheduler.schedule-arn>"}'


def schedule_every_minute(client: Client) -> str:
    """Create a schedule that sends a message to a queue every minute, and return the URL of the queue."""
    queue = str(client("sqs").create_queue(QueueName="scheduled")["QueueUrl"])
    client("scheduler").create_schedule(
        Name="minutely",
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:sqs:us-east-1:000000000000:scheduled", "RoleArn": ROLE, "Input": INPUT},
    )
    return queue


def test_a_minute_is_shorter_in_the_patched_engine(stock: Client, patched: Client) -> None:
    stock_queue, patched_queue = schedule_every_minute(stock), schedule_every_minute(patched)
    (message,) = wait_for(lambda: patched("sqs").receive_message(QueueUrl=patched_queue).get("Messages"), seconds=20)
    assert datetime.fromisoformat(json.loads(message["Body"])["time"]) <= datetime.now(UTC)
    assert "Messages" not in stock("sqs").receive_message(QueueUrl=stock_queue)


# -- These tests call the functions of ministack in this process. An engine process would need up to 10 s for each
#    schedule, because the stock engine checks schedules only every 10 s.


@pytest.fixture
def stock_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove all schedules before the test, and undo the patches after the test."""
    for name in ("_invoke_target", "_dispatch_to_lambda"):
        monkeypatch.setattr(eventbridge, name, getattr(eventbridge, name))
    monkeypatch.setattr(scheduler, "_schedules", type(scheduler._schedules)())
    monkeypatch.setattr(scheduler, "_schedule_last_fired", {})


def run_schedule(name: str) -> None:
    """Create a schedule whose time is in the past, and let the scheduler invoke its function."""
    function = "arn:aws:lambda:us-east-1:000000000000:function:f"
    schedule = {
        "ScheduleExpression": "at(2026-01-01T00:00:00)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": function, "RoleArn": ROLE, "Input": INPUT},
    }
    scheduler._create_schedule(name, schedule)
    scheduler._tick_schedules()


@pytest.mark.usefixtures("stock_scheduler")
def test_context_attributes_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs: list[Any] = []
    monkeypatch.setattr(eventbridge, "_dispatch_to_lambda", lambda _arn, payload: inputs.append(json.loads(payload)))
    run_schedule("stock")
    assert inputs.pop()["time"] == "<aws.scheduler.scheduled-time>"
    replace_context_attributes()
    run_schedule("patched")
    values = inputs.pop()
    assert datetime.fromisoformat(values["time"]).tzinfo == UTC
    assert values["schedule"] == "arn:aws:scheduler:us-east-1:000000000000:schedule/default/patched"


@pytest.mark.usefixtures("stock_scheduler")
def test_a_scheduled_invocation_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    invoked_without_retries, invoked_with_retries = threading.Event(), threading.Event()
    monkeypatch.setattr(lambda_svc, "_get_func_record_for_ref", lambda _arn: ({"config": {}}, {"a": 1}, "f"))
    monkeypatch.setattr(lambda_svc, "_execution_record_for_config", lambda *_: {})
    monkeypatch.setattr(lambda_svc, "_execute_function_with_config_scope", lambda *_: invoked_without_retries.set())
    monkeypatch.setattr(lambda_svc, "invoke_async_with_retry", lambda *_: invoked_with_retries.set())
    run_schedule("stock")
    assert invoked_without_retries.wait(timeout=5)
    assert not invoked_with_retries.is_set()
    invoked_without_retries.clear()
    retry_scheduled_invocations()
    run_schedule("patched")
    assert invoked_with_retries.is_set()
    assert not invoked_without_retries.is_set()
