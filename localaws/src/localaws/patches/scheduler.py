"""Patches of EventBridge Scheduler. A schedule invokes a *target*, such as a function, at certain times."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from ministack.services import eventbridge, lambda_svc, scheduler


def shorten_minutes(seconds_per_minute: float) -> None:
    """Make a minute in rate(...) schedules last only `seconds_per_minute` seconds, and check schedules every 0.2 s.

    Stock engine: a minute lasts 60 seconds. The engine checks every 10 s which schedules are due.
    AWS: a minute lasts 60 seconds. This patch differs from AWS on purpose, so that a person sees results soon.
    Upstream issue: none.
    """
    stock_parse = eventbridge._parse_rate_seconds

    def parse_shortened(expression: str) -> float | None:
        seconds = stock_parse(expression)
        return None if seconds is None else seconds * seconds_per_minute / 60

    eventbridge._parse_rate_seconds = parse_shortened
    scheduler._SCHEDULE_TICK_INTERVAL = 0.2


def replace_context_attributes() -> None:
    """Replace context attributes in the input of a schedule's target, such as `<aws.scheduler.scheduled-time>`.

    Stock engine: passes the input to the target unchanged.
    AWS: replaces the attributes scheduled-time, schedule-arn, execution-id and attempt-number by their values.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    Upstream issue: none known.
    """
    stock_invoke = eventbridge._invoke_target

    def invoke_with_values(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], *rest: Any) -> None:
        if event.get("Source") == "aws.scheduler" and "Input" in target:
            target = {**target, "Input": _replace_attributes(target["Input"], event, rule)}
        stock_invoke(target, event, rule, *rest)

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
    """Retry a scheduled invocation that fails, and then send the failure to the function's destination.

    Stock engine: retries invocations by S3 events, but not by schedules. A scheduled invocation that fails is lost, and
    nothing reports it.
    AWS: invokes the function asynchronously. Lambda retries it twice, and then sends the failure to the destination.
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
