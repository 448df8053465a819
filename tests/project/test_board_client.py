"""These tests connect the client of the board to a server in this process, which makes mistakes on purpose."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any
from unittest import mock

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from scripts import board_client
from scripts.board import show
from scripts.board_client import BoardClient, RefusedError, ticket_url

SECONDS = 10


class Server:
    """A board with one room. `mistake` receives each message first, and returns True if it has answered."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.ids: list[str] = []
        self.asked: list[dict[str, Any]] = []
        self.connections: list[ServerConnection] = []
        self.mistake: Callable[[ServerConnection, dict[str, Any]], Awaitable[bool]] | None = None

    async def handle(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        async for text in connection:
            message = json.loads(text)
            self.asked.append(message)
            try:
                if self.mistake is None or not await self.mistake(connection, message):
                    await self.answer(connection, message)
            except ConnectionClosed:
                return

    async def answer(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        if message["action"] == "send":
            number = self.store(message["text"], message["id"])
            await connection.send(json.dumps({"type": "stored", "id": message["id"], "sequence": number}))
        else:
            after = message["after"]
            found = self.messages(*range((after or 0) + 1, len(self.stored) + 1))
            await connection.send(json.dumps({"type": "messages", "after": after, "messages": found, "more": False}))

    def store(self, text: str, message_id: str = "") -> int:
        if message_id and message_id in self.ids:
            return self.ids.index(message_id) + 1
        self.stored.append(text)
        self.ids.append(message_id)
        return len(self.stored)

    def messages(self, *numbers: int) -> list[dict[str, Any]]:
        return [{"sequence": number, "text": self.stored[number - 1], "user": "ada"} for number in numbers]

    async def broadcast(self, *numbers: int) -> None:
        await self.connections[-1].send(json.dumps({"type": "messages", "messages": self.messages(*numbers)}))


def play(script: Callable[[Server, BoardClient, list[str]], Awaitable[None]]) -> None:
    """Run a server and a client, and then the script. The list contains what the client has received."""

    async def run() -> None:
        server = Server()
        heard: list[str] = []
        async with serve(server.handle, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            client = BoardClient(lambda: f"ws://127.0.0.1:{port}", lambda message: heard.append(message["text"]))
            task = asyncio.create_task(client.run())
            try:
                await until(lambda: client.seen is not None)
                await script(server, client, heard)
            finally:
                task.cancel()

    asyncio.run(asyncio.wait_for(run(), SECONDS))


async def until(look: Callable[[], object]) -> None:
    while not look():  # noqa: ASYNC110 - the server and the client change the condition
        await asyncio.sleep(0.005)


def test_a_message_is_sent_and_has_a_number() -> None:
    async def script(server: Server, client: BoardClient, heard: list[str]) -> None:
        assert await client.send("one") == 1
        assert server.stored == ["one"]
        await server.broadcast(1)
        await until(lambda: heard == ["one"])

    play(script)


def test_a_message_that_comes_twice_is_shown_once() -> None:
    async def script(server: Server, _client: BoardClient, heard: list[str]) -> None:
        for text in ("one", "two"):
            server.store(text)
        await server.broadcast(1)
        await server.broadcast(1)
        await server.broadcast(1, 2)
        await until(lambda: len(heard) > 1)
        assert heard == ["one", "two"]

    play(script)


def test_the_client_asks_for_a_missing_message_before_it_shows_the_next() -> None:
    async def script(server: Server, client: BoardClient, heard: list[str]) -> None:
        for text in ("one", "two", "three"):
            server.store(text)
        await server.broadcast(3)
        await until(lambda: client.seen == 3)
        assert heard == ["one", "two", "three"]
        assert server.asked[-1] == {"action": "resume", "after": 0}

    play(script)


def test_after_an_interruption_the_client_gets_what_it_has_missed() -> None:
    async def script(server: Server, client: BoardClient, heard: list[str]) -> None:
        server.store("one")
        await server.broadcast(1)
        await until(lambda: heard == ["one"])
        await server.connections[-1].close()
        server.store("two")
        await until(lambda: heard == ["one", "two"])
        assert client.connections == 2

    play(script)


def test_a_message_without_an_answer_is_sent_again_with_its_id() -> None:
    async def script(server: Server, client: BoardClient, _heard: list[str]) -> None:
        async def lose_the_answer(connection: ServerConnection, message: dict[str, Any]) -> bool:
            if message["action"] == "send" and len(server.connections) == 1:
                server.store(message["text"], message["id"])
                await connection.close()
                return True
            return False

        server.mistake = lose_the_answer
        assert await client.send("one") == 1
        assert server.stored == ["one"]
        assert len({message["id"] for message in server.asked if message["action"] == "send"}) == 1

    play(script)


def test_after_an_error_of_api_gateway_the_message_is_sent_again() -> None:
    async def script(server: Server, client: BoardClient, _heard: list[str]) -> None:
        failures = [True]

        async def fail_once(connection: ServerConnection, message: dict[str, Any]) -> bool:
            if message["action"] == "send" and failures:
                failures.clear()
                await connection.send(json.dumps({"message": "Internal server error", "connectionId": "a"}))
                return True
            return False

        server.mistake = fail_once
        assert await client.send("one") == 1

    play(script)


def test_a_refused_message_raises_the_reason() -> None:
    async def script(server: Server, client: BoardClient, _heard: list[str]) -> None:
        async def refuse(connection: ServerConnection, message: dict[str, Any]) -> bool:
            if message["action"] == "send":
                await connection.send(json.dumps({"type": "error", "reason": "text: too long"}))
            return bool(message["action"] == "send")

        server.mistake = refuse
        with pytest.raises(RefusedError, match="text: too long"):
            await client.send("one")

    play(script)


def test_a_silent_client_asks_for_messages_and_connects_again_without_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(board_client, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(board_client, "ANSWER_SECONDS", 0.1)

    async def script(server: Server, client: BoardClient, _heard: list[str]) -> None:
        await until(lambda: len(server.asked) > 2)
        assert len(server.connections) == 1
        server.mistake = no_answer
        await until(lambda: client.connections > 1)

    async def no_answer(_connection: ServerConnection, _message: dict[str, Any]) -> bool:
        return True

    play(script)


@pytest.mark.parametrize(
    ("kind", "error"), [("ValueError", RefusedError), ("ClientError", ConnectionError)], ids=["bad name", "AWS fails"]
)
def test_only_a_bad_name_is_refused_for_ever(kind: str, error: type[Exception]) -> None:
    payload = io.BytesIO(json.dumps({"errorType": kind, "errorMessage": "the reason"}).encode())
    functions = mock.Mock()
    functions.invoke.return_value = {"FunctionError": "Unhandled", "Payload": payload}
    with pytest.raises(error, match="the reason"):
        ticket_url(functions, "issuer", "ada", "lobby")


def test_control_characters_of_a_message_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show({"user": "ada", "text": "red \x1b[31m"})
    assert capsys.readouterr().out == "ada: red \\x1b[31m\n"
