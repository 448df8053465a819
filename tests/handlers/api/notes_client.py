"""A client that sends events of API Gateway to the function, and checks that every answer fits openapi.json."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID, botocore_stubber

from tests.handlers.api.answer_checks import documented_path, require_documented

TABLE = "notes"
CONTEXT = SimpleNamespace(
    function_name="test", memory_limit_in_mb=512, invoked_function_arn="arn:test", aws_request_id="request"
)
HEALTH, NOTES, OWN_NOTES, EXPORT = "/v1/health", "/v1/notes", "/v2/notes", "/v2/export"
"""The paths of the health check, of the notes in both versions, and of the export."""
Headers = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An HTTP answer. The names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text, parse_float=Decimal)

    @property
    def etag(self) -> str:
        return self.headers["etag"]

    @property
    def pointers(self) -> list[str]:
        """The JSON pointer of each fault in a problem document."""
        return [error["pointer"] for error in self.json["errors"]]


_request_numbers = itertools.count(1)


def _as_lists(values: Headers | None) -> dict[str, list[str]]:
    return {name: [value] if isinstance(value, str) else [*value] for name, value in (values or {}).items()}


def event(
    method: str,
    path: str,
    body: str | None = None,
    *,
    headers: Headers | None = None,
    query: Headers | None = None,
    api_key: str | None = "key-1",
    claims: Mapping[str, str] | None = None,
    base64: bool = False,
    base_path: str | None = None,
) -> dict[str, Any]:
    """Return the event (payload version 1.0) that API Gateway sends to the function for a request.

    `base_path` is the base path of a custom domain, such as "/shop", or "" for an empty base path. By default, the
    request is for the address that AWS gave to the stage. `claims` are the claims of a verified ID token.
    """
    resource = documented_path(path)
    header_lists, query_lists = _as_lists(headers), _as_lists(query)
    return {
        **({"resource": resource} if resource else {}),  # API Gateway itself refuses other paths
        "path": f"{base_path or ''}{path}",
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in header_lists.items()} or None,
        "multiValueHeaders": header_lists or None,
        "queryStringParameters": {name: values[-1] for name, values in query_lists.items()} or None,
        "multiValueQueryStringParameters": query_lists or None,
        "requestContext": {
            "requestId": f"request-{next(_request_numbers)}",
            "resourcePath": resource,
            "stage": "live",
            "path": f"{'/live' if base_path is None else base_path}{path}",
            "identity": {"apiKeyId": None if claims else api_key, "sourceIp": "192.0.2.1"},
            **({"authorizer": {"claims": claims}} if claims else {}),
        },
        "body": body,
        "isBase64Encoded": base64,
    }


@cache
def _dynamodb() -> Any:
    return boto3.client("dynamodb")


@cache
def _empty_table(*, own_notes: bool) -> Any:
    """Return moto's object of a new table. The tests use it again and again, because its creation takes long."""
    # The tables are the same as in stacks/api.py. The tests of the deployed API would fail if they were different.
    partition = "owner" if own_notes else "collection"
    index = {
        "IndexName": "newest",
        "KeySchema": _key_schema(partition, "created"),
        "Projection": {
            "ProjectionType": "INCLUDE",
            "NonKeyAttributes": ["title", "tags", "created_at", "updated_at", "version"],
        },
    }
    _dynamodb().create_table(
        TableName=TABLE,
        KeySchema=_key_schema("owner", "id") if own_notes else _key_schema("id"),
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("id", partition, "created")],
        BillingMode="PAY_PER_REQUEST",
        **{"LocalSecondaryIndexes" if own_notes else "GlobalSecondaryIndexes": [index]},
    )
    return _tables().pop(TABLE)


def _tables() -> Any:
    """Return moto's tables by name."""
    return get_backend("dynamodb")[DEFAULT_ACCOUNT_ID]["us-east-1"].tables


