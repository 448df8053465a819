"""These tests send messages to the deployed websocket example, in an account or in the local AWS on this machine."""

import json
from typing import Any

import pytest

from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)  # CloudWatch may show a log line after a minute


@pytest.fixture(scope="module")
def outputs(deployment: Deployment) -> dict[str, str]:
    return deployment.outputs("websocket")


def test_the_function_processes_a_message_of_the_queue(deployment: Deployment, outputs: dict[str, str]) -> None:
    function = deployment.client("lambda").get_function_configuration(FunctionName=outputs["FunctionName"])
    log_group, logs = function["LoggingConfig"]["LogGroup"], deployment.client("logs")
    message = deployment.client("sqs").send_message(QueueUrl=outputs["QueueUrl"], MessageBody='{"n": 1}')

    def log_lines() -> list[Any]:
        pattern = f'"{message["MessageId"]}"'
        events = logs.filter_log_events(logGroupName=log_group, filterPattern=pattern)["events"]
        return [json.loads(event["message"]) for event in events]

    (line,) = wait_for(log_lines, "the log line about the message")
    assert line["message"] == "processed"
    assert line["content"] == {"n": 1}


def test_only_the_message_that_failed_is_reported(deployment: Deployment, outputs: dict[str, str]) -> None:
    records = [{"messageId": "good", "body": "{}"}, {"messageId": "bad", "body": "not JSON"}]
    answer = deployment.client("lambda").invoke(
        FunctionName=outputs["FunctionName"], Payload=json.dumps({"Records": records})
    )
    assert json.load(answer["Payload"]) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
