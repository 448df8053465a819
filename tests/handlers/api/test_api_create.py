"""Creating notes: what is kept of them, and that a repeated request creates nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

import pytest
from botocore.awsrequest import AWSResponse
from moto.dynamodb.models import dynamo_type

from api import jsontext
from api.notes import MAX_BYTES, Content
from api.pages import Cursor
from api.problems import Problem
from tests.handlers.api.conftest import NOTES, TABLE, World, aws_response

MOMENT = datetime(2026, 11, 21, 10, 0, 0, 123456, UTC)
FULL = {"title": "Shopping", "body": {"milk": 2, "tea": None}, "tags": ["home", "to do"]}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A call sets the function's clock."""

    def put(moment: datetime) -> None:
        monkeypatch.setattr("api.store.current_time", lambda: moment)

    put(MOMENT)
    return put


@pytest.mark.usefixtures("clock")
def test_a_note_is_created_and_answered_whole(world: World) -> None:
    answer = world.create(FULL)
    assert answer.status == 201
    note = answer.json
    assert str(UUID(note["id"])) == note["id"]
    stamp = "2026-11-21T10:00:00.123456Z"
    assert note == {"id": note["id"], **FULL, "created_at": stamp, "updated_at": stamp, "version": 1}
    location = urljoin("/live/v1/notes", answer.headers["location"])  # whatever stage is in front
    assert location == f"/live/v1/notes/{note['id']}"
    assert answer.etag == '"1"'
    assert answer.headers["content-type"] == "application/json"
    assert "idempotency-replayed" not in answer.headers
    assert world.send("GET", location.removeprefix("/live")).text == answer.text


def test_a_title_is_enough(world: World) -> None:
    note = world.created({"title": "x"})
    assert (note["body"], note["tags"]) == ("", [])


def test_two_creates_make_two_notes(world: World) -> None:
    assert world.created()["id"] != world.created()["id"]
    assert len(world.note_ids()) == 2


@pytest.mark.parametrize(
    "note",
    [
        {"title": "x" * 200},
        {"title": "😀" * 200},
        {"title": "x", "tags": [str(number).rjust(50, "😀") for number in range(20)]},
        {"title": " "},
        {"title": "x", "tags": []},
        {"title": "x", "body": None},
        {"title": "\0\u2028\x7f\ufeff"},
    ],
)
def test_what_is_just_allowed_is_kept(world: World, note: Any) -> None:
    created = world.created(note)
    read = world.read(created["id"]).json
    assert {name: read[name] for name in note} == note


@pytest.mark.parametrize(
    ("note", "pointer"),
    [
        ({}, ""),
        ({"body": "x"}, ""),
        ([], ""),
        ("7", ""),
        ("null", ""),
        ('"text"', ""),
        ({"title": "x", "colour": "red"}, ""),
        ({"title": "x", "id": "mine"}, ""),
        ({"title": "x", "version": 7}, ""),
        ({"title": ""}, "/title"),
        ({"title": None}, "/title"),
        ({"title": 7}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"title": "😀" * 201}, "/title"),
        ({"title": "x", "tags": "home"}, "/tags"),
        ({"title": "x", "tags": None}, "/tags"),
        ({"title": "x", "tags": [str(number) for number in range(21)]}, "/tags"),
        ({"title": "x", "tags": ["a", "b", "a"]}, "/tags"),
        ({"title": "x", "tags": ["a", ""]}, "/tags/1"),
        ({"title": "x", "tags": ["a", 7]}, "/tags/1"),
        ({"title": "x", "tags": ["x" * 51]}, "/tags/0"),
    ],
)
def test_what_the_schema_forbids_is_refused_and_pointed_at(world: World, note: Any, pointer: str) -> None:
    answer = world.create(note)
    assert answer.status == 422
    assert answer.pointers == [pointer]
    assert world.items() == []


def test_an_unknown_member_is_named(world: World) -> None:
    (error,) = world.create({"title": "x", "colour": "red"}).json["errors"]
    assert "colour" in error["detail"]


# -- how large a note may be


