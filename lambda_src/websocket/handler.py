"""Answers the routes of the board: $connect, $disconnect, `resume`, `send`, and $default for everything else.

The returned body goes to the client that sent the message. The function in broadcast.py sends messages to all others.
"""

import json
import os
from typing import Any

import botocore.session
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from websocket.protocol import BadMessageError, parse, pieces
from websocket.store import AWS_CONFIG, Connections, Messages

logger = Logger()
dynamodb: Any = botocore.session.get_session().create_client("dynamodb", config=AWS_CONFIG)
connections = Connections(dynamodb, os.environ["CONNECTIONS_TABLE"])
messages = Messages(dynamodb, os.environ["MESSAGES_TABLE"])


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return the answer to one message. Its status is 200 even if the message is bad, because the service works."""
    context = event["requestContext"]
    route, connection = context["routeKey"], context["connectionId"]
    # AWS does not say that the authorizer's values are in the event of $disconnect. If the room is missing,
    # the function in broadcast.py deletes the connection at the next message.
    authorizer = context.get("authorizer", {}) if route == "$disconnect" else context["authorizer"]
    user, room = authorizer.get("user"), authorizer.get("room")
    logger.append_keys(route=route, connection_id=connection, room=room)
    if route == "$disconnect" and room:
        connections.delete(room, connection)
    answer: dict[str, Any] | None = None
    if context["eventType"] == "MESSAGE":
        try:
            answer = answer_to(event.get("body") or "", connection, user, room)
        except BadMessageError as error:
            answer = {"type": "error", "reason": str(error)}
    logger.info("answered", user=user, answer=answer and answer["type"])
    return {"statusCode": 200, "body": json.dumps(answer, ensure_ascii=False) if answer else ""}


def answer_to(body: str, connection: str, user: str, room: str) -> dict[str, Any]:
    """Return the answer to the text of a message. Raises BadMessageError if the client made a mistake."""
    message = parse(body)
    if message["action"] == "send":
        sequence = messages.append(room, message_id=message["id"], user=user, text=message["text"])
        return {"type": "stored", "id": message["id"], "sequence": sequence}
    # The client is in the table before this function reads the messages. So every message is either in this answer, or
    # the function in broadcast.py sends it to this client. Some messages come both ways, and the client ignores these.
    connections.put(room, connection, user)
    found, more = messages.after(room, message["after"])
    first, *rest = pieces(found)
    return {"type": "messages", "after": message["after"], "messages": first, "more": more or bool(rest)}
