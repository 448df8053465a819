"""Every patch of EventBridge Scheduler is still necessary, and still works."""

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
INPUT = '{"at": "<aws.scheduler.scheduled-time>", "of": "<aws.scheduler.schedule-arn>"}'


def schedule_every_minute(client: Client) -> str:
    """Create a schedule that sends to a queue, and return the queue's URL."""
    queue = str(client("sqs").create_queue(QueueName="scheduled")["QueueUrl"])
    client("scheduler").create_schedule(
        Name="minutely",
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:sqs:us-east-1:000000000000:scheduled", "RoleArn": ROLE, "Input": INPUT},
    )
    return queue


def test_a_minute_is_short(stock: Client, patched: Client) -> None:
    real, shortened = schedule_every_minute(stock), schedule_every_minute(patched)
    (message,) = wait_for(lambda: patched("sqs").receive_message(QueueUrl=shortened).get("Messages"), seconds=20)
    assert datetime.fromisoformat(json.loads(message["Body"])["at"]) <= datetime.now(UTC)
    assert "Messages" not in stock("sqs").receive_message(QueueUrl=real)


# -- in this process, because the stock engine would look for due schedules only every ten seconds


@pytest.fixture
def engine_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo the patches after the test, and have no schedules before it."""
    for name in ("_invoke_target", "_dispatch_to_lambda"):
        monkeypatch.setattr(eventbridge, name, getattr(eventbridge, name))
    monkeypatch.setattr(scheduler, "_schedules", type(scheduler._schedules)())
    monkeypatch.setattr(scheduler, "_schedule_last_fired", {})


def fire(name: str) -> None:
    function = "arn:aws:lambda:us-east-1:000000000000:function:f"
    once = {
        "ScheduleExpression": "at(2026-01-01T00:00:00)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": function, "RoleArn": ROLE, "Input": INPUT},
    }
    scheduler._create_schedule(name, once)
    scheduler._tick_schedules()


@pytest.mark.usefixtures("engine_here")
def test_context_attributes_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs: list[Any] = []
    monkeypatch.setattr(eventbridge, "_dispatch_to_lambda", lambda _arn, payload: inputs.append(json.loads(payload)))
    fire("stock")
    assert inputs.pop()["at"] == "<aws.scheduler.scheduled-time>"
    replace_context_attributes()
    fire("patched")
    values = inputs.pop()
    assert datetime.fromisoformat(values["at"]).tzinfo == UTC
    assert values["of"] == "arn:aws:scheduler:us-east-1:000000000000:schedule/default/patched"


@pytest.mark.usefixtures("engine_here")
def test_a_scheduled_invocation_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    invoked_once, with_retries = threading.Event(), threading.Event()
    monkeypatch.setattr(lambda_svc, "_get_func_record_for_ref", lambda _arn: ({"config": {}}, {"a": 1}, "f"))
    monkeypatch.setattr(lambda_svc, "_execution_record_for_config", lambda *_: {})
    monkeypatch.setattr(lambda_svc, "_execute_function_with_config_scope", lambda *_: invoked_once.set())
    monkeypatch.setattr(lambda_svc, "invoke_async_with_retry", lambda *_: with_retries.set())
    fire("stock")
    assert invoked_once.wait(timeout=5)
    assert not with_retries.is_set()
    invoked_once.clear()
    retry_scheduled_invocations()
    fire("patched")
    assert with_retries.is_set()
    assert not invoked_once.is_set()
