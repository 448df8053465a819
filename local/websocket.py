"""Shows the board at work. Two clients talk, one of them loses its connection, and gets what it has missed."""

import asyncio
from collections.abc import Callable

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from local.deployment import LocalDeployment
from local.waiting import wait_for
from localaws.aws import LocalError
from localaws.urls import local_url
from scripts.board_client import BoardClient, ticket_url

TITLE = "two clients talk in a room, and one of them connects again"
PATIENCE_SECONDS = 90
ROOM = "exercise"


def exercise(deployment: LocalDeployment, outputs: dict[str, str]) -> None:
    """Connect without a ticket, and with a ticket twice. Then let two clients talk. Raises LocalError if it fails."""
    asyncio.run(_Exercise(deployment, outputs).run())


def suggestions(_deployment: LocalDeployment, _outputs: dict[str, str]) -> list[str]:
    """Return shell commands that the person may try next."""
    return [
        "python -m scripts.board --user ada --send Hello",
        "# without --send, it prints messages and sends each line that you type. Try it in two terminals",
    ]


class _Exercise:
    def __init__(self, deployment: LocalDeployment, outputs: dict[str, str]) -> None:
        self._deployment = deployment
        self._outputs = outputs
        self._functions = deployment.client("lambda")

    async def run(self) -> None:
        await self._refuse()
        texts: dict[str, list[str]] = {"ada": [], "bob": []}
        clients = {user: self._client(user, heard) for user, heard in texts.items()}
        tasks = {user: asyncio.create_task(client.run()) for user, client in clients.items()}
        try:
            await self._wait(lambda: all(client.seen is not None for client in clients.values()), "two connections")
            number = await self._send(clients["ada"], "Hello, Bob")
            await self._wait(lambda: texts["bob"][-1:] == ["Hello, Bob"], "the message")
            print(f"    ada sends message {number}, and bob gets it")
            tasks.pop("bob").cancel()
            numbers = [await self._send(clients["ada"], text) for text in ("Are you there?", "Bob?")]
            tasks["bob"] = asyncio.create_task(clients["bob"].run())
            missed = ["Are you there?", "Bob?"]
            await self._wait(lambda: texts["ada"][-2:] == missed == texts["bob"][-2:], "the missed messages")
            print(f"    bob loses the connection, connects again, and gets the missed messages {numbers}")
        finally:
            for task in tasks.values():
                task.cancel()
        if texts["ada"][-3:] != texts["bob"][-3:]:
            raise LocalError(f"the two clients have different messages: {texts}")

    async def _refuse(self) -> None:
        url = self._url("ada")
        for name, address in (("without a ticket", url.split("?")[0]), ("with a ticket", url), ("again", url)):
            try:
                async with connect(address, proxy=None, open_timeout=PATIENCE_SECONDS):
                    result = "connected"
            except InvalidStatus as error:
                result = f"refused with {error.response.status_code}"
            print(f"    {name:16} -> {result}")
            if (result == "connected") != (name == "with a ticket"):
                raise LocalError(f"a connection {name} is {result}")

    def _client(self, user: str, heard: list[str]) -> BoardClient:
        return BoardClient(lambda: self._url(user), lambda message: heard.append(message["text"]))

    def _url(self, user: str) -> str:
        url = ticket_url(self._functions, self._outputs["IssuerName"], user, ROOM)
        return local_url(url, self._deployment.engine.endpoint)

    async def _send(self, client: BoardClient, text: str) -> int:
        try:
            return await asyncio.wait_for(client.send(text), PATIENCE_SECONDS)
        except TimeoutError:
            raise self._error(f"the answer to the message {text!r}") from None

    async def _wait(self, look: Callable[[], bool], what: str) -> None:
        if not await asyncio.to_thread(wait_for, look, seconds=PATIENCE_SECONDS, pause=0.02):
            raise self._error(what)

    def _error(self, what: str) -> LocalError:
        return LocalError(f"waited {PATIENCE_SECONDS} s for {what}. The log is in {self._deployment.aws.log_file}")
