"""Patches of asynchronous invocations. The patches of Lambda functions are in lambda_functions.py.

A service such as S3 invokes a function asynchronously: Lambda stores the *event* in a queue and answers at once. Then
Lambda invokes the function for each event of the queue. An event is *throttled* if the function or the account has no
free concurrency.
"""

import contextvars
import heapq
import itertools
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import lambda_svc, sns

from localaws.patches import lambda_destinations
from localaws.patches.lambda_functions import MAX_ENVIRONMENTS

_MAX_AGE_SECONDS = 21600
"""The default of MaximumEventAgeInSeconds: Lambda keeps an event that it could not process for six hours."""
_MAX_RETRIES = 2
"""The default of MaximumRetryAttempts: after the first attempt has failed, Lambda tries an event twice again."""
_THROTTLED_SECONDS = 1
"""The longest pause before the next attempt of a throttled event. On AWS, it is five minutes."""
_SYSTEM_ERROR_SECONDS = 300
"""The longest pause before the next attempt after an error of the engine. On AWS, it is also five minutes."""
_concurrency_changed = threading.Condition()
"""Notifies throttled events of the end of an invocation."""
_stock_acquire, _stock_release = lambda_svc._acquire_execution_slot, lambda_svc._release_execution_slot


@dataclass(kw_only=True, slots=True, eq=False)
class _Event:
    function: Mapping[str, Any]  # ministack's record of the function
    payload: Any
    context: contextvars.Context  # the account, the region and the depth of recursive invocations
    id: str = field(default_factory=new_uuid)
    accepted: float = field(default_factory=time.monotonic)
    invocations: int = 0  # without throttled attempts
    system_errors: int = 0
    result: Mapping[str, Any] = field(default_factory=dict)  # of the last invocation

    @property
    def configuration(self) -> Mapping[str, Any]:
        """The configuration of the function."""
        return self.function["config"]  # type: ignore[no-any-return]

    @property
    def settings(self) -> Mapping[str, Any]:
        """The EventInvokeConfig of the function."""
        function = self.function
        return function.get("event_invoke_config") or (function.get("event_invoke_configs") or {}).get("$LATEST") or {}

    def is_too_old(self, pause: float = 0) -> bool:
        """Return whether the event exceeds its maximum age when the pause (in seconds) ends."""
        age = time.monotonic() - self.accepted + pause
        return age >= int(self.settings.get("MaximumEventAgeInSeconds", _MAX_AGE_SECONDS))


def queue_asynchronous_events() -> None:
    """Keep the events of each function in a queue, and keep throttled events until the function has concurrency.

    Stock engine: starts a thread for each event. A throttled event counts as a failed attempt. So the engine discards
    it after three throttled attempts, within seconds. It sends no record to an event bus or a bucket. A dead-letter
    queue gets the record.
    AWS: returns a throttled event to the queue. AWS tries again for up to MaximumEventAgeInSeconds (six hours by
    default), after pauses that grow from one second to five minutes. Throttled attempts do not count as retries. The
    record of a discarded event contains the reason: RetriesExhausted, EventAgeExceeded or ZeroReservedConcurrency. A
    dead-letter queue gets the event as it is, and the error in the attributes of the message.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    With this patch, a throttled event waits until an invocation ends, and at most one second. So a local queue becomes
    empty sooner than on AWS. At most eight events of a function are processed at once, because a function has at most
    eight environments (see `limit_environments`).
    Upstream issue: none known.
    """
    queues: dict[str, _EventQueue] = {}

    def add(function: Mapping[str, Any], payload: Any) -> None:
        key = lambda_svc._inflight_key(function["config"])
        event = _Event(function=function, payload=payload, context=contextvars.copy_context())
        queues.setdefault(key, _EventQueue()).add(event)

    def release_and_notify(slot: str) -> None:
        _stock_release(slot)
        with _concurrency_changed:
            _concurrency_changed.notify_all()

    lambda_svc.invoke_async_with_retry = add
    lambda_svc._release_execution_slot = release_and_notify
    lambda_svc._route_async_failure = lambda_destinations.send


def invoke_functions_of_topics_asynchronously() -> None:
    """Add the messages of an SNS topic to the queue of the function that is subscribed to the topic.

    Stock engine: invokes the function once, while the publisher waits. A failed or throttled message is lost.
    AWS: invokes the function asynchronously. Lambda retries a failed message, and keeps a throttled message.
    https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
    Upstream issue: none known.
    """

    class LambdaForTopics:
        def __getattr__(self, name: str) -> Any:
            return getattr(lambda_svc, name)

        def _execute_function_with_config_scope(self, function: Mapping[str, Any], payload: Any) -> None:
            lambda_svc.invoke_async_with_retry(function, payload)

    sns._lambda_svc = LambdaForTopics()


