"""These tests connect to the deployed websocket example, in an account or in the local AWS on this machine."""

import asyncio
import json
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from scripts.board_client import BoardClient, ticket_url
from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)
SECONDS = 60


class Room:
    """A new room of the board."""

    def __init__(self, deployment: Deployment) -> None:
        self.name = f"smoke-{uuid.uuid4().hex[:12]}"
        self.outputs = deployment.outputs("websocket")
        self.dynamodb = deployment.client("dynamodb")
        self._functions = deployment.client("lambda")
        self._deployment = deployment

    def url(self, user: str = "ada") -> str:
        """Return the URL of a new connection."""
        return self._deployment.url(ticket_url(self._functions, self.outputs["IssuerName"], user, self.name))

    def client(self, user: str, heard: list[str]) -> BoardClient:
        return BoardClient(lambda: self.url(user), lambda message: heard.append(message["text"]))

    def connections(self) -> set[str]:
        """Return the ids of the connections in the table."""
        items = self.dynamodb.query(
            TableName=self.outputs["ConnectionsTableName"],
            KeyConditionExpression="room = :room",
            ExpressionAttributeValues={":room": {"S": self.name}},
            ConsistentRead=True,
        )["Items"]
        return {item["connection_id"]["S"] for item in items}


@pytest.fixture
def room(deployment: Deployment) -> Room:
    return Room(deployment)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, SECONDS))


async def until(look: Callable[[], Any]) -> None:
    await asyncio.to_thread(wait_for, look, "the other client", seconds=SECONDS)


async def ask(connection: ClientConnection, message: str) -> Any:
    """Send the text of a message, and return the answer."""
    await connection.send(message)
    return json.loads(await connection.recv())


async def status_of(url: str) -> int:
    """Return the status with which the API answers to a new connection. 101 means that it is open."""
    try:
        async with connect(url, proxy=None):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def test_a_ticket_opens_one_connection(room: Room) -> None:
    async def check() -> None:
        url = room.url()
        assert await status_of(url.split("?")[0]) == 401
        assert await status_of(f"{url}x") == 403
        assert await status_of(url) == 101
        assert await status_of(url) == 403
        assert await status_of(room.url().replace("/live?", "/other?")) == 403

    run(check())


def test_a_client_gets_each_message_once_and_in_order_after_an_interruption(room: Room) -> None:
    async def check() -> None:
        ada: list[str] = []
        bob: list[str] = []
        sender, receiver = room.client("ada", ada), room.client("bob", bob)
        tasks = [asyncio.create_task(client.run()) for client in (sender, receiver)]
        texts = [f"<b>message</b> {number} \N{PARTY POPPER}" for number in range(8)]
        for number, text in enumerate(texts, start=1):
            assert await sender.send(text) == number
            if number == 4:
                await until(lambda: bob == texts[:4])
                tasks.pop().cancel()  # bob's connection ends
        tasks.append(asyncio.create_task(receiver.run()))
        await until(lambda: ada == texts == bob)
        for task in tasks:
            task.cancel()

    run(check())


def test_a_message_that_is_sent_twice_is_stored_once(room: Room) -> None:
    async def check() -> None:
        message = json.dumps({"action": "send", "id": str(uuid.uuid4()), "text": "hello"})
        async with connect(room.url(), proxy=None) as connection:
            first, second = await ask(connection, message), await ask(connection, message)
            assert first == second
            assert first["sequence"] == 1
            found = await ask(connection, json.dumps({"action": "resume"}))
            assert [one["text"] for one in found["messages"]] == ["hello"]

    run(check())


def test_the_sender_of_a_bad_message_gets_the_reason(room: Room) -> None:
    async def check() -> None:
        async with connect(room.url(), proxy=None) as connection:
            for message, reason in (("hello", "must be JSON"), ('{"action": "send", "text": "x"}', "id:")):
                answer = await ask(connection, message)
                assert answer["type"] == "error"
                assert reason in answer["reason"]

    run(check())


def test_connections_that_do_not_exist_any_more_are_removed(room: Room) -> None:
    async def check() -> None:
        heard: list[str] = []
        client = room.client("ada", heard)
        task = asyncio.create_task(client.run())
        await until(room.connections)
        gone = {"room": {"S": room.name}, "connection_id": {"S": "L0SM9cOFvHcCIhw="}}
        room.dynamodb.put_item(TableName=room.outputs["ConnectionsTableName"], Item=gone)
        await client.send("hello")
        await until(lambda: heard == ["hello"])
        await until(lambda: len(room.connections()) == 1)
        task.cancel()
        await until(lambda: not room.connections())  # $disconnect

    run(check())


def test_the_function_writes_a_line_for_each_message(room: Room, deployment: Deployment) -> None:
    async def check() -> None:
        async with connect(room.url(), proxy=None) as connection:
            await ask(connection, json.dumps({"action": "resume"}))

    run(check())
    functions, logs = deployment.client("lambda"), deployment.client("logs")
    (mapping,) = [
        each
        for each in functions.list_functions()["Functions"]
        if each["Handler"] == "websocket.handler.handler"
        and each["Environment"]["Variables"]["MESSAGES_TABLE"] == room.outputs["MessagesTableName"]
    ]
    group = mapping["LoggingConfig"]["LogGroup"]

    def lines() -> list[Any]:
        pattern = f'"{room.name}"'
        events = logs.filter_log_events(logGroupName=group, filterPattern=pattern)["events"]
        return [line for event in events if (line := json.loads(event["message"]))["route"] == "resume"]

    (line,) = wait_for(lines, "the log line about the message")
    assert line["answer"] == "messages"
