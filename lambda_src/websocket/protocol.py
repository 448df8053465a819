"""The messages of clients, and the limits of API Gateway.

A client sends one of two messages:

- `{"action": "send", "id": "...", "text": "..."}`. The client chooses the id. If it sends the same message again, the
  board stores it only once.
- `{"action": "resume", "after": 41}`: the client wants all messages after the sequence number 41. Without `after`, it
  wants the newest messages.
"""

import json
import re
from typing import Any

MAX_TEXT = 1_000
"""Maximum length of a text, in characters."""
ID = re.compile(r"[A-Za-z0-9-]{1,64}")
"""The ids that a client may choose for its messages, such as a UUID."""
MAX_BYTES = 30_000
"""Maximum size of what the board sends at once. API Gateway closes a connection if a frame is larger than 32 KB.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html"""


class BadMessageError(ValueError):
    """The client made a mistake. The text of the error says what the client must change."""


def parse(body: str) -> dict[str, Any]:
    """Return the message of a client with valid members. Raises BadMessageError."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        message = None
    action = message.get("action") if isinstance(message, dict) else None
    if action == "send":
        return {"action": action, "id": _id(message.get("id")), "text": _text(message.get("text"))}
    if action == "resume":
        after = message.get("after")
        if after is not None and (type(after) is not int or not 0 <= after < 10**15):
            raise BadMessageError("after: must be the sequence number of a message, or null")
        return {"action": action, "after": after}
    raise BadMessageError('a message must be JSON with the action "send" or "resume"')


def _id(value: Any) -> str:
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise BadMessageError("id: must be 1 to 64 characters of a-z, A-Z, 0-9 and -")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
        raise BadMessageError(f"text: must have 1 to {MAX_TEXT} characters, and not only spaces")
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can contain half of a surrogate pair, which is not a character
        raise BadMessageError("text: must not have half a character (a surrogate without its other half)") from None
    return value


def pieces(messages: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return the messages in the same order, as lists that are at most MAX_BYTES long as JSON. At least one list."""
    lists: list[list[dict[str, Any]]] = [[]]
    size = 0
    for message in messages:
        length = len(json.dumps(message, ensure_ascii=False).encode()) + 2  # the comma and the space
        if lists[-1] and size + length > MAX_BYTES:
            lists.append([])
            size = 0
        lists[-1].append(message)
        size += length
    return lists
