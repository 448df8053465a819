"""Tests of paths, methods and headers, of the answers when AWS or the code fails, and of the log."""

import io
import json
from collections.abc import Callable
from itertools import product
from types import ModuleType
from typing import Any
from urllib.parse import urljoin

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from api.openapi import OPENAPI
from tests.handlers.api.answer_checks import documented_operation
from tests.handlers.api.conftest import ONE_TABLE_FOR_ALL_EXAMPLES
from tests.handlers.api.notes_client import EXPORT, HEALTH, NOTES, Answer, Client, aws_response
from tests.support.fast import first_are_fast

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND")
NOTE_ID = "00000000-0000-4000-8000-000000000000"
NOTE = f"{NOTES}/{NOTE_ID}"

# -- paths and methods


@pytest.mark.parametrize(
    ("method", "path"),
    [pair for pair in product(METHODS, (HEALTH, NOTES, NOTE)) if documented_operation(*pair) is None],
)
def test_a_method_that_a_path_does_not_have_gets_405_and_the_allowed_methods(
    client: Client, method: str, path: str
) -> None:
    documented = {name for name in METHODS if documented_operation(name, path)}
    for spelling in (path, f"{path}/"):
        answer = client.send(method, spelling)
        assert answer.status == 405
        assert set(answer.headers["allow"].split(", ")) == documented | {"OPTIONS"}
    assert client.calls == []


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/v1",
        "/v1/",
        "/v3/notes",
        "/v2",
        "/v2/health",
        "/notes",
        "/v1/notesx",
        "/v1/Notes",
        "/v1//notes",
        f"{NOTE}/x",
        f"{NOTE}//",
    ],
)
def test_an_unknown_path_gets_404(client: Client, method: str, path: str) -> None:
    answer = client.send(method, path)
    assert answer.status == 404
    assert "allow" not in answer.headers


def test_a_slash_at_the_end_of_a_path_makes_no_difference(client: Client) -> None:
    """API Gateway treats both paths as the same resource."""
    note_id = client.new_id()
    assert client.send("GET", f"{client.notes_path}/").json["notes"][0]["id"] == note_id
    assert client.send("GET", f"{client.notes_path}/{note_id}/").status == 200
    created = client.send("POST", f"{client.notes_path}/", {"title": "A"})
    assert urljoin(f"{client.notes_path}/", created.headers["location"]) == f"{client.notes_path}/{created.json['id']}"


BASE_PATHS = ["", "/shop", "/a/b", "/live", "/shop/live", "/v1", "/v1/notes", "/caf%C3%A9", "/line\nbreak"]
"""Base paths of custom domains. If a mapping names no stage, the URL contains the stage, too (`live`)."""


@pytest.mark.parametrize("base_path", BASE_PATHS)
def test_every_operation_works_below_the_base_path_of_a_custom_domain(client: Client, base_path: str) -> None:
    assert client.send("GET", HEALTH, base_path=base_path).status == 200
    created = client.create(base_path=base_path)
    assert created.status == 201
    note = f"{client.notes_path}/{created.json['id']}"
    for path in (note, f"{note}/"):
        assert client.send("GET", path, base_path=base_path).text == created.text
    assert client.send("GET", client.notes_path, base_path=base_path).json["notes"][0]["id"] == created.json["id"]
    assert client.send("DELETE", note, base_path=base_path).status == 204


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize("base_path", BASE_PATHS[:-1])
def test_the_location_of_a_new_note_contains_the_base_path(client: Client, base_path: str, end: str) -> None:
    path = f"{client.notes_path}{end}"
    created = client.send("POST", path, {"title": "A"}, base_path=base_path)
    location = urljoin(f"https://api.example.com{base_path}{path}", created.headers["location"])
    assert location == f"https://api.example.com{base_path}{client.notes_path}/{created.json['id']}"


@pytest.mark.parametrize("base_path", BASE_PATHS)
def test_a_wrong_method_below_a_base_path_gets_405(client: Client, base_path: str) -> None:
    answer = client.send("PUT", client.notes_path, base_path=base_path)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST, OPTIONS")