def dynamodb_bytes(value: Any) -> int:
    """The size of an attribute as DynamoDB counts it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    ((kind, inner),) = value.items()
    if kind == "S":
        return len(inner.encode())
    if kind == "N":
        return (len(inner) + 1) // 2 + 1
    assert kind == "L"
    return 3 + sum(1 + dynamodb_bytes(one) for one in inner)


def item_bytes(item: Any) -> int:
    return sum(len(name.encode()) + dynamodb_bytes(value) for name, value in item.items())


def largest(character: str) -> Any:
    """A note that has the most bytes that are allowed, and of everything else the most, too."""
    note: dict[str, Any] = {
        "title": "😀" * 200,
        "tags": [str(number).rjust(50, "😀") for number in range(20)],
        "body": "",
    }
    size = sum(len(text.encode()) for text in (note["title"], *note["tags"], '""'))
    width = len(character.encode())
    count, rest = divmod(MAX_BYTES - size, width)
    return {**note, "body": character * count + "x" * rest}


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_the_largest_note_fits_dynamodb_and_a_byte_more_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, character: str
) -> None:
    # moto's own limit is 405,000 bytes, less than DynamoDB's.
    monkeypatch.setattr(dynamo_type.LimitedSizeDict, "__setitem__", dict.__setitem__)
    note = largest(character)
    created = world.created(note, key="k" * 255)
    (item,) = [item for item in world.items() if "collection" in item]
    item["version"] = {"N": "9" * 18}
    assert MAX_BYTES < item_bytes(item) <= 400 * 1024
    assert world.read(created["id"]).json["body"] == note["body"]

    answer = world.create({**note, "body": note["body"] + "x"})
    assert answer.status == 413
    assert f"{MAX_BYTES + 1:,} bytes" in answer.json["detail"]
    for answer in (
        world.replace(created["id"], {**note, "body": note["body"] + "x"}, If_Match="*"),
        world.patch(created["id"], {"body": note["body"] + "x"}, If_Match="*"),
    ):
        assert answer.status == 413
    assert world.read(created["id"]).json["version"] == 1


def test_the_limit_counts_what_is_stored_and_not_how_it_was_written(world: World) -> None:
    body = "é" * 100_000
    escaped = '{"title":"x","body":"' + r"\u00e9" * 100_000 + '"}'
    assert len(escaped) > MAX_BYTES
    assert world.read(world.created(escaped)["id"]).json["body"] == body


# -- created once


def test_a_repeated_create_is_answered_as_the_first_and_creates_nothing(world: World) -> None:
    first = world.create(FULL, key="once")
    second = world.create(FULL, key="once")
    assert first.status == second.status == 201
    assert second.text == first.text
    assert "idempotency-replayed" not in first.headers
    assert second.headers == {**first.headers, "idempotency-replayed": "true"}
    assert world.note_ids() == {first.json["id"]}
    assert world.read(first.json["id"]).text == first.text


@pytest.mark.usefixtures("clock")
def test_what_is_remembered_expires_a_day_later(world: World) -> None:
    world.create(FULL, key="once")
    (remembered,) = [item for item in world.items() if "collection" not in item]
    assert remembered["id"]["S"].startswith("idempotency#")
    assert remembered["expires_at"] == {"N": str(int((MOMENT + timedelta(hours=24)).timestamp()))}
    assert "once" not in str(remembered), "a key may be a secret"


@pytest.mark.parametrize(
    "other",
    [
        {"title": "x", "body": {"a": 1, "b": [1.5, "y"]}, "tags": ["t"]},
        '\n{ "tags": ["t"], "body": {"b": [1.5, "\\u0079"], "a": 1},\t"title": "x" } ',
    ],
)
def test_the_order_of_members_and_white_space_do_not_matter(world: World, other: Any) -> None:
    first = world.created('{"title":"x","body":{"a":1,"b":[1.5,"y"]},"tags":["t"]}', key="once")
    assert world.created(other, key="once") == first
    assert world.note_ids() == {first["id"]}


@pytest.mark.parametrize(
    "other",
    [
        {**FULL, "title": "Shopping."},
        {**FULL, "body": {"milk": 3, "tea": None}},
        {**FULL, "body": {"milk": 2}},
        {**FULL, "body": '{"milk":2,"tea":null}'},
        {**FULL, "tags": ["to do", "home"]},
        {**FULL, "tags": []},
    ],
)
def test_a_key_with_another_content_is_refused(world: World, other: Any) -> None:
    first = world.created(FULL, key="once")
    answer = world.create(other, key="once")
    assert answer.status == 409
    assert "retry-after" not in answer.headers, "no retry will make it good"
    assert world.note_ids() == {first["id"]}
    assert world.create(FULL, key="once").json == first


def test_members_that_are_left_out_are_their_defaults(world: World) -> None:
    first = world.created({"title": "x"}, key="once")
    assert world.created({"title": "x", "tags": [], "body": ""}, key="once") == first


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("a", None), (None, "a"), ("a", "a ")])
def test_clients_do_not_share_their_keys(world: World, one: str | None, other: str | None) -> None:
    first = world.created(FULL, key="once", api_key=one)
    second = world.created(FULL, key="once", api_key=other)
    assert first["id"] != second["id"]


def test_keys_differ_by_every_letter(world: World) -> None:
    keys = ["a", "A", "aa", "k" * 255, "k" * 254 + "l", "!", "~", '"a"', "#", "%20"]
    assert len({world.created(FULL, key=key)["id"] for key in keys}) == len(keys)


def test_without_a_key_every_request_creates(world: World) -> None:
    world.created(FULL, key="once")
    world.created(FULL)
    world.created(FULL)
    assert len(world.note_ids()) == 3
    assert len(world.items()) == 4


def test_after_a_day_a_key_is_new(world: World, clock: Any) -> None:
    """DynamoDB deletes what has expired some time later; until then it counts as gone."""
    first = world.created(FULL, key="once")
    clock(MOMENT + timedelta(hours=23, minutes=59, seconds=59))
    assert world.created(FULL, key="once") == first
    clock(MOMENT + timedelta(hours=24))
    answer = world.create({"title": "another"}, key="once")
    assert answer.status == 201
    assert answer.json["id"] != first["id"]
    assert "idempotency-replayed" not in answer.headers
    clock(MOMENT + timedelta(hours=47))
    assert world.created({"title": "another"}, key="once") == answer.json


def test_a_repeated_create_is_answered_as_the_first_whatever_has_become_of_the_note(world: World) -> None:
    first = world.create(FULL, key="once")
    note_id = first.json["id"]
    world.patch(note_id, {"title": "changed"}, If_Match="*")
    assert world.create(FULL, key="once").text == first.text
    assert world.read(note_id).json["title"] == "changed", "the repetition undid the change"
    world.delete(note_id)
    assert world.create(FULL, key="once").text == first.text
    assert world.note_ids() == set()


@pytest.mark.parametrize("key", ["", " ", "a b", "a\tb", "é", "k" * 256, "a\0", "٣"])
def test_a_bad_key_is_refused(world: World, key: str) -> None:
    answer = world.create(FULL, key=key)
    assert answer.status == 400
    assert "Idempotency-Key" in answer.json["detail"]
    assert world.items() == []


@pytest.mark.parametrize("bad", [{}, {"title": ""}, "no JSON"])
def test_a_create_that_is_refused_does_not_use_its_key_up(world: World, bad: Any) -> None:
    assert world.create(bad, key="once").status == 422
    assert world.create(FULL, key="once").status == 201


class OneAtATime:
    """A client that DynamoDB serves one call at a time; moto would let two of them mix."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._turn = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return found

        def call(**arguments: Any) -> Any:
            with self._turn:
                return found(**arguments)

        return call


