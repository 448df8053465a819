"""Tests of the patches of asynchronous invocations. Each test fails if a patch does not work or is not needed."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from conftest import Client
from helpers import create_function, wait_for
from ministack.services import lambda_svc

from localaws.patches import lambda_events
from localaws.patches.lambda_events import queue_asynchronous_events
from localaws.patches.lambda_functions import MAX_ENVIRONMENTS

PRINT_LATE = """
import time
def handler(event, context):
    time.sleep(0.8)
    print("processed", event["number"])
"""


def create_queue(client: Client, name: str) -> tuple[str, str]:
    """Create an SQS queue, and return its URL and its ARN."""
    url = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    attributes = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(url), str(attributes["Attributes"]["QueueArn"])


def create_logging_function(client: Client, name: str, code: str) -> None:
    """Create a function that runs this code, a role that allows everything, and a log group."""
    client("logs").create_log_group(logGroupName=name)
    create_function(client, name, {"index.py": code}, actions="*", Timeout=30, LoggingConfig={"LogGroup": name})


def log_lines(client: Client, function: str, text: str) -> list[str]:
    """Return the lines in the function's log that contain the text."""
    events = client("logs").filter_log_events(logGroupName=function)["events"]
    return [event["message"] for event in events if text in event["message"]]


def count_letters(client: Client, url: str) -> int:
    """Return the number of messages in the queue."""
    attributes = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


