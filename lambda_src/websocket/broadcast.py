"""Sends new messages to all clients in their room. A DynamoDB stream invokes this function for stored messages.

The sender does not wait for this function, and a slow client delays the others only for POST_SECONDS, once: its
connection is closed. The client then connects again and asks for the messages that it has missed.
"""

import os
from typing import Any

import botocore.session
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from websocket.delivery import THREADS, Delivery
from websocket.store import AWS_CONFIG, Connections, message_from

POST_SECONDS = 2
logger = Logger()
metrics = Metrics()
_session = botocore.session.get_session()
dynamodb: Any = _session.create_client("dynamodb", config=AWS_CONFIG)
# The SDK reads the address of the API from the environment variable AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI.
gateway: Any = _session.create_client(
    "apigatewaymanagementapi",
    config=Config(
        connect_timeout=1, read_timeout=POST_SECONDS, retries={"total_max_attempts": 1}, max_pool_connections=THREADS
    ),
)
delivery = Delivery(gateway, Connections(dynamodb, os.environ["CONNECTIONS_TABLE"]))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Send the new messages of each room. Return the first record that failed, and Lambda retries from there on."""
    rooms: dict[str, list[dict[str, Any]]] = {}
    for record in event["Records"]:
        item = record["dynamodb"]["NewImage"]
        rooms.setdefault(item["room"]["S"], []).append(record)
    failed: set[str] = set()
    for room, records in rooms.items():
        try:
            outcomes = delivery.send(room, [message_from(one["dynamodb"]["NewImage"]) for one in records])
        except Exception:  # a failure of one room must not stop the other rooms
            logger.exception("failed; Lambda will retry", room=room)
            failed.add(room)
            continue
        logger.info("sent", room=room, messages=len(records), outcomes=outcomes)
        for outcome, count in outcomes.items():
            metrics.add_metric(outcome.capitalize(), MetricUnit.Count, count)
    numbers = [one["dynamodb"]["SequenceNumber"] for room in failed for one in rooms[room]]
    return {"batchItemFailures": [{"itemIdentifier": min(numbers, key=int)}] if numbers else []}