def _key_schema(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


class Client:
    """A client of the API. The client can also read the table and the function's calls to DynamoDB.

    Headers are keyword arguments: If_Match="*" sends `If-Match: *`.
    """

    def __init__(self, function: ModuleType, *, person: str | None = None) -> None:
        """`person` is the person who signed in to version 2. With None, the client uses version 1."""
        self.function = function
        self.person = person
        self.notes_path = OWN_NOTES if person else NOTES
        self.claims = {"sub": person, "token_use": "id"} if person else None
        self.store = function.routes.store.of(person) if person else function.routes.store
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        """Operation and parameters of each call to DynamoDB."""
        self.expects_failure = False
        """Whether an answer may have a 5xx status."""

    def send(self, method: str, path: str, body: Any = None, **request: Any) -> Answer:
        """Send a request and return the answer. A body that is not text is sent as JSON.

        Fails if the answer is not documented, or if its status is an unexpected 5xx.
        """
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        claims = self.claims if path.startswith("/v2/") else None
        request_event = event(method, path, text, **{"claims": claims, **request})
        response = self.function.handler(request_event, CONTEXT)
        json.dumps(response).encode()  # Lambda does the same
        assert response["isBase64Encoded"] is False
        headers = {name.lower(): ", ".join(values) for name, values in response["multiValueHeaders"].items()}
        assert len(headers) == len(response["multiValueHeaders"]), "a header has two spellings"
        answer = Answer(status=response["statusCode"], headers=headers, text=response["body"])
        if method != "OPTIONS":
            require_documented(method, path, answer.status, answer.headers, answer.text)
        assert answer.status < 500 or self.expects_failure, answer.text
        if answer.status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json["status"] == answer.status
            assert answer.json["request_id"] == request_event["requestContext"]["requestId"]
        return answer

    def create(self, note: Any = None, *, key: str | None = None, **request: Any) -> Answer:
        """Send a request that creates a note. `key` is the Idempotency-Key. By default, the note has only a title."""
        headers = {"Content-Type": "application/json", **({} if key is None else {"Idempotency-Key": key})}
        return self.send("POST", self.notes_path, {"title": "A"} if note is None else note, headers=headers, **request)

    def new_note(self, note: Any = None, **request: Any) -> Any:
        """Create a note and return its JSON."""
        answer = self.create(note, **request)
        assert answer.status == 201, answer.text
        return answer.json

    def new_id(self) -> str:
        """Create a note and return its id."""
        return str(self.new_note()["id"])

    def read(self, note_id: str, **headers: str) -> Answer:
        return self.send("GET", f"{self.notes_path}/{note_id}", headers=_with_hyphens(headers))

    def replace(self, note_id: str, note: Any, **headers: str | Sequence[str]) -> Answer:
        return self.send("PUT", f"{self.notes_path}/{note_id}", note, headers=_with_hyphens(headers))

    def patch(self, note_id: str, patch: Any, **headers: str | Sequence[str]) -> Answer:
        content = {"Content-Type": "application/merge-patch+json"}
        return self.send("PATCH", f"{self.notes_path}/{note_id}", patch, headers={**content, **_with_hyphens(headers)})

    def delete(self, note_id: str, **headers: str | Sequence[str]) -> Answer:
        return self.send("DELETE", f"{self.notes_path}/{note_id}", headers=_with_hyphens(headers))

    def page(self, **query: str | Sequence[str]) -> Answer:
        """Request a page of the list of notes. The keyword arguments are the parameters, such as `limit`."""
        return self.send("GET", self.notes_path, query=query)

    def pages(self, limit: int) -> Iterator[list[str]]:
        """Yield the ids of each page. The client requests the next page only when the test needs it."""
        cursor: dict[str, str] = {}
        while True:
            page = self.page(limit=str(limit), **cursor).json
            yield [note["id"] for note in page["notes"]]
            if not page["next_cursor"]:
                return
            cursor = {"cursor": page["next_cursor"]}

    def as_person(self, person: str) -> "Client":
        """Return a client of another person, with the same table."""
        return Client(self.function, person=person)

    def items(self) -> list[Any]:
        """Return all items of the table, sorted by id."""
        items: list[Any] = _dynamodb().scan(TableName=TABLE)["Items"]
        return sorted(items, key=lambda item: item["id"]["S"])

    def idempotency_records(self) -> list[Any]:
        """Return the items that store Idempotency-Keys. Such an item has no attribute `created`."""
        return [item for item in self.items() if "created" not in item]

    def note_ids(self) -> set[str]:
        """Return the ids of the notes in the table."""
        return {item["id"]["S"] for item in self.items() if "created" in item}

    @contextmanager
    def dynamodb_answers(self, operation: str, respond: Callable[[Callable[[], Any]], Any]) -> Iterator[None]:
        """Call `respond` for each request with this operation of DynamoDB, and use the answer that it returns.

        `respond` gets a function that sends the request to the table and returns the real answer.
        """
        events = self.store._dynamodb.meta.events

        def before_send(event_name: str, request: Any, **_: Any) -> Any:
            def call_table() -> Any:
                return botocore_stubber(event_name, request)

            return respond(call_table) if event_name.endswith(f".{operation}") else call_table()

        events.unregister("before-send", botocore_stubber)
        events.register("before-send", before_send)
        self.expects_failure = True
        try:
            yield
        finally:
            events.unregister("before-send", before_send)
            events.register("before-send", botocore_stubber)
            self.expects_failure = False


def _with_hyphens(headers: Headers) -> Headers:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def aws_response(status: int, document: Mapping[str, Any]) -> AWSResponse:
    """Return an answer in the format of DynamoDB."""
    body: Any = SimpleNamespace(stream=lambda: iter([json.dumps(document).encode()]))
    headers: Any = {"content-type": "application/x-amz-json-1.0"}
    return AWSResponse("https://dynamodb", status, headers, body)


@contextmanager
def new_client(function: ModuleType, *, person: str | None = None) -> Iterator[Client]:
    """Yield a client with an empty table. Some hypothesis tests need an empty table for each example.

    `person` is the person who signed in to version 2. With None, the client uses version 1.
    """
    client = Client(function, person=person)
    table = _tables()[TABLE] = _empty_table(own_notes=person is not None)

    def record(params: Mapping[str, Any], model: Any, **_: Any) -> None:
        client.calls.append((model.name, dict(params)))

    events, name = client.store._dynamodb.meta.events, "provide-client-params.dynamodb"
    events.register(name, record)
    try:
        yield client
    finally:
        events.unregister(name, record)
        table.items.clear()
        del _tables()[TABLE]
