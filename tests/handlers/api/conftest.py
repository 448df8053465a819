"""The API's function in this process, on moto's DynamoDB; a client that holds every answer to openapi.json."""

import itertools
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import fastjsonschema
import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws
from moto.core.models import botocore_stubber

from api.contract import OPENAPI

TABLE = "notes"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "NOTES_TABLE": TABLE,
    "ALLOWED_ORIGIN": "*",
    "POWERTOOLS_SERVICE_NAME": "test-api",
    "POWERTOOLS_TRACE_DISABLED": "true",
}
CONTEXT = SimpleNamespace(
    function_name="test", memory_limit_in_mb=512, invoked_function_arn="arn:test", aws_request_id="request"
)
HEALTH, NOTES = "/v1/health", "/v1/notes"


@pytest.fixture(scope="session")
def function() -> Iterator[ModuleType]:
    """The handler's module, imported as Lambda imports it."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(ENVIRONMENT)
    from api import handler  # noqa: PLC0415 - it reads its environment when imported

    yield handler
    os.environ.clear()
    os.environ.update(before)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the client gets."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text, parse_float=Decimal)

    @property
    def etag(self) -> str:
        return self.headers["etag"]

    @property
    def pointers(self) -> list[str]:
        """Where a body is wrong, as a problem tells it."""
        return [error["pointer"] for error in self.json["errors"]]


@cache
def _validator(schema: str) -> Callable[[Any], Any]:
    document = {**json.loads(schema), "components": OPENAPI["components"]}
    return fastjsonschema.compile(document)


def resolved(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a `$ref` stands for."""
    found: Any = document
    if "$ref" in document:
        found = OPENAPI
        for part in document["$ref"].removeprefix("#/").split("/"):
            found = found[part]
    return found  # type: ignore[no-any-return]


def operation(method: str, path: str) -> Mapping[str, Any] | None:
    """What the OpenAPI document says of a method of a path; API Gateway makes no difference of a slash at its end."""
    for template, item in OPENAPI["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path.removesuffix("/")):
            return item.get(method.lower())  # type: ignore[no-any-return]
    return None


def require_documented(method: str, path: str, answer: Answer) -> None:
    """Fail unless the answer is one that the OpenAPI document announces."""
    described = operation(method, path)
    if described is None:
        assert answer.status in (404, 405), "neither documented nor refused"
        response = OPENAPI["components"]["responses"]["NotFound"]
    else:
        responses = described["responses"]
        found = responses.get(str(answer.status)) or responses.get(f"{answer.status // 100}XX")
        assert found, f"{method} {path}: {answer.status} is not documented: {answer.text}"
        response = resolved(found)
    content = response.get("content")
    if content is None:
        assert answer.text == ""
        assert "content-type" not in answer.headers
        return
    assert answer.headers["content-type"] in content
    _validator(json.dumps(content[answer.headers["content-type"]]["schema"]))(answer.json)


_requests = itertools.count(1)


def event(
    method: str,
    path: str,
    body: str | None = None,
    *,
    headers: Mapping[str, str | Sequence[str]] | None = None,
    query: Mapping[str, str | Sequence[str]] | None = None,
    api_key: str | None = "key-1",
    base64: bool = False,
) -> dict[str, Any]:
    """What API Gateway makes of a request: a proxy event of version 1.0."""
    lines = {name: [value] if isinstance(value, str) else [*value] for name, value in (headers or {}).items()}
    given = {name: [value] if isinstance(value, str) else [*value] for name, value in (query or {}).items()}
    return {
        "resource": re.sub(rf"^{NOTES}/.+", f"{NOTES}/{{note_id}}", path),
        "path": path,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in lines.items()} or None,
        "multiValueHeaders": lines or None,
        "queryStringParameters": {name: values[-1] for name, values in given.items()} or None,
        "multiValueQueryStringParameters": given or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "requestId": f"request-{next(_requests)}",
            "stage": "live",
            "path": f"/live{path}",
            "resourcePath": path,
            "httpMethod": method,
            "identity": {"apiKeyId": api_key, "sourceIp": "192.0.2.1"},
        },
        "body": body,
        "isBase64Encoded": base64,
    }


@cache
def _client() -> Any:
    return boto3.client("dynamodb")


