"""A client of the live board. It gets each message of its room once and in order, also after an interruption.

API Gateway closes a connection after two hours, or after ten minutes without messages. Then the client gets a new
ticket, connects again, and asks for the messages after the last one that it has seen.
"""

import asyncio
import contextlib
import json
import os
import random
import uuid
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from localaws.urls import local_url

HEARTBEAT_SECONDS = 240
"""Seconds without a message after which the client asks for new ones. API Gateway closes the connection after 600."""
ANSWER_SECONDS = 30
"""Seconds for which the client waits for an answer. Then it connects again."""
MAX_PAUSE_SECONDS = 30
"""Longest pause before a new connection. The pauses double, and are random, so that not all clients come at once."""
Message = dict[str, Any]


class RefusedError(Exception):
    """The board refuses a message. The text of the error is the reason."""


def ticket_url(lambda_client: Any, issuer: str, user: str, room: str) -> str:
    """Return the URL of a new connection.

    Raises RefusedError if the name of the user or room is bad, and ConnectionError if the function fails.
    """
    answer = lambda_client.invoke(FunctionName=issuer, Payload=json.dumps({"user": user, "room": room}))
    result = json.load(answer["Payload"])
    if "FunctionError" in answer:
        raise (RefusedError if result.get("errorType") == "ValueError" else ConnectionError)(result["errorMessage"])
    url, endpoint = str(result["url"]), os.environ.get("AWS_ENDPOINT_URL")
    return local_url(url, endpoint) if endpoint else url  # in a shell with the local AWS, the API has another address


class BoardClient:
    """One user in one room.

    `new_url` returns the URL of a new connection, with a ticket. It may block. After an error of the network or of AWS,
    the client calls it again. `on_message` receives each message.
    """

    def __init__(self, new_url: Callable[[], str], on_message: Callable[[Message], None]) -> None:
        self.seen: int | None = None
        """The number of the last message. None means that the client has had no answer yet."""
        self.connections = 0
        """How often the client has connected."""
        self._new_url = new_url
        self._on_message = on_message
        self._waiting: dict[str, tuple[str, asyncio.Future[int]]] = {}
        self._connection: ClientConnection | None = None

    async def run(self) -> None:
        """Stay connected until this task is cancelled."""
        pause = 0.5
        while True:
            try:
                url = await asyncio.to_thread(self._new_url)
                # The client has a heartbeat of its own, so it needs no pings.
                async with connect(url, ping_interval=None, proxy=None) as self._connection:
                    self.connections += 1
                    await self._resume()
                    pause = 0.5
                    await self._receive(self._connection)
            except (OSError, WebSocketException, TimeoutError, BotoCoreError, ClientError):
                pass
            finally:
                self._connection = None
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - not a secret
            pause = min(pause * 2, MAX_PAUSE_SECONDS)

    async def send(self, text: str) -> int:
        """Send a text, and return its number when the board has stored it. Raises RefusedError.

        If the connection ends before that, the client sends the text again with the same id. The board stores it once.
        """
        message_id = str(uuid.uuid4())
        stored = asyncio.get_running_loop().create_future()
        self._waiting[message_id] = text, stored
        try:
            await self._send_waiting(message_id)
            return int(await stored)
        finally:
            del self._waiting[message_id]

    async def _receive(self, connection: ClientConnection) -> None:
        quiet = False
        while True:
            try:
                seconds = ANSWER_SECONDS if quiet or self._waiting else HEARTBEAT_SECONDS
                answer = json.loads(await asyncio.wait_for(connection.recv(), seconds))
            except TimeoutError:
                if quiet:
                    raise  # there is no answer to the heartbeat
                quiet = True
                await self._resume()
                continue
            quiet = False
            await self._process(answer)

    async def _process(self, answer: Message) -> None:
        match answer.get("type"):
            case "messages":
                await self._process_messages(answer)
            case "stored" if answer["id"] in self._waiting:
                self._settle(answer["id"], lambda stored: stored.set_result(answer["sequence"]))
            case "error":
                for message_id in list(self._waiting):
                    self._settle(message_id, lambda stored: stored.set_exception(RefusedError(answer["reason"])))
            case None:  # an error of API Gateway: the function failed, or there were too many messages
                await asyncio.sleep(1)
                await self._resume()

    async def _process_messages(self, answer: Message) -> None:
        messages: list[Message] = answer["messages"]
        is_answer = "after" in answer  # to this client. Otherwise it is a broadcast, which may come in any order.
        if not is_answer and (self.seen is None or messages[0]["sequence"] > self.seen + 1):
            await self._resume()  # earlier messages are missing
            return
        for message in messages:
            if self.seen is None or message["sequence"] > self.seen:
                self.seen = message["sequence"]
                self._on_message(message)
        if is_answer:
            self.seen = self.seen or 0
            if answer["more"]:
                await self._resume()
            else:
                for message_id in list(self._waiting):
                    await self._send_waiting(message_id)

    async def _resume(self) -> None:
        await self._send({"action": "resume", "after": self.seen})

    async def _send_waiting(self, message_id: str) -> None:
        await self._send({"action": "send", "id": message_id, "text": self._waiting[message_id][0]})

    async def _send(self, message: Message) -> None:
        if self._connection:
            with contextlib.suppress(WebSocketException):  # the next connection sends it again
                await self._connection.send(json.dumps(message))

    def _settle(self, message_id: str, change: Callable[[asyncio.Future[int]], None]) -> None:
        _, stored = self._waiting[message_id]
        if not stored.done():
            change(stored)
