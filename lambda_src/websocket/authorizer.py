"""Allows a new connection if its URL contains a ticket that is valid and unused.

API Gateway calls this function only for $connect. All later messages of the connection carry the user and the room that
this function returns, so a client cannot change them.
"""

import os
from typing import Any

import botocore.session
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from websocket.store import AWS_CONFIG, Tickets

logger = Logger()
dynamodb: Any = botocore.session.get_session().create_client("dynamodb", config=AWS_CONFIG)
tickets = Tickets(dynamodb, os.environ["TICKETS_TABLE"])


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Use up the ticket, and return a policy that allows or denies the connection. The client gets 403 if denied."""
    owner = tickets.use((event.get("queryStringParameters") or {}).get("ticket") or "")
    logger.info("allowed" if owner else "denied", owner=owner)
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Allow" if owner else "Deny",
        "Resource": event["methodArn"],
    }
    return {
        "principalId": owner["user"] if owner else "nobody",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": owner or {},
    }
