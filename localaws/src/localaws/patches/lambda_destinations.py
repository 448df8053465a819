"""Send the events that Lambda discards to the destination or to the dead-letter queue of their function."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from ministack.core.arn import parse_arn
from ministack.services import eventbridge, lambda_svc, s3, sns, sqs

_MAX_ERROR_BYTES = 1024
"""A dead letter contains the beginning of the error message, up to this number of bytes."""
_ACTIONS = {
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "lambda": "lambda:InvokeFunction",
    "events": "events:PutEvents",
}
"""The action that sends something to a destination. The key is the service of the destination. S3 needs two actions."""


def needed_permissions(target: str, function: str) -> list[tuple[str, str]]:
    """Return the actions, with their resources, that the function's role needs to send something to the target.

    The list is empty if Lambda cannot send anything to a target of this service.
    """
    service = target.split(":")[2]
    if service == "s3":
        return [("s3:PutObject", f"{target}/{_object_key(function)}"), ("s3:ListBucket", target)]
    return [(_ACTIONS[service], target)] if service in _ACTIONS else []


def error_attributes(request_id: str, result: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the message attributes of a dead letter. `result` is empty if the event was never processed.

    AWS does not document the attributes of an event that was never processed. They then describe a throttled event.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    code, message = (HTTPStatus.OK, "Unhandled") if result else (HTTPStatus.TOO_MANY_REQUESTS, "Rate Exceeded.")
    body = result.get("body")
    if isinstance(body, dict):
        message = str(body.get("errorMessage") or message)  # an attribute must not be empty
    message = message.encode()[:_MAX_ERROR_BYTES].decode(errors="ignore")
    return {
        "RequestID": {"DataType": "String", "StringValue": request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": str(code.value)},
        "ErrorMessage": {"DataType": "String", "StringValue": message},
    }


def send(target: str, function: str, message: str, attributes: Mapping[str, Mapping[str, str]] | None = None) -> None:
    """Send a record or a dead letter of this function to the target. If this is not possible, log a line.

    The role of the function must allow this, see iam.require_permission_to_send_failures.
    """
    try:
        error = _send(target, function, message, attributes or {})
    except Exception as exception:  # noqa: BLE001 - an exception would put the event back into its queue
        error = str(exception)
    if error:
        lambda_svc.logger.warning("a failure of the function %s was not sent to %s: %s", function, target, error)


def _send(target: str, function: str, message: str, attributes: Mapping[str, Mapping[str, str]]) -> str | None:
    # Return the reason if the message could not be sent.
    service = target.split(":")[2]
    if service == "sqs":
        return _send_to_queue(target, message, attributes)
    if service == "sns":
        answer = sns.publish_internal(target, message, message_attributes=dict(attributes))
        return None if answer else "the topic does not exist"
    if service == "lambda":
        eventbridge._dispatch_to_lambda(target, message)
    elif service == "events":
        return _send_to_event_bus(target, message)
    elif service == "s3":
        status, _, body = s3._put_object(target.split(":::")[1], _object_key(function), message.encode(), {})
        return None if status == HTTPStatus.OK else body.decode()
    else:
        return "Lambda cannot send failures to this service"
    return None


def _send_to_queue(target: str, message: str, attributes: Mapping[str, Mapping[str, str]]) -> str | None:
    queue = sqs._queue_by_arn(target)
    if queue is None:
        return "the queue does not exist"
    # EventBridge's function does not check the policy of the queue. SQS's function would check it without the role.
    eventbridge._dispatch_to_sqs(parse_arn(target), message)
    if attributes:
        sent = next(each for each in reversed(queue["messages"]) if each["body"] == message)
        sent.update(message_attributes=dict(attributes), md5_attrs=sqs._md5_msg_attrs(dict(attributes)))
    return None


def _send_to_event_bus(target: str, record: str) -> str | None:
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html describes the event.
    entry = {
        "EventBusName": target,
        "Source": "lambda",
        "DetailType": "Lambda Function Invocation Result - Failure",
        "Resources": [json.loads(record)["requestContext"]["functionArn"], target],
        "Detail": record,
    }
    _, _, body = eventbridge._put_events({"Entries": [entry]})
    (result,) = json.loads(body)["Entries"]
    return result.get("ErrorMessage")  # type: ignore[no-any-return]


def _object_key(function: str) -> str:
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html describes the key.
    now = datetime.now(UTC)
    return f"aws/lambda/async/{function}/{now:%Y/%m/%d}/{now:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
