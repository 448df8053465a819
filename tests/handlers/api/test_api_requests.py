"""Requests as a whole: paths, methods and headers, the most hostile included; and what is said when AWS or we fail."""

import io
import json
from collections.abc import Callable
from itertools import product
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from api.contract import OPENAPI
from tests.handlers.api.conftest import HEALTH, NOTES, Answer, World, aws_response, operation
from tests.handlers.api.test_api_bodies import SHARED_WORLD

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND")
NOTE = f"{NOTES}/00000000-0000-4000-8000-000000000000"

# -- what is not there


@pytest.mark.parametrize(
    ("method", "path"), [pair for pair in product(METHODS, (HEALTH, NOTES, NOTE)) if operation(*pair) is None]
)
def test_a_method_that_a_path_has_not_is_refused_with_those_that_it_has(world: World, method: str, path: str) -> None:
    answer = world.send(method, path)
    assert answer.status == 405
    allowed = set(answer.headers["allow"].split(", "))
    assert allowed == {one for one in METHODS if operation(one, path)} | {"OPTIONS"}
    assert world.operations() == []


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path",
    ["/", "", "/v1", "/v1/", "/v2/notes", "/notes", "/v1/note", "/v1/Notes", "/v1//notes", f"{NOTE}/x", f"{NOTE}//"],
)
def test_an_unknown_path_is_refused(world: World, method: str, path: str) -> None:
    answer = world.send(method, path)
    assert answer.status == 404
    assert "allow" not in answer.headers


@pytest.mark.parametrize("character", ['"', "`", "#", "?", "\\", "\0", "é", "%", "٣", "😀"], ids=ascii)
def test_an_id_of_odd_characters_is_one_of_no_note(world: World, character: str) -> None:
    for path in (f"{NOTES}/{character}", f"{NOTE}{character}"):
        for method in ("GET", "DELETE"):
            assert world.send(method, path).status == 404


def test_a_slash_at_the_end_does_not_matter(world: World) -> None:
    """API Gateway takes both for the same resource."""
    note_id = world.created()["id"]
    assert world.send("GET", f"{NOTES}/").json["notes"][0]["id"] == note_id
    assert world.send("GET", f"{NOTES}/{note_id}/").status == 200
    for path in (NOTES, HEALTH, f"{NOTES}/{note_id}"):
        assert world.send("PROPFIND", f"{path}/").headers.get("allow") == world.send("PROPFIND", path).headers["allow"]


def test_the_health_asks_nothing_of_aws(world: World) -> None:
    with world.interposed("*", lambda _: pytest.fail("AWS was asked")):
        answer = world.send("GET", HEALTH)
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    assert world.operations() == []


# -- headers


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key", "IDEMPOTENCY-KEY"])
def test_names_of_headers_know_no_case(world: World, name: str) -> None:
    first = world.send("POST", NOTES, {"title": "A"}, headers={name: "once"})
    assert world.create(key="once").text == first.text


@pytest.mark.parametrize(
    ("name", "values"),
    [("Content-Type", ("application/json", "text/plain")), ("Idempotency-Key", ("a", "b"))],
)
def test_a_header_with_two_values_is_refused(world: World, name: str, values: tuple[str, str]) -> None:
    answer = world.send("POST", NOTES, {"title": "A"}, headers={name: values})
    assert answer.status == 400
    assert name in answer.json["detail"]
    both = {name: values[0], name.lower(): values[1]}
    assert world.send("POST", NOTES, {"title": "A"}, headers=both).status == 400
    assert world.items() == []


def test_a_header_that_is_sent_twice_alike_counts_once(world: World) -> None:
    headers = {"Content-Type": ["application/json"] * 2, "Idempotency-Key": ["once"] * 2}
    first = world.send("POST", NOTES, {"title": "A"}, headers=headers)
    assert world.create(key="once").text == first.text


HOSTILE = st.text(st.characters(max_codepoint=255), max_size=40) | st.sampled_from(
    [
        '"1"',
        "*",
        "application/json",
        "charset*0=a",
        "charset*=b",
        ";",
        ",",
        "W/",
        '"',
        "\0",
        "\n",
        "=",
        "9" * 5000,
        "%00''",
    ]
)
HEADERS = (
    "Content-Type",
    "If-Match",
    "If-None-Match",
    "Idempotency-Key",
    "Origin",
    "Accept",
    "X-Api-Key",
    "Content-Length",
)


@SHARED_WORLD
@given(
    headers=st.dictionaries(st.sampled_from(HEADERS), st.lists(st.lists(HOSTILE, max_size=4).map("".join), min_size=1)),
    query=st.dictionaries(st.sampled_from(("limit", "cursor", "x")), st.lists(st.text(max_size=40), min_size=1)),
)
def test_whatever_stands_in_headers_and_query_is_answered(
    world: World, headers: dict[str, list[str]], query: dict[str, list[str]]
) -> None:
    """World.send fails on what is not documented, and on every 5xx."""
    note_id = world.created()["id"]
    for path, item in OPENAPI["paths"].items():
        for method in item.keys() & {"get", "put", "post", "patch", "delete"}:
            body = '{"title":"A"}' if method in ("put", "post", "patch") else None
            world.send(method.upper(), path.replace("{note_id}", note_id), body, headers=headers, query=query)