@dataclass
class World:
    """The table, the function, and the clients' requests."""

    function: ModuleType
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    """What the function has asked of DynamoDB: operation and parameters."""
    fails: bool = False
    """Whether something is broken, so that answers may be 5xx."""

    def __post_init__(self) -> None:
        self.dynamodb: Any = _client()
        self._one_at_a_time = threading.RLock()  # as Lambda does in a process
        # As in stacks/api.py; the local deployment shows that they agree.
        self.dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("id", "collection", "created")
            ],
            BillingMode="PAY_PER_REQUEST",
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "newest",
                    "KeySchema": [
                        {"AttributeName": "collection", "KeyType": "HASH"},
                        {"AttributeName": "created", "KeyType": "RANGE"},
                    ],
                    "Projection": {
                        "ProjectionType": "INCLUDE",
                        "NonKeyAttributes": ["title", "tags", "created_at", "updated_at", "version"],
                    },
                }
            ],
        )

    def send(self, method: str, path: str, body: Any = None, **request: Any) -> Answer:
        """Ask, and get the answer; a body that is no text is sent as its JSON."""
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        asked = event(method, path, text, **request)
        with self._one_at_a_time:
            got = self.function.handler(asked, CONTEXT)
        assert got["isBase64Encoded"] is False
        names = [name.lower() for name in got["multiValueHeaders"]]
        assert len(names) == len(set(names))
        answer = Answer(
            status=got["statusCode"],
            headers={name.lower(): ", ".join(values) for name, values in got["multiValueHeaders"].items()},
            text=got["body"],
        )
        json.dumps(got).encode()  # as Lambda does
        if method != "OPTIONS":
            require_documented(method, path, answer)
        assert answer.status < 500 or self.fails, answer.text
        if answer.status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json["status"] == answer.status
            assert answer.json["request_id"] == asked["requestContext"]["requestId"]
        return answer

    def create(self, note: Any = None, *, key: str | None = None, **request: Any) -> Answer:
        """Ask for a new note, by default one with a title alone."""
        headers = {"Content-Type": "application/json", **({} if key is None else {"Idempotency-Key": key})}
        return self.send("POST", NOTES, {"title": "A"} if note is None else note, headers=headers, **request)

    def created(self, note: Any = None, **request: Any) -> Any:
        """A new note, as it was answered."""
        answer = self.create(note, **request)
        assert answer.status == 201, answer.text
        return answer.json

    def read(self, note_id: str, **headers: str) -> Answer:
        return self.send("GET", f"{NOTES}/{note_id}", headers=_spelt(headers))

    def replace(self, note_id: str, note: Any, **headers: str | Sequence[str]) -> Answer:
        return self.send("PUT", f"{NOTES}/{note_id}", note, headers=_spelt(headers))

    def patch(self, note_id: str, patch: Any, **headers: str | Sequence[str]) -> Answer:
        content = {"Content-Type": "application/merge-patch+json"}
        return self.send("PATCH", f"{NOTES}/{note_id}", patch, headers={**content, **_spelt(headers)})

    def delete(self, note_id: str, **headers: str | Sequence[str]) -> Answer:
        return self.send("DELETE", f"{NOTES}/{note_id}", headers=_spelt(headers))

    def page(self, **query: str | Sequence[str]) -> Answer:
        return self.send("GET", NOTES, query=query)

    def pages(self, limit: int) -> Iterator[list[str]]:
        """The ids of every page, the next asked for when it is wanted."""
        answer = self.page(limit=str(limit)).json
        yield [note["id"] for note in answer["notes"]]
        while answer["next_cursor"]:
            answer = self.page(limit=str(limit), cursor=answer["next_cursor"]).json
            yield [note["id"] for note in answer["notes"]]

    def items(self) -> list[Any]:
        """Everything in the table."""
        found: list[Any] = self.dynamodb.scan(TableName=TABLE)["Items"]
        return sorted(found, key=lambda item: item["id"]["S"])

    def note_ids(self) -> set[str]:
        """The ids of the notes in the table."""
        return {item["id"]["S"] for item in self.items() if "collection" in item}

    def operations(self) -> list[str]:
        """What has been asked of DynamoDB since the last time this was asked."""
        asked = [name for name, _ in self.calls]
        self.calls.clear()
        return asked

    @contextmanager
    def interposed(self, operation: str, answer: Callable[[Callable[[], Any]], Any]) -> Iterator[None]:
        """DynamoDB's answers to an operation come from `answer`, which is given what asks the table."""
        events = self.function.routes.store._dynamodb.meta.events

        def before_send(event_name: str, request: Any, **_: Any) -> Any:
            def ask() -> Any:
                return botocore_stubber(event_name, request)

            return answer(ask) if event_name.endswith(f".{operation}") else ask()

        events.unregister("before-send", botocore_stubber)
        events.register("before-send", before_send)
        self.fails = True
        try:
            yield
        finally:
            events.unregister("before-send", before_send)
            events.register("before-send", botocore_stubber)
            self.fails = False


def _spelt(headers: Mapping[str, str | Sequence[str]]) -> Mapping[str, str | Sequence[str]]:
    return {name.replace("_", "-"): value for name, value in headers.items()}  # If_Match=... is If-Match


class _Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Iterator[bytes]:
        yield self._data


def aws_response(status: int, document: Mapping[str, Any]) -> AWSResponse:
    """What DynamoDB sends."""
    headers = {"content-type": "application/x-amz-json-1.0"}
    return AWSResponse("https://dynamodb", status, headers, _Body(json.dumps(document).encode()))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """moto. Not for each test, for it takes ten times as long to start as a table takes to make."""
    with mock_aws():
        yield


@contextmanager
def new_world(function: ModuleType) -> Iterator[World]:
    """A table of its own, for each example of a hypothesis."""
    events, name = function.routes.store._dynamodb.meta.events, "provide-client-params.dynamodb"
    world = World(function)

    def record(params: Mapping[str, Any], model: Any, **_: Any) -> None:
        world.calls.append((model.name, dict(params)))

    events.register(name, record)
    try:
        yield world
    finally:
        events.unregister(name, record)
        world.dynamodb.delete_table(TableName=TABLE)


@pytest.fixture
def world(function: ModuleType, aws: None) -> Iterator[World]:  # noqa: ARG001 - under it
    with new_world(function) as world:
        yield world
