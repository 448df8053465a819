"""Issues tickets. A ticket opens one connection to the board, for one user in one room.

Only principals with the permission to invoke this function get tickets: a person with AWS credentials, or the back end
of a web site that has checked who its user is.
"""

import os
import re
from typing import Any

import botocore.session
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from websocket.store import AWS_CONFIG, TICKET_SECONDS, Tickets

MAX_NAME = 40
"""Maximum length of the name of a user or room, in characters."""
logger = Logger()
dynamodb: Any = botocore.session.get_session().create_client("dynamodb", config=AWS_CONFIG)
tickets = Tickets(dynamodb, os.environ["TICKETS_TABLE"])


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return the URL of one connection for the `user` and the `room` of the event. Raises ValueError for a bad name."""
    user, room = event.get("user"), event.get("room")
    if not isinstance(user, str) or not 0 < len(user) <= MAX_NAME or not user.isprintable() or user != user.strip():
        raise ValueError(f"user: must be 1 to {MAX_NAME} printable characters without spaces around them")
    if not isinstance(room, str) or not re.fullmatch(rf"[a-z0-9-]{{1,{MAX_NAME}}}", room):
        raise ValueError(f"room: must be 1 to {MAX_NAME} characters of a-z, 0-9 and -")
    ticket = tickets.issue(user=user, room=room)
    logger.info("issued", user=user, room=room)
    return {"url": f"{os.environ['API_URL']}?ticket={ticket}", "seconds": TICKET_SECONDS}
