"""Mends of EventBridge Scheduler."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from ministack.services import eventbridge, lambda_svc, scheduler


def hurry_schedules(seconds_a_minute: float) -> None:
    """Let time pass faster for rate(...) schedules, and look for those that are due several times a second."""
    seconds_of = eventbridge._parse_rate_seconds

    def hurried(expression: str) -> float | None:
        seconds = seconds_of(expression)
        return None if seconds is None else seconds * seconds_a_minute / 60

    eventbridge._parse_rate_seconds = hurried
    scheduler._SCHEDULE_TICK_INTERVAL = 0.2


def fill_in_what_a_schedule_tells() -> None:
    """Replace the keywords of a schedule's input, such as `<aws.scheduler.scheduled-time>`, as Scheduler does.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    """
    invoke = eventbridge._invoke_target

    def invoke_filled_in(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], *view: Any) -> None:
        if event.get("Source") == "aws.scheduler" and "Input" in target:
            filled = target["Input"]
            for keyword, value in {
                "scheduled-time": datetime.fromtimestamp(event["Time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "schedule-arn": rule["Arn"],
                "execution-id": uuid.uuid4().hex[:16],
                "attempt-number": "1",
            }.items():
                filled = filled.replace(f"<aws.scheduler.{keyword}>", value)
            target = {**target, "Input": filled}
        invoke(target, event, rule, *view)

    eventbridge._invoke_target = invoke_filled_in


def retry_what_a_schedule_invokes() -> None:
    """Invoke a schedule's function as AWS does: what fails is retried, and at last sent to the function's destination.

    The engine does so for S3, and lets a scheduled invocation that fails go without a word.
    """

    def dispatch(arn: str, payload: str) -> None:
        function, configuration, name = lambda_svc._get_func_record_for_ref(arn)
        if function is None or configuration is None:
            eventbridge.logger.warning("the function %s of a schedule does not exist", name)
            return
        record = lambda_svc._execution_record_for_config(function, configuration)
        lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    eventbridge._dispatch_to_lambda = dispatch