def test_creates_at_the_same_time_make_one_note(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen functions at once: not through the handler, which serves one request at a time in a process."""
    store, together = world.function.routes.store, threading.Barrier(16)
    monkeypatch.setattr(store, "_dynamodb", OneAtATime(store._dynamodb))
    content = Content.from_document(FULL)

    def create(_: int) -> Any:
        together.wait(10)
        return store.create_once(content, client="a", key="once")

    with ThreadPoolExecutor(16) as threads:
        created = list(threads.map(create, range(16)))
    assert len({one.note.id for one in created}) == 1
    assert [one.replayed for one in created].count(False) == 1
    assert world.note_ids() == {created[0].note.id}


def cancelled(*codes: str) -> AWSResponse:
    return aws_response(
        400,
        {
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "Transaction cancelled",
            "CancellationReasons": [{"Code": code, "Message": "x"} for code in codes],
        },
    )


@pytest.mark.parametrize("codes", [("None", "TransactionConflict"), ("TransactionConflict", "None")])
def test_a_request_with_the_same_key_that_is_under_way_is_a_conflict_to_retry(
    world: World, codes: tuple[str, str]
) -> None:
    with world.interposed("TransactWriteItems", lambda _: cancelled(*codes)):
        answer = world.create(FULL, key="once")
    assert answer.status == 409
    assert int(answer.headers["retry-after"]) >= 1
    assert world.items() == []


@pytest.mark.parametrize("codes", [("None", "ThrottlingError"), ("ProvisionedThroughputExceeded", "None")])
def test_a_transaction_that_aws_fails_at_is_no_conflict(world: World, codes: tuple[str, str]) -> None:
    with world.interposed("TransactWriteItems", lambda _: cancelled(*codes)):
        answer = world.create(FULL, key="once")
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) >= 1


def test_note_and_key_are_written_together(world: World) -> None:
    world.create(FULL, key="once")
    assert world.operations() == ["TransactWriteItems"]
    world.create(FULL)
    assert world.operations() == ["PutItem"]


# -- what must never be: a note that the table's other items could be taken for


def test_what_is_remembered_is_no_note(world: World) -> None:
    note = world.created(FULL, key="once")
    (remembered,) = [item["id"]["S"] for item in world.items() if "collection" not in item]
    for answer in (
        world.read(remembered),
        world.replace(remembered, FULL, If_Match="*"),
        world.patch(remembered, {}, If_Match="*"),
        world.delete(remembered),
    ):
        assert answer.status == 404
    assert [one["id"] for one in world.page().json["notes"]] == [note["id"]]
    assert len(world.items()) == 2
    with pytest.raises(Problem):
        Cursor.parse(str(Cursor(note["created_at"], remembered)))


def test_a_note_in_the_table_is_as_other_programs_expect_it(world: World) -> None:
    note = world.created({**FULL, "body": {"n": 12345678901234567890123456789012345678901234567890}})
    (item,) = world.dynamodb.scan(TableName=TABLE)["Items"]
    assert item == {
        "id": {"S": note["id"]},
        "collection": {"S": "notes"},
        "created": {"S": f"{note['created_at']}#{note['id']}"},
        "created_at": {"S": note["created_at"]},
        "updated_at": {"S": note["updated_at"]},
        "title": {"S": "Shopping"},
        "tags": {"L": [{"S": "home"}, {"S": "to do"}]},
        "body": {"S": jsontext.dump({"n": 12345678901234567890123456789012345678901234567890})},
        "version": {"N": "1"},
    }
    assert world.send("GET", NOTES).json["notes"][0]["title"] == "Shopping"
