"""Sends messages to every connection of a room, and removes the connections that do not exist any more."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from websocket.protocol import pieces

if TYPE_CHECKING:
    from websocket.store import Connections

THREADS = 32
"""Number of clients to which the function sends at the same time."""


class Delivery:
    """The connections of one WebSocket API."""

    def __init__(self, gateway: Any, connections: "Connections") -> None:
        """`gateway` is a client of the API's own endpoint, the service `apigatewaymanagementapi`."""
        self._gateway = gateway
        self._connections = connections
        self._threads = ThreadPoolExecutor(THREADS)

    def send(self, room: str, messages: list[dict[str, Any]]) -> dict[str, int]:
        """Send the messages to all clients in the room. Return how many connections were delivered, gone and slow.

        Raises botocore's errors if AWS itself fails. Then some clients get the messages a second time.
        """
        # The messages of the board have increasing numbers, and the stream may deliver two shards in any order.
        ordered = sorted(messages, key=lambda message: message["sequence"])
        data = [
            json.dumps({"type": "messages", "messages": piece}, ensure_ascii=False).encode()
            for piece in pieces(ordered)
        ]
        ids = self._connections.of_room(room)
        results = list(self._threads.map(lambda connection: self._post(room, connection, data), ids))
        return {"delivered": 0, "gone": 0, "slow": 0, **Counter(results)}

    def _post(self, room: str, connection: str, data: list[bytes]) -> str:
        try:
            for piece in data:
                self._gateway.post_to_connection(ConnectionId=connection, Data=piece)
        except self._gateway.exceptions.GoneException:
            self._connections.delete(room, connection)
            return "gone"
        except (self._gateway.exceptions.LimitExceededException, ReadTimeoutError, ConnectTimeoutError):
            self._close(room, connection)
            return "slow"
        return "delivered"

    def _close(self, room: str, connection: str) -> None:
        # The client connects again, and asks for the messages that it has missed.
        self._connections.delete(room, connection)
        try:
            self._gateway.delete_connection(ConnectionId=connection)
        except (
            self._gateway.exceptions.GoneException,
            self._gateway.exceptions.LimitExceededException,
            ReadTimeoutError,
            ConnectTimeoutError,
        ):
            return  # the heartbeat of the client puts the connection into the table again
