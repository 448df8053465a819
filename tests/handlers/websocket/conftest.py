"""Fixtures that run the functions of the board in this process. The library moto imitates DynamoDB."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from tests.handlers.dynamodb import clear_tables, tables
from tests.handlers.lambda_function import CONTEXT, imported_module

KEYS = {"tickets": ("ticket",), "connections": ("room", "connection_id"), "messages": ("room", "key")}
"""The tables, and the attributes in their keys."""
ENVIRONMENT = {
    **{f"{table.upper()}_TABLE": table for table in KEYS},
    "API_URL": "wss://api.example.com/live",
    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": "http://127.0.0.1:1/live",
    "POWERTOOLS_SERVICE_NAME": "test-websocket",
}
CONNECT_ARN = "arn:aws:execute-api:us-east-1:000000000000:a1/live/$connect"


@pytest.fixture(scope="session")
def modules() -> Iterator[SimpleNamespace]:
    """The modules with the handlers of the four functions."""
    names = ("authorizer", "broadcast", "handler", "tickets")
    with ExitStack() as stack:
        yield SimpleNamespace(
            **{name: stack.enter_context(imported_module(f"websocket.{name}", ENVIRONMENT)) for name in names}
        )


class Board:
    """The tables, and ways to call the functions as AWS does."""

    def __init__(self, modules: SimpleNamespace, dynamodb: Any) -> None:
        self.modules = modules
        self.dynamodb = dynamodb

    def issue(self, user: Any = "ada", room: Any = "lobby") -> str:
        """Return a ticket."""
        url: str = self.modules.tickets.handler({"user": user, "room": room}, CONTEXT)["url"]
        return url.removeprefix("wss://api.example.com/live?ticket=")

    def authorize(self, ticket: str | None) -> dict[str, Any]:
        """Return what the authorizer answers to a connection with this ticket."""
        query = None if ticket is None else {"ticket": ticket}
        answer: dict[str, Any] = self.modules.authorizer.handler(
            {"methodArn": CONNECT_ARN, "queryStringParameters": query}, CONTEXT
        )
        return answer

    def message(self, body: str, *, connection: str = "c1", user: str = "ada", room: str = "lobby") -> Any:
        """Return the answer to the text of a message."""
        return json.loads(self.event("MESSAGE", "$default", body=body, connection=connection, user=user, room=room))

    def send(self, text: str, message_id: str, **options: str) -> Any:
        return self.message(json.dumps({"action": "send", "id": message_id, "text": text}), **options)

    def resume(self, after: int | None = None, **options: str) -> Any:
        return self.message(json.dumps({"action": "resume", "after": after}), **options)

    def event(  # noqa: PLR0917
        self, kind: str, route: str, body: str = "", connection: str = "c1", user: str = "ada", room: str = "lobby"
    ) -> str:
        """Return the body of the answer to an event of API Gateway."""
        context = {
            "routeKey": route,
            "eventType": kind,
            "connectionId": connection,
            "authorizer": {"user": user, "room": room},
        }
        answer = self.modules.handler.handler({"requestContext": context, "body": body}, CONTEXT)
        assert answer["statusCode"] == 200
        text: str = answer["body"]
        return text

    def connections(self) -> set[tuple[str, str]]:
        """Return the room and the id of each stored connection."""
        items = self.dynamodb.scan(TableName="connections")["Items"]
        return {(item["room"]["S"], item["connection_id"]["S"]) for item in items}


@pytest.fixture(scope="module")
def dynamodb(modules: SimpleNamespace) -> Iterator[Any]:  # noqa: ARG001 - the modules set the environment of AWS
    with tables(KEYS) as client:
        yield client


@pytest.fixture
def board(modules: SimpleNamespace, dynamodb: Any) -> Board:
    """Return the board with empty tables."""
    clear_tables()
    return Board(modules, dynamodb)