def process_more_events_than_concurrency(client: Client, events: int) -> tuple[list[str], int]:
    """Send events to a function that processes one event at a time, for longer than the pauses between retries.

    Return the log lines of the processed events, and the number of dead letters.
    """
    url, arn = create_queue(client, "too-busy")
    functions = client("lambda")
    create_logging_function(client, "busy", PRINT_LATE)
    functions.put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=1)
    functions.put_function_event_invoke_config(
        FunctionName="busy", DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    for number in range(events):
        functions.invoke(FunctionName="busy", InvocationType="Event", Payload=json.dumps({"number": number}))
    wait_for(lambda: len(log_lines(client, "busy", "processed")) + count_letters(client, url) == events)
    return sorted(log_lines(client, "busy", "processed")), count_letters(client, url)


def test_throttled_events_are_processed_later(stock: Client, patched: Client) -> None:
    assert process_more_events_than_concurrency(stock, 4)[1] > 0
    assert process_more_events_than_concurrency(patched, 4) == ([f"processed {number}" for number in range(4)], 0)


def publish_to_failing_function(client: Client) -> None:
    """Publish a message to a topic with a function that raises an exception."""
    create_logging_function(client, "subscribed", "def handler(event, context): raise ValueError(event)")
    topic = client("sns").create_topic(Name="topic")["TopicArn"]
    function = client("lambda").get_function(FunctionName="subscribed")["Configuration"]["FunctionArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    client("sns").publish(TopicArn=topic, Message="hello")


def test_failed_messages_of_a_topic_are_retried(stock: Client, patched: Client) -> None:
    publish_to_failing_function(stock)
    publish_to_failing_function(patched)
    wait_for(lambda: len(log_lines(patched, "subscribed", "START")) == 3)
    assert len(log_lines(stock, "subscribed", "START")) == 1


# -- These tests call the functions of ministack in this process, so they can change times and count threads.

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
DESTINATION = {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:failures"}}
Result = Mapping[str, Any]
OK: Result = {"body": None}
ERROR: Result = {"error": True, "body": {"errorMessage": "no"}}
THROTTLED: Result = lambda_svc._throttle_response("ConcurrentInvocationLimitExceeded", "Rate Exceeded")


class Function:
    """A function in ministack's list of functions. `results` are the results of its invocations."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.record: dict[str, Any] = {
            "config": {"FunctionName": "f", "FunctionArn": ARN, "Version": "$LATEST"},
            "event_invoke_config": {"DestinationConfig": DESTINATION},
        }
        self.run: Callable[[Any], Result] = lambda _payload: OK
        self.failures: list[tuple[str, Any]] = []
        self.functions = type(lambda_svc._functions)()
        self.functions["f"] = self.record
        monkeypatch.setattr(lambda_svc, "_functions", self.functions)
        monkeypatch.setattr(lambda_svc, "_execute_function_dispatch", lambda _f, _c, payload, *_: self.run(payload))
        monkeypatch.setattr(lambda_svc, "_route_async_failure", self._route)

    def _route(self, target: str, _name: str, message: str, *_attributes: Any) -> None:
        self.failures.append((target, json.loads(message)))

    def invoke(self, payload: Any = None) -> None:
        """Invoke the function asynchronously."""
        lambda_svc.invoke_async_with_retry(dict(self.record), payload)

    def return_results(self, results: list[Result]) -> list[Any]:
        """Let each invocation return the next of these results, and then the last one. Return a list of payloads."""
        payloads: list[Any] = []

        def run(payload: Any) -> Result:
            payloads.append(payload)
            return results[min(len(payloads), len(results)) - 1]

        self.run = run
        return payloads


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Function:
    """Return a function whose events are in a queue, and undo the patch after the test."""
    for name in ("invoke_async_with_retry", "_release_execution_slot", "_route_async_failure"):
        monkeypatch.setattr(lambda_svc, name, getattr(lambda_svc, name))
    monkeypatch.setattr(lambda_svc, "_LAMBDA_ASYNC_RETRY_BASE_SECONDS", 0.01)
    monkeypatch.setattr(lambda_events, "_THROTTLED_SECONDS", 0.01)
    queue_asynchronous_events()
    return Function(monkeypatch)


@pytest.mark.parametrize(
    ("condition", "invocations", "results", "settings"),
    [
        ("RetriesExhausted", 3, [ERROR], {}),
        ("RetriesExhausted", 1, [ERROR], {"MaximumRetryAttempts": 0}),
        ("RetriesExhausted", 3, [THROTTLED] * 9 + [ERROR, THROTTLED, ERROR], {}),
        ("EventAgeExceeded", 0, [THROTTLED], {"MaximumEventAgeInSeconds": 1}),
        ("EventAgeExceeded", 1, [ERROR, THROTTLED], {"MaximumEventAgeInSeconds": 1}),
    ],
)
def test_the_record_of_a_discarded_event_contains_the_reason(
    function: Function, condition: str, invocations: int, results: list[Result], settings: Result
) -> None:
    function.record["event_invoke_config"] |= settings
    function.return_results(results)
    function.invoke({"key": "value"})
    wait_for(lambda: function.failures, seconds=5)
    ((target, record),) = function.failures
    assert target == DESTINATION["OnFailure"]["Destination"]
    assert (record["version"], record["requestPayload"]) == ("1.0", {"key": "value"})
    context = record["requestContext"]
    assert context.pop("requestId")
    assert context == {
        "functionArn": f"{ARN}:$LATEST",
        "condition": condition,
        "approximateInvokeCount": invocations,
    }
    response = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"} if invocations else None
    assert (record.get("responseContext"), record.get("responsePayload")) == (
        response,
        ERROR["body"] if response else None,
    )


def test_an_event_is_too_old_if_its_next_retry_would_be_too_late(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_svc, "_LAMBDA_ASYNC_RETRY_BASE_SECONDS", 25)
    function.record["event_invoke_config"]["MaximumEventAgeInSeconds"] = 20
    function.return_results([ERROR])
    function.invoke()
    wait_for(lambda: function.failures, seconds=5)
    assert function.failures[0][1]["requestContext"]["condition"] == "EventAgeExceeded"


@pytest.mark.parametrize("result", [OK, THROTTLED])
def test_a_function_with_concurrency_0_gets_no_events(function: Function, result: Result) -> None:
    payloads = function.return_results([result])
    function.invoke("before")
    wait_for(lambda: payloads)
    function.record["concurrency"] = 0
    function.invoke("after")
    expected = {"after"} if result is OK else {"before", "after"}
    wait_for(lambda: {record["requestPayload"] for _, record in function.failures} == expected, seconds=5)
    assert {record["requestContext"]["condition"] for _, record in function.failures} == {"ZeroReservedConcurrency"}
    assert "after" not in payloads


def test_a_dead_letter_queue_gets_the_event_as_it_is(function: Function) -> None:
    function.record["config"]["DeadLetterConfig"] = {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:letters"}
    function.record["event_invoke_config"] = None
    function.return_results([ERROR])
    function.invoke({"key": "value"})
    wait_for(lambda: function.failures, seconds=5)
    assert function.failures == [("arn:aws:sqs:us-east-1:000000000000:letters", {"key": "value"})]


def test_a_throttled_event_starts_as_soon_as_the_function_has_concurrency(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_events, "_THROTTLED_SECONDS", 60)
    waiting = threading.Event()
    monkeypatch.setattr(
        lambda_events, "_wait_for_concurrency", call_after(waiting, lambda_events._wait_for_concurrency)
    )
    payloads = function.return_results([OK])
    function.record["concurrency"] = 1
    slot, _ = lambda_svc._acquire_execution_slot(function.record, function.record["config"])
    function.invoke("throttled")
    assert waiting.wait(timeout=5)
    assert payloads == []
    lambda_svc._release_execution_slot(slot)
    wait_for(lambda: payloads == ["throttled"], seconds=5)


def call_after(event: threading.Event, wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that sets the event, and then calls `wrapped`."""

    def call(*arguments: Any) -> Any:
        event.set()
        return wrapped(*arguments)

    return call


def test_the_events_of_a_deleted_function_are_dropped(function: Function) -> None:
    payloads = function.return_results([THROTTLED])
    function.invoke()
    wait_for(lambda: len(payloads) > 2)
    del function.functions["f"]
    wait_for(lambda: not event_threads(), seconds=5)
    assert function.failures == []


def test_each_event_is_processed_once_by_at_most_eight_threads(function: Function) -> None:
    payloads: list[int] = []
    threads: list[int] = []
    may_end = threading.Event()

    def run(payload: int) -> Result:
        payloads.append(payload)
        threads.append(event_threads())
        may_end.wait(timeout=5)
        return OK

    function.run = run
    for number in range(500):
        function.invoke(number)
    wait_for(lambda: len(payloads) == MAX_ENVIRONMENTS)
    assert sorted(payloads) == [*range(MAX_ENVIRONMENTS)]
    may_end.set()
    wait_for(lambda: len(payloads) == 500)
    assert sorted(payloads) == [*range(500)]
    assert max(threads) == MAX_ENVIRONMENTS
    wait_for(lambda: not event_threads())


def event_threads() -> int:
    """Return the number of threads that process events."""
    return sum(thread.name == "lambda-events" for thread in threading.enumerate())


def test_an_error_of_the_engine_does_not_lose_the_event(function: Function) -> None:
    payloads: list[Any] = []

    def run(payload: Any) -> Result:
        payloads.append(time.monotonic())
        if len(payloads) == 1:
            raise OSError(payload)
        return OK

    function.run = run
    function.invoke()
    wait_for(lambda: len(payloads) == 2, seconds=5)
    assert payloads[1] - payloads[0] >= 1
    assert function.failures == []
