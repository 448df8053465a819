"""Tests of the destinations of asynchronous invocations. Each test fails if a patch does not work."""

import json
import logging
from typing import Any

import pytest
from conftest import Client
from helpers import create_function, wait_for
from ministack.services import lambda_svc

from localaws.patches import lambda_destinations
from localaws.patches.iam import require_permission_to_send_failures

FAIL = "def handler(event, context): raise ValueError('é' * 1000)"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:"
ONLY_TLS = {
    "Statement": {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "sqs:*",
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
}
"""The policy of a queue with CDK's setting enforce_ssl. Lambda uses TLS."""


def fail_once(client: Client, name: str, *, actions: str = "*", destination: str = "", **options: Any) -> None:
    """Create a function that always fails, and invoke it asynchronously with the event `{"key": "value"}`."""
    functions = client("lambda")
    create_function(client, name, {"index.py": FAIL}, actions=actions, **options)
    target = {"DestinationConfig": {"OnFailure": {"Destination": destination}}} if destination else {}
    functions.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0, **target)
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"key": "value"}))


def first_message(client: Client, queue: str) -> Any:
    """Wait for a message in the queue, and return it with its attributes."""
    options = {"QueueUrl": client("sqs").get_queue_url(QueueName=queue)["QueueUrl"], "MessageAttributeNames": ["All"]}
    return wait_for(lambda: client("sqs").receive_message(**options).get("Messages"))[0]


def test_an_event_bus_gets_the_record_as_an_event(patched: Client) -> None:
    events = patched("events")
    patched("sqs").create_queue(QueueName="events")
    bus = events.create_event_bus(Name="failures")["EventBusArn"]
    events.put_rule(Name="rule", EventBusName="failures", EventPattern=json.dumps({"source": ["lambda"]}))
    events.put_targets(Rule="rule", EventBusName="failures", Targets=[{"Id": "queue", "Arn": f"{QUEUE}events"}])
    fail_once(patched, "to-bus", destination=bus)
    event = json.loads(first_message(patched, "events")["Body"])
    assert event["detail-type"] == "Lambda Function Invocation Result - Failure"
    assert event["resources"] == ["arn:aws:lambda:us-east-1:000000000000:function:to-bus:$LATEST", bus]
    assert event["detail"]["requestPayload"] == {"key": "value"}


def test_a_bucket_gets_the_record_as_an_object(patched: Client) -> None:
    s3 = patched("s3")
    s3.create_bucket(Bucket="lambda-failures")
    fail_once(patched, "to-bucket", destination="arn:aws:s3:::lambda-failures")
    (stored,) = wait_for(lambda: s3.list_objects_v2(Bucket="lambda-failures").get("Contents"))
    assert stored["Key"].startswith("aws/lambda/async/to-bucket/20")
    record = json.loads(s3.get_object(Bucket="lambda-failures", Key=stored["Key"])["Body"].read())
    assert record["requestContext"]["condition"] == "RetriesExhausted"


def test_a_dead_letter_has_attributes_with_the_error(patched: Client) -> None:
    patched("sqs").create_queue(QueueName="letters", Attributes={"Policy": json.dumps(ONLY_TLS)})
    fail_once(patched, "to-letters", DeadLetterConfig={"TargetArn": f"{QUEUE}letters"})
    letter = first_message(patched, "letters")
    assert json.loads(letter["Body"]) == {"key": "value"}
    attributes = {
        name: (value["DataType"], value["StringValue"]) for name, value in letter["MessageAttributes"].items()
    }
    data_type, request_id = attributes.pop("RequestID")
    assert (data_type, len(request_id)) == ("String", 36)
    assert attributes == {"ErrorCode": ("Number", "200"), "ErrorMessage": ("String", "é" * 512)}


def test_a_throttled_event_has_an_error_code_too() -> None:
    attributes = lambda_destinations.error_attributes("id", {})
    assert attributes["ErrorCode"]["StringValue"] == "429"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("arn:aws:kinesis:us-east-1:000000000000:stream/s", "Lambda cannot send failures to this service"),
        ("arn:aws:s3:::missing-bucket", "NoSuchBucket"),
        (f"{QUEUE}missing", "the queue does not exist"),
        ("arn:aws:sns:us-east-1:000000000000:missing", "the topic does not exist"),
        ("arn:aws:events:eu-west-1:000000000000:event-bus/b", "does not exist"),
    ],
)
def test_a_record_that_cannot_be_sent_is_dropped_with_one_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, target: str, reason: str
) -> None:
    """An exception would put the event back into its queue, and Lambda would invoke the function again and again."""
    monkeypatch.setattr(lambda_svc, "_functions", {"f": {"config": {"Role": "arn:aws:iam::000000000000:role/r"}}})
    monkeypatch.setattr(lambda_svc, "_route_async_failure", lambda_destinations.send)
    monkeypatch.setattr("localaws.patches.iam._is_allowed", lambda *_: True)
    require_permission_to_send_failures()
    with caplog.at_level(logging.WARNING):
        lambda_svc._route_async_failure(target, "f", json.dumps({"requestContext": {"functionArn": "f"}}))
    (line,) = caplog.messages
    assert line.startswith(f"a failure of the function f was not sent to {target}: ")
    assert reason in line


@pytest.mark.parametrize(
    ("target", "permissions"),
    [
        ("arn:aws:events:us-east-1:000000000000:event-bus/b", [("events:PutEvents", "")]),
        ("arn:aws:s3:::b", [("s3:PutObject", "/aws/lambda/async/f/"), ("s3:ListBucket", "")]),
    ],
)
def test_a_role_needs_all_permissions_to_send_a_failure(target: str, permissions: list[tuple[str, str]]) -> None:
    needed = lambda_destinations.needed_permissions(target, "f")
    assert [action for action, _ in needed] == [action for action, _ in permissions]
    for (_, resource), (_, path) in zip(needed, permissions, strict=True):
        assert resource.startswith(f"{target}{path}")