class _EventQueue:
    # The events of one function. Threads start when events arrive, and end when the queue is empty.

    def __init__(self) -> None:
        self._events: list[tuple[float, int, _Event]] = []  # a heap; the first event has the earliest time
        self._numbers = itertools.count()  # events with the same time keep their order
        self._threads = 0
        self._changed = threading.Condition()

    def add(self, event: _Event, pause: float = 0) -> None:
        """Process the event after the pause (in seconds)."""
        with self._changed:
            heapq.heappush(self._events, (time.monotonic() + pause, next(self._numbers), event))
            self._changed.notify()
            if self._threads < MAX_ENVIRONMENTS:
                threading.Thread(target=self._run, daemon=True, name="lambda-events").start()
                self._threads += 1

    def _run(self) -> None:
        while event := self._next():
            try:
                event.context.run(lambda_svc._run_with_function_config_scope, event.function, self._process, event)
            except Exception:  # noqa: BLE001 - whatever fails, the event must not be lost
                lambda_svc.logger.exception("the engine could not process an event of a function")
                event.system_errors += 1
                self.add(event, min(2 ** (event.system_errors - 1), _SYSTEM_ERROR_SECONDS))

    def _next(self) -> _Event | None:
        with self._changed:
            while self._events:
                pause = self._events[0][0] - time.monotonic()
                if pause <= 0:
                    return heapq.heappop(self._events)[2]
                self._changed.wait(pause)
            self._threads -= 1
        return None

    def _process(self, event: _Event) -> None:
        # AWS applies the present reserved concurrency to all events of the queue, and drops the events of a deleted
        # function.
        while current := lambda_svc._functions.get(event.configuration["FunctionName"]):
            event.function = {**event.function, "concurrency": current.get("concurrency")}
            if event.function["concurrency"] == 0:
                _discard(event, "ZeroReservedConcurrency")
            elif event.is_too_old():
                _discard(event, "EventAgeExceeded")
            else:
                result = lambda_svc._execute_function(event.function, event.payload)
                if result.get("throttle"):
                    _wait_for_concurrency(event)
                    continue
                event.invocations += 1
                event.result = result
                if result.get("error"):
                    self._retry_or_discard(event)
            return

    def _retry_or_discard(self, event: _Event) -> None:
        pause = min(
            lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS * 2 ** (event.invocations - 1),
            lambda_svc._LAMBDA_ASYNC_RETRY_MAX_SECONDS,
        )
        if event.invocations > int(event.settings.get("MaximumRetryAttempts", _MAX_RETRIES)):
            _discard(event, "RetriesExhausted")
        elif event.is_too_old(pause):
            _discard(event, "EventAgeExceeded")
        else:
            self.add(event, pause)


def _wait_for_concurrency(event: _Event) -> None:
    with _concurrency_changed:
        _concurrency_changed.wait_for(lambda: _has_concurrency(event), _THROTTLED_SECONDS)


def _has_concurrency(event: _Event) -> bool:
    slot, _ = _stock_acquire(event.function, event.configuration)
    if slot:
        _stock_release(slot)
    return slot is not None


def _discard(event: _Event, condition: str) -> None:
    name = event.configuration["FunctionName"]
    destination = event.settings.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    dead_letter_queue = event.configuration.get("DeadLetterConfig", {}).get("TargetArn")
    lambda_svc.logger.warning("an event of the function %s is discarded: %s", name, condition)
    if destination:
        lambda_svc._route_async_failure(destination, name, json.dumps(_record(event, condition)))
    if dead_letter_queue:  # AWS sends the event as it is, and the error in attributes of the message
        attributes = lambda_destinations.error_attributes(event.id, event.result)
        lambda_svc._route_async_failure(dead_letter_queue, name, json.dumps(event.payload), attributes)


def _record(event: _Event, condition: str) -> dict[str, Any]:
    """Return the invocation record of a discarded event.

    AWS does not document the record of an event that was never processed. This record then has no response.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    configuration = event.configuration
    version = configuration.get("Version", "$LATEST")
    arn = configuration["FunctionArn"]
    record = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": event.id,
            "functionArn": arn if arn.count(":") > 6 else f"{arn}:{version}",  # noqa: PLR2004 - it has a qualifier
            "condition": condition,
            "approximateInvokeCount": event.invocations,
        },
        "requestPayload": event.payload,
    }
    if event.invocations:
        error = event.result.get("function_error") or "Unhandled"
        record["responseContext"] = {"statusCode": 200, "executedVersion": version, "functionError": error}
        record["responsePayload"] = event.result.get("body")
    return record