@SHARED_WORLD
@given(path=st.text(max_size=40))
def test_whatever_stands_in_the_path_is_answered(world: World, path: str) -> None:
    world.send("GET", f"{NOTES}/x{path}")


@pytest.mark.parametrize("path", [HEALTH, NOTES, NOTE])
def test_null_instead_of_headers_and_query_is_nothing(world: World, path: str) -> None:
    assert world.send("GET", path, headers=None, query=None).status in (200, 404)


# -- CORS


EVERY_KIND: dict[str, tuple[int, Callable[[World, dict[str, str]], Answer]]] = {
    "created": (201, lambda world, origin: world.send("POST", NOTES, {"title": "A"}, headers=origin)),
    "listed": (200, lambda world, origin: world.send("GET", NOTES, headers=origin)),
    "deleted": (204, lambda world, origin: world.send("DELETE", f"{NOTES}/{world.created()['id']}", headers=origin)),
    "known": (
        304,
        lambda world, origin: world.send(
            "GET", f"{NOTES}/{world.created()['id']}", headers={**origin, "If-None-Match": "*"}
        ),
    ),
    "bad": (400, lambda world, origin: world.send("GET", NOTES, headers=origin, query={"limit": "x"})),
    "missing": (404, lambda world, origin: world.send("GET", NOTE, headers=origin)),
    "no path": (404, lambda world, origin: world.send("GET", "/x", headers=origin)),
    "no method": (405, lambda world, origin: world.send("DELETE", NOTES, headers=origin)),
    "no JSON": (422, lambda world, origin: world.send("POST", NOTES, "x", headers=origin)),
}


@pytest.mark.parametrize(("status", "ask"), EVERY_KIND.values(), ids=EVERY_KIND)
def test_a_browser_may_read_every_answer(
    world: World, status: int, ask: Callable[[World, dict[str, str]], Answer]
) -> None:
    answer = ask(world, {"Origin": "https://example.com"})
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = {name.lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {"etag", "location", "retry-after", "idempotency-replayed"} <= exposed


# -- failures of AWS


def failed(code: str, status: int) -> Callable[..., Any]:
    return lambda _: aws_response(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "secret"})


def disconnected(_: Any) -> Any:
    raise EndpointConnectionError(endpoint_url="https://secret")


FAILURES = {
    "throttled": failed("ThrottlingException", 400),
    "exceeded": failed("ProvisionedThroughputExceededException", 400),
    "broken": failed("InternalServerError", 500),
    "denied": failed("AccessDeniedException", 400),
    "gone": failed("ResourceNotFoundException", 400),
    "invalid": failed("ValidationException", 400),
    "conflict": failed("TransactionConflictException", 400),
    "disconnected": disconnected,
}
ASK: dict[str, tuple[str, Callable[[World, str], Answer]]] = {
    "create": ("PutItem", lambda world, _: world.create()),
    "create once": ("TransactWriteItems", lambda world, _: world.create(key="once")),
    "list": ("Query", lambda world, _: world.page()),
    "read": ("GetItem", lambda world, note_id: world.read(note_id)),
    "replace": ("UpdateItem", lambda world, note_id: world.replace(note_id, {"title": "B"}, If_Match="*")),
    "patch, read": ("GetItem", lambda world, note_id: world.patch(note_id, {"title": "B"}, If_Match="*")),
    "patch, write": ("UpdateItem", lambda world, note_id: world.patch(note_id, {"title": "B"}, If_Match="*")),
    "delete": ("DeleteItem", lambda world, note_id: world.delete(note_id)),
}


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize(("operation", "ask"), ASK.values(), ids=ASK)
def test_what_aws_fails_at_is_answered_and_nothing_is_half_written(
    world: World, operation: str, ask: Callable[[World, str], Answer], failure: Callable[..., Any]
) -> None:
    note_id = world.created()["id"]
    before = world.items()
    with world.interposed(operation, failure):
        answer = ask(world, note_id)
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "secret" not in answer.text
    assert world.items() == before
    assert ask(world, note_id).status < 300


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("failure", ["throttled", "broken", "disconnected"])
def test_a_failure_that_passes_is_not_noticed(world: World, failure: str) -> None:
    note_id, tries = world.created()["id"], []

    def second_time_lucky(ask: Callable[[], Any]) -> Any:
        tries.append(1)
        return FAILURES[failure](ask) if len(tries) < 2 else ask()

    with world.interposed("GetItem", second_time_lucky):
        assert world.read(note_id).status == 200
    assert len(tries) == 2


