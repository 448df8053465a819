"""Patches of EventBridge Scheduler."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from ministack.services import eventbridge, lambda_svc, scheduler


def shorten_minutes(seconds_per_minute: float) -> None:
    """Make time pass faster for rate(...) schedules, and look for due schedules several times a second.

    Stock engine: a minute lasts a minute, and it looks for due schedules every 10 s.
    AWS: a minute lasts a minute. This patch is for people who watch, and it is no correction.
    Upstream issue: none.
    """
    parse = eventbridge._parse_rate_seconds

    def parse_shortened(expression: str) -> float | None:
        seconds = parse(expression)
        return None if seconds is None else seconds * seconds_per_minute / 60

    eventbridge._parse_rate_seconds = parse_shortened
    scheduler._SCHEDULE_TICK_INTERVAL = 0.2


def replace_context_attributes() -> None:
    """Replace context attributes in a schedule's input, such as `<aws.scheduler.scheduled-time>`.

    Stock engine: passes the input unchanged.
    AWS: replaces scheduled-time, schedule-arn, execution-id and attempt-number.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    Upstream issue: none known.
    """
    invoke = eventbridge._invoke_target

    def invoke_with_values(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], *rest: Any) -> None:
        if event.get("Source") == "aws.scheduler" and "Input" in target:
            target = {**target, "Input": _replace_attributes(target["Input"], event, rule)}
        invoke(target, event, rule, *rest)

    eventbridge._invoke_target = invoke_with_values


def _replace_attributes(text: str, event: dict[str, Any], rule: dict[str, Any]) -> str:
    for attribute, value in {
        "scheduled-time": datetime.fromtimestamp(event["Time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "schedule-arn": rule["Arn"],
        "execution-id": uuid.uuid4().hex[:16],
        "attempt-number": "1",
    }.items():
        text = text.replace(f"<aws.scheduler.{attribute}>", value)
    return text


def retry_scheduled_invocations() -> None:
    """Retry a function that a schedule invokes and that fails, and send the failure to the function's destination.

    Stock engine: does so for S3's events. A scheduled invocation that fails is lost, without any message.
    AWS: invokes the function asynchronously, so Lambda retries it twice and then uses the destination.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    Upstream issue: none known.
    """

    def dispatch(arn: str, payload: str) -> None:
        function, configuration, name = lambda_svc._get_func_record_for_ref(arn)
        if function is None or configuration is None:
            eventbridge.logger.warning("the function %s of a schedule does not exist", name)
            return
        record = lambda_svc._execution_record_for_config(function, configuration)
        lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    eventbridge._dispatch_to_lambda = dispatch