def test_the_health_check_does_not_call_aws(client: Client) -> None:
    with client.dynamodb_answers("*", lambda _: pytest.fail("AWS was called")):
        answer = client.send("GET", HEALTH)
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    assert client.calls == []


# -- headers


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key", "IDEMPOTENCY-KEY"])
def test_the_case_of_a_header_name_makes_no_difference(client: Client, name: str) -> None:
    first = client.send("POST", client.notes_path, {"title": "A"}, headers={name: "once"})
    assert client.create(key="once").text == first.text


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [("Content-Type", "application/json", "text/plain"), ("Idempotency-Key", "a", "b")],
)
def test_a_header_with_two_different_values_gets_400(client: Client, name: str, first: str, second: str) -> None:
    for headers in ({name: [first, second, first]}, {name: first, name.lower(): second}):
        answer = client.send("POST", client.notes_path, {"title": "A"}, headers=headers)
        assert answer.status == 400
        assert answer.json["detail"] == f"{name} has 2 different values. Send it once."
    assert client.items() == []


# -- random headers, queries and paths: Client.send fails if an answer is not documented or has a 5xx status

FRAGMENTS = (
    *('"1"', "*", "application/json", "charset*0=a", "charset*=b", ";", ",", "W/", '"', "\0", "\n", "=", "%00''"),
    "9" * 5000,
)
HEADER_VALUES = st.text(st.characters(max_codepoint=255), max_size=40) | st.sampled_from(FRAGMENTS)
HEADER_NAMES = (
    *("Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "Origin", "Accept", "X-Api-Key"),
    "Content-Length",
)


@pytest.mark.slow
@ONE_TABLE_FOR_ALL_EXAMPLES
@given(
    headers=st.dictionaries(
        st.sampled_from(HEADER_NAMES), st.lists(st.lists(HEADER_VALUES, max_size=4).map("".join), min_size=1)
    ),
    query=st.dictionaries(st.sampled_from(("limit", "cursor", "x")), st.lists(st.text(max_size=40), min_size=1)),
)
def test_any_headers_and_query_get_a_documented_answer(
    client: Client, headers: dict[str, list[str]], query: dict[str, list[str]]
) -> None:
    note_id = client.new_id()
    version = client.notes_path.removesuffix("notes")
    paths = {path: item for path, item in OPENAPI["paths"].items() if path.startswith(version) and path != EXPORT}
    for path, item in paths.items():
        for method in item.keys() & {"get", "put", "post", "patch", "delete"}:
            body = '{"title":"A"}' if method in ("put", "post", "patch") else None
            client.send(method.upper(), path.replace("{note_id}", note_id), body, headers=headers, query=query)


@ONE_TABLE_FOR_ALL_EXAMPLES
@given(path=st.text(max_size=40))
def test_any_path_gets_a_documented_answer(client: Client, path: str) -> None:
    client.send("GET", f"{client.notes_path}/x{path}")


@pytest.mark.parametrize("path", [HEALTH, NOTES, NOTE])
def test_a_request_without_headers_and_query_is_answered(client: Client, path: str) -> None:
    path = path.replace(NOTES, client.notes_path)
    assert client.send("GET", path, headers=None, query=None).status in (200, 404)


def test_shared_caches_are_not_allowed_to_store_notes(client: Client) -> None:
    created = client.create()
    note = f"{client.notes_path}/{created.json['id']}"
    for answer in (created, client.page(), client.send("GET", note, headers={"If-None-Match": "*"})):
        assert answer.headers["cache-control"] == "private, no-cache"


# -- requests that a browser sends for the page of another site (CORS)

SendWithOrigin = Callable[[Client, dict[str, str]], Answer]
# Expected status, and a function that sends the request.
CROSS_SITE_REQUESTS: list[tuple[int, SendWithOrigin]] = [
    (201, lambda client, origin: client.send("POST", client.notes_path, {"title": "A"}, headers=origin)),
    (200, lambda client, origin: client.send("GET", client.notes_path, headers=origin)),
    (204, lambda client, origin: client.send("DELETE", f"{client.notes_path}/{client.new_id()}", headers=origin)),
    (304, lambda client, origin: client.read(client.new_id(), **origin, If_None_Match="*")),
    (400, lambda client, origin: client.send("GET", client.notes_path, headers=origin, query={"limit": "x"})),
    (404, lambda client, origin: client.read(NOTE_ID, **origin)),
    (404, lambda client, origin: client.send("GET", "/x", headers=origin)),
    (405, lambda client, origin: client.send("DELETE", client.notes_path, headers=origin)),
    (422, lambda client, origin: client.send("POST", client.notes_path, "x", headers=origin)),
]


@pytest.mark.parametrize(("status", "send"), CROSS_SITE_REQUESTS)
def test_the_page_of_another_site_can_read_every_answer(client: Client, status: int, send: SendWithOrigin) -> None:
    answer = send(client, {"Origin": "https://example.com"})
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = {name.lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {"etag", "location", "retry-after", "idempotency-replayed"} <= exposed


# -- failures of AWS


def error_answer(code: str, status: int) -> Callable[..., Any]:
    """Return a function that answers with this error of DynamoDB."""
    return lambda _: aws_response(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "secret"})


def fail_to_connect(_: Any) -> Any:
    raise EndpointConnectionError(endpoint_url="https://secret")


FAILURES = {
    "throttled": error_answer("ThrottlingException", 400),
    "no connection": fail_to_connect,
    "over the throughput": error_answer("ProvisionedThroughputExceededException", 400),
    "server error": error_answer("InternalServerError", 500),
    "access denied": error_answer("AccessDeniedException", 400),
    "no table": error_answer("ResourceNotFoundException", 400),
    "invalid": error_answer("ValidationException", 400),
    "conflict": error_answer("TransactionConflictException", 400),
}
# Each key names a request. The value is the DynamoDB operation that fails, and a function that sends the request.
TABLE_REQUESTS: dict[str, tuple[str, Callable[[Client, str], Answer]]] = {
    "create": ("PutItem", lambda client, _: client.create()),
    "create once": ("TransactWriteItems", lambda client, _: client.create(key="once")),
    "list": ("Query", lambda client, _: client.page()),
    "read": ("GetItem", lambda client, note_id: client.read(note_id)),
    "replace": ("UpdateItem", lambda client, note_id: client.replace(note_id, {"title": "B"}, If_Match="*")),
    "patch, read": ("GetItem", lambda client, note_id: client.patch(note_id, {"title": "B"}, If_Match="*")),
    "patch, write": ("UpdateItem", lambda client, note_id: client.patch(note_id, {"title": "B"}, If_Match="*")),
    "delete": ("DeleteItem", lambda client, note_id: client.delete(note_id)),
}


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("fail", first_are_fast(2, FAILURES.values()), ids=FAILURES)
@pytest.mark.parametrize(("operation", "send"), TABLE_REQUESTS.values(), ids=TABLE_REQUESTS)
def test_a_failure_of_aws_gets_503_and_writes_nothing(
    client: Client, operation: str, send: Callable[[Client, str], Answer], fail: Callable[..., Any]
) -> None:
    note_id = client.new_id()
    before = client.items()
    with client.dynamodb_answers(operation, fail):
        answer = send(client, note_id)
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "secret" not in answer.text
    assert client.items() == before
    assert send(client, note_id).status < 300


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("failure", ["throttled", "server error", "no connection"])
def test_a_failed_attempt_is_repeated_once(client: Client, failure: str) -> None:
    note_id, attempts = client.new_id(), []

    def fail_once(call_table: Callable[[], Any]) -> Any:
        attempts.append(1)
        return FAILURES[failure](call_table) if len(attempts) < 2 else call_table()

    with client.dynamodb_answers("GetItem", fail_once):
        assert client.read(note_id).status == 200
    assert len(attempts) == 2


def send_with_lost_answer(client: Client, operation: str, send: Callable[[], Answer]) -> Answer:
    """Send a request whose first DynamoDB answer gets lost after the operation. Return the API's answer."""
    attempts = []

    def lose_first_answer(call_table: Callable[[], Any]) -> Any:
        response = call_table()
        attempts.append(1)
        if len(attempts) == 1:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        return response

    with client.dynamodb_answers(operation, lose_first_answer):
        return send()


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize(("operation", "key"), [("PutItem", None), ("TransactWriteItems", "once")])
def test_one_note_is_created_although_the_answer_of_dynamodb_is_lost(
    client: Client, operation: str, key: str | None
) -> None:
    answer = send_with_lost_answer(client, operation, lambda: client.create(key=key))
    assert answer.status == 201
    assert client.note_ids() == {answer.json["id"]}


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize(
    ("method", "if_match"),
    [
        # PUT with `*` is missing, because such a request may replace the note twice with the same content.
        *(("PUT", '"1"'), ("PATCH", '"1"'), ("PATCH", "*")),
    ],
)
def test_a_note_is_changed_once_although_the_answer_of_dynamodb_is_lost(
    client: Client, method: str, if_match: str
) -> None:
    path = f"{client.notes_path}/{client.new_id()}"
    answer = send_with_lost_answer(
        client, "UpdateItem", lambda: client.send(method, path, {"title": "new"}, headers={"If-Match": if_match})
    )
    assert (answer.status, answer.json["title"], answer.json["version"]) == (200, "new", 2)


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("headers", [{"If_Match": '"1"'}, {}], ids=["If-Match", "any version"])
def test_a_deletion_gets_204_although_the_answer_of_dynamodb_is_lost(client: Client, headers: dict[str, str]) -> None:
    note_id = client.new_id()
    answer = send_with_lost_answer(client, "DeleteItem", lambda: client.delete(note_id, **headers))
    assert answer.status == 204
    assert client.delete(note_id, **headers).status == 404


# -- the log


@pytest.fixture
def log(function: ModuleType, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """The text that the function writes to its log."""
    log = io.StringIO()
    monkeypatch.setattr(function.logger.registered_handler, "stream", log)
    return log


def only_line(log: io.StringIO) -> Any:
    """Return the JSON of the log, which must have exactly one line."""
    (line,) = log.getvalue().splitlines()
    return json.loads(line)


def test_a_bug_gets_500_and_its_log_line_has_the_same_request_id(
    client: Client, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    def buggy_read(*_: Any) -> Any:
        raise KeyError("only for the log")

    client.expects_failure = True
    monkeypatch.setattr(type(client.store), "read", buggy_read)
    answer = client.read("00000000-0000-4000-8000-000000000000")
    assert answer.status == 500
    assert "only for the log" not in answer.text
    line = only_line(log)
    assert (line["level"], line["message"]) == ("ERROR", "unexpected error")
    assert line["correlation_id"] == answer.json["request_id"]
    assert "only for the log" in line["exception"]
    assert "in buggy_read" in line["exception"], "the log must have the traceback"


@pytest.mark.usefixtures("no_waiting")
def test_a_failure_of_aws_is_logged_as_an_error(client: Client, log: io.StringIO) -> None:
    with client.dynamodb_answers("Query", FAILURES["throttled"]):
        answer = client.page()
    line = only_line(log)
    assert (line["level"], line["message"]) == ("ERROR", "AWS failed")
    assert line["correlation_id"] == answer.json["request_id"]
    assert "ThrottlingException" in line["exception"]


def test_a_refused_request_is_logged_as_info(client: Client, log: io.StringIO) -> None:
    answer = client.page(limit="x")
    line = only_line(log)
    assert (line["level"], line["message"], line["status"]) == ("INFO", "request refused", 400)
    assert line["correlation_id"] == answer.json["request_id"]


def test_the_log_contains_no_content_of_notes_and_no_idempotency_key(client: Client, log: io.StringIO) -> None:
    note = {"title": "private", "body": "private", "tags": ["private"]}
    note_id = client.new_note(note, key="private")["id"]
    client.create({**note, "title": "x"}, key="private")
    client.patch(note_id, {"body": "private"}, If_Match='"1"')
    client.patch(note_id, {"body": "private"}, If_Match='"1"')
    client.replace(note_id, {**note, "colour": "x"}, If_Match="*")
    assert "private" not in log.getvalue()