def lost(world: World, operation: str, ask: Callable[[], Answer]) -> Answer:
    """The answer when DynamoDB does what it is asked, and its first answer is lost on the way."""
    tries = []

    def first_time_lost(go: Callable[[], Any]) -> Any:
        done = go()
        tries.append(1)
        if len(tries) == 1:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        return done

    with world.interposed(operation, first_time_lost):
        return ask()


@pytest.mark.usefixtures("no_waiting")
def test_a_create_whose_answer_is_lost_between_us_and_dynamodb_is_made_once(world: World) -> None:
    answer = lost(world, "PutItem", world.create)
    assert answer.status == 201
    assert world.note_ids() == {answer.json["id"]}


@pytest.mark.usefixtures("no_waiting")
def test_a_create_with_a_key_whose_answer_is_lost_is_made_once(world: World) -> None:
    answer = lost(world, "TransactWriteItems", lambda: world.create(key="once"))
    assert answer.status == 201
    assert world.note_ids() == {answer.json["id"]}


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize(
    ("method", "versions"),
    [("PUT", '"1"'), ("PATCH", '"1"'), ("PATCH", "*")],  # PUT of whichever version may well happen twice
)
def test_a_change_whose_answer_is_lost_is_made_once_and_answered(world: World, method: str, versions: str) -> None:
    path = f"{NOTES}/{world.created()['id']}"
    answer = lost(
        world, "UpdateItem", lambda: world.send(method, path, {"title": "new"}, headers={"If-Match": versions})
    )
    assert (answer.status, answer.json["title"], answer.json["version"]) == (200, "new", 2)


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("versions", ['"1"', None])
def test_a_deletion_whose_answer_is_lost_is_answered(world: World, versions: str | None) -> None:
    path = f"{NOTES}/{world.created()['id']}"
    headers = {"If-Match": versions} if versions else {}
    answer = lost(world, "DeleteItem", lambda: world.send("DELETE", path, headers=headers))
    assert answer.status == 204
    assert world.send("DELETE", path, headers=headers).status == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_change_takes_no_if_none_match(world: World, method: str) -> None:
    """It would be an overwriting of what the client says must not be there."""
    path = f"{NOTES}/{world.created()['id']}"
    headers = {"If-Match": "*", "If-None-Match": "*"}
    assert world.send(method, path, {"title": "new"}, headers=headers).status == 400


def test_no_cache_shares_what_needed_a_key(world: World) -> None:
    created = world.create()
    note = f"{NOTES}/{created.json['id']}"
    for answer in (created, world.page(), world.send("GET", note, headers={"If-None-Match": "*"})):
        assert answer.headers["cache-control"] == "private, no-cache"


# -- our own


@pytest.fixture
def log(function: ModuleType, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    log = io.StringIO()
    monkeypatch.setattr(function.logger.registered_handler, "stream", log)
    return log


def lines(log: io.StringIO) -> list[Any]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_bug_is_answered_with_the_id_of_its_lines_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    def wrong(*_: Any) -> Any:
        raise KeyError("what only the log may tell")

    world.fails = True
    monkeypatch.setattr(world.function.routes.store, "read", wrong)
    answer = world.read("00000000-0000-4000-8000-000000000000")
    assert answer.status == 500
    assert "what only the log may tell" not in answer.text
    (line,) = lines(log)
    assert line["level"] == "ERROR"
    assert line["correlation_id"] == answer.json["request_id"]
    assert "what only the log may tell" in line["exception"]
    assert "in wrong" in line["exception"], "no traceback"


@pytest.mark.usefixtures("no_waiting")
def test_what_aws_fails_at_is_logged_as_an_error(world: World, log: io.StringIO) -> None:
    with world.interposed("Query", FAILURES["throttled"]):
        answer = world.page()
    (line,) = lines(log)
    assert (line["level"], line["message"]) == ("ERROR", "AWS failed")
    assert line["correlation_id"] == answer.json["request_id"]
    assert "ThrottlingException" in line["exception"]


def test_what_a_client_does_wrong_is_no_error_of_ours(world: World, log: io.StringIO) -> None:
    answer = world.page(limit="x")
    (line,) = lines(log)
    assert (line["level"], line["message"], line["status"]) == ("INFO", "request refused", 400)
    assert line["correlation_id"] == answer.json["request_id"]


def test_what_clients_write_is_not_logged(world: World, log: io.StringIO) -> None:
    note = {"title": "private", "body": "private", "tags": ["private"]}
    note_id = world.created(note, key="private")["id"]
    world.create({**note, "title": "x"}, key="private")
    world.patch(note_id, {"body": "private"}, If_Match='"1"')
    world.patch(note_id, {"body": "private"}, If_Match='"1"')
    world.replace(note_id, {**note, "colour": "x"}, If_Match="*")
    assert "private" not in log.getvalue()
