"""Connect 500 clients to the board, and measure how long a message needs to reach all of them.

    python -m bench.board          print a table
    python -m bench.board --check  also exit with 1 if a target is missed

`make local` must have run before. All clients are in one room and in one process. The time of a message begins when its
sender calls `send`, and ends when a client has it. During the run, a tenth of the clients lose their connection and
connect again. Each client must get each message once and in order. The times are elapsed times, so other programs on a
busy machine count.
"""

import argparse
import asyncio
import operator
import os
import statistics
import sys
import time
import uuid
from typing import Any

from bench._measure import Target, check_targets, print_table, show_progress
from local.project import FOLDER, local_aws
from localaws.urls import local_url
from scripts.board_client import BoardClient, ticket_url

CLIENTS, SENDERS, ROUNDS = 500, 1, 40
SECONDS_BETWEEN_ROUNDS = 1.0
"""One message a second in a room of 500 clients are 500 deliveries a second. More SENDERS send at the same time."""
CONNECTING_AT_ONCE = 20
PATIENCE_SECONDS = 120
P99_SECONDS = 10.0
"""The limit allows for other programs on the machine: docs/performance.md."""


class Load:
    """All clients of one run."""

    def __init__(self, functions: Any, issuer: str, endpoint: str) -> None:
        self._functions, self._issuer, self._endpoint = functions, issuer, endpoint
        self._room = f"bench-{uuid.uuid4().hex[:8]}"
        self._turns = asyncio.Semaphore(CONNECTING_AT_ONCE)
        self.sent: dict[str, float] = {}
        self.seconds: list[float] = []
        self.received: list[list[int]] = [[] for _ in range(CLIENTS)]
        self.clients = [self._client(number) for number in range(CLIENTS)]
        self._reconnected: set[int] = set()

    def _client(self, number: int) -> BoardClient:
        def new_url() -> str:
            return local_url(ticket_url(self._functions, self._issuer, f"user {number}", self._room), self._endpoint)

        def on_message(message: dict[str, Any]) -> None:
            self.received[number].append(message["sequence"])
            if number not in self._reconnected:  # the others wait for their own connection, not for the board
                self.seconds.append(time.monotonic() - self.sent[message["text"]])

        return BoardClient(new_url, on_message)

    async def run(self) -> float:
        """Connect all clients, and send all messages. Return the seconds until all clients were connected."""
        started = time.monotonic()
        tasks = []
        for number in range(0, CLIENTS, CONNECTING_AT_ONCE):
            group = self.clients[number : number + CONNECTING_AT_ONCE]
            tasks += [asyncio.create_task(client.run()) for client in group]
            await self._until(lambda group=group: all(one.seen is not None for one in group))
            show_progress(f"{number + len(group)} of {CLIENTS} clients are connected")
        connected = time.monotonic() - started
        for turn in range(ROUNDS):
            show_progress(f"round {turn + 1} of {ROUNDS}")
            pause = asyncio.create_task(asyncio.sleep(SECONDS_BETWEEN_ROUNDS))
            if turn == ROUNDS // 2:
                self._lose_connections(tasks)
            await asyncio.gather(*(self._send(sender, turn) for sender in range(SENDERS)))
            await pause
        await self._until(lambda: all(client.seen == SENDERS * ROUNDS for client in self.clients))
        show_progress("")
        for task in tasks:
            task.cancel()
        return connected

    def _lose_connections(self, tasks: list[asyncio.Task[None]]) -> None:
        for number in range(SENDERS, CLIENTS, 10):
            self._reconnected.add(number)
            tasks[number].cancel()
            tasks[number] = asyncio.create_task(self.clients[number].run())

    async def _send(self, sender: int, turn: int) -> None:
        text = f"message {turn} of {sender}"
        self.sent[text] = time.monotonic()
        await self.clients[sender].send(text)

    async def _until(self, look: Any) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not look() and time.monotonic() < deadline:  # noqa: ASYNC110 - many clients change the condition
            await asyncio.sleep(0.05)


def main() -> int:
    """Measure, print the results, and return the exit code."""
    parser = argparse.ArgumentParser(description="Measure the board.")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    arguments = parser.parse_args()
    aws = local_aws(FOLDER)
    engine = aws.running_engine()
    stacks = aws.client("cloudformation", engine).describe_stacks()["Stacks"] if engine else []
    outputs = {one["OutputKey"]: one["OutputValue"] for stack in stacks for one in stack.get("Outputs", [])}
    if engine is None or "IssuerName" not in outputs:
        print("not measured, because the board is not deployed here. Type: make local")
        return 0
    load = Load(aws.client("lambda", engine), outputs["IssuerName"], engine.endpoint)
    connected = asyncio.run(load.run())
    expected = list(range(1, SENDERS * ROUNDS + 1))
    lost = sum(len(set(expected) - set(numbers)) for numbers in load.received)
    wrong = sum(numbers != sorted(set(numbers)) for numbers in load.received)
    percentiles = statistics.quantiles(load.seconds, n=100)
    print_table(
        [
            ["clients", "deliveries", "p50 s", "p99 s", "lost", "twice or out of order", "connected after s", "load"],
            [
                *(str(CLIENTS), str(sum(map(len, load.received)))),
                *(f"{percentiles[49]:.2f}", f"{percentiles[98]:.2f}"),
                *(str(lost), str(wrong), f"{connected:.0f}", f"{os.getloadavg()[0]:.0f}"),
            ],
        ]
    )
    targets: list[Target] = [
        ("the p99 of a delivery is at most", percentiles[98], P99_SECONDS, operator.le),
        ("lost messages are at most", lost, 0, operator.le),
        ("clients with a message twice or out of order are at most", wrong, 0, operator.le),
    ]
    return 0 if check_targets(targets) or not arguments.check else 1


if __name__ == "__main__":
    sys.exit(main())
