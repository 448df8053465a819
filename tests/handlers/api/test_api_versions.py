"""Version 1 says when it ends. In version 2, each person has their own notes. Programs export all notes."""

import json
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.openapi import OPENAPI
from tests.handlers.api.conftest import ONE_TABLE_FOR_ALL_EXAMPLES
from tests.handlers.api.notes_client import EXPORT, HEALTH, NOTES, OWN_NOTES, Answer, Client, new_client

ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def anna(function: ModuleType, aws: None) -> Iterator[Client]:  # noqa: ARG001 - moto must run
    """The client of a person who signed in, with an empty table."""
    with new_client(function, person="anna") as client:
        yield client


# -- the end of version 1

OLD_URLS = [NOTES, f"{NOTES}/", f"{NOTES}/{ID}", f"{NOTES}/{ID}/", f"{NOTES}?limit=x"]


@pytest.mark.parametrize("url", OLD_URLS)
@pytest.mark.parametrize("base_path", ["/live", "", "/shop"])
def test_every_answer_of_version_1_names_its_end_and_its_successor(v1_client: Client, url: str, base_path: str) -> None:
    parts = urlsplit(url)
    answer = v1_client.send("GET", parts.path, query=parse_qs(parts.query), base_path=base_path)
    deprecated_since = int(answer.headers["deprecation"].removeprefix("@"))  # RFC 9745: a Date of RFC 9651
    assert deprecated_since < parsedate_to_datetime(answer.headers["sunset"]).timestamp()
    assert answer.headers["sunset"].endswith(" GMT"), "RFC 8594 asks for an HTTP date"
    target, relation = answer.headers["link"].split("; ")
    assert relation == 'rel="successor-version"'
    assert urljoin(f"https://api.example.com{base_path}{url}", target.strip("<>")) == (
        f"https://api.example.com{base_path}{OWN_NOTES}"
    )
    assert {"deprecation", "sunset", "link"} <= {*answer.headers["access-control-expose-headers"].lower().split(",")}


def test_only_version_1_is_deprecated(anna: Client) -> None:
    for answer in (anna.page(), anna.create(), anna.send("GET", HEALTH), anna.send("GET", "/x")):
        assert not {"deprecation", "sunset", "link"} & {*answer.headers}


def test_the_document_marks_the_same_operations_as_deprecated() -> None:
    for path, item in OPENAPI["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                assert operation.get("deprecated", False) is path.startswith(NOTES), (method, path)


# -- the notes of a person


def test_nobody_reaches_a_note_of_another_person(anna: Client) -> None:
    ben = anna.as_person("ben")
    note = anna.new_note({"title": "private"})
    refused = [
        ben.read(note["id"]),
        ben.replace(note["id"], {"title": "x"}, If_Match="*"),
        ben.patch(note["id"], {"title": "x"}, If_Match='"1"'),
        ben.delete(note["id"]),
    ]
    unknown = ben.read(ID)
    for answer in refused:
        assert answer.status == 404, "403 would tell ben that the note exists"
        assert {**answer.json, "request_id": ""} == {**unknown.json, "request_id": ""}
    assert ben.page().json["notes"] == []
    assert anna.read(note["id"]).json == note


def test_the_cursor_of_another_person_shows_no_notes_of_this_person(anna: Client) -> None:
    for _ in range(3):
        anna.new_note()
    cursor = anna.page(limit="1").json["next_cursor"]
    ben = anna.as_person("ben")
    ids = {ben.new_id()}
    page = ben.page(cursor=cursor).json
    assert {note["id"] for note in page["notes"]} <= ids


def test_two_people_can_use_the_same_idempotency_key(anna: Client) -> None:
    note = anna.new_note(key="once")
    assert anna.as_person("ben").new_note(key="once")["id"] != note["id"]
    assert anna.new_note(key="once") == note


def test_a_new_note_is_in_the_list_at_once(anna: Client) -> None:
    anna.new_note()
    anna.calls.clear()
    anna.page()
    ((operation, parameters),) = anna.calls
    assert operation == "Query", "the list is one query of one partition"
    assert parameters["ConsistentRead"] is True
    assert parameters["ExpressionAttributeValues"] == {":partition": {"S": "anna"}}


PEOPLE = [f"person-{number}" for number in range(1000)]
# Two of the people appear often, so that they also meet their own notes.
SOME_PERSON = st.sampled_from(PEOPLE[:2]) | st.sampled_from(PEOPLE)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "read", "replace", "patch", "delete", "list"]),
        SOME_PERSON,
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=25,
)


def act(client: Client, action: str, note_id: str, title: str) -> Answer:
    """Read, replace, patch or delete a note."""
    match action:
        case "read":
            return client.read(note_id)
        case "replace":
            return client.replace(note_id, {"title": title}, If_Match="*")
        case "patch":
            return client.patch(note_id, {"title": title}, If_Match="*")
        case _:
            return client.delete(note_id)


@pytest.mark.slow
@ONE_TABLE_FOR_ALL_EXAMPLES
@given(steps=STEPS)
def test_a_thousand_people_see_only_their_own_notes(anna: Client, steps: list[tuple[str, str, int]]) -> None:
    """Any people do anything with any notes. `titles` has the title of each note, by its owner and its id."""
    titles: dict[tuple[str, str], str] = {}
    for number, (action, person, choice) in enumerate(steps):
        client, title = anna.as_person(person), f"{person} {number}"
        owner, note_id = ([*titles] or [("nobody", ID)])[choice % max(1, len(titles))]
        if action == "create":
            titles[person, client.new_note({"title": title})["id"]] = title
        elif action == "list":
            listed = {listed_id for page in client.pages(100) for listed_id in page}
            assert {one for who, one in titles if who == person} <= listed
            assert not listed & {one for who, one in titles if who != person}
        elif owner != person:
            assert act(client, action, note_id, title).status == 404
        else:
            assert act(client, action, note_id, title).status in (200, 204)
            titles[owner, note_id] = titles[owner, note_id] if action == "read" else title
            if action == "delete":
                del titles[owner, note_id]
    for (owner, note_id), title in titles.items():
        assert anna.as_person(owner).read(note_id).json["title"] == title


# -- who signed in


@pytest.mark.parametrize(
    "claims",
    [
        None,
        {},
        {"sub": "anna"},
        {"token_use": "id"},
        {"sub": "", "token_use": "id"},
        {"sub": "anna", "token_use": "access"},
    ],
    ids=["none", "empty", "no use", "no sub", "empty sub", "access token"],
)
@pytest.mark.parametrize("path", [OWN_NOTES, f"{OWN_NOTES}/{ID}"])
def test_a_request_without_the_claims_of_an_id_token_gets_401(anna: Client, path: str, claims: Any) -> None:
    """API Gateway refuses such requests. The function refuses them too, if a route has lost its authorizer."""
    answer = anna.send("GET", path, claims=claims)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert anna.calls == []


# -- the export


def exported(client: Client) -> Iterator[list[Any]]:
    """Yield the lines of each page of the export."""
    url = EXPORT
    while True:
        parts = urlsplit(url)
        answer = client.send("GET", parts.path, query=parse_qs(parts.query))
        assert answer.headers["content-type"] == "application/x-ndjson"
        yield [json.loads(line) for line in answer.text.splitlines()]
        if "link" not in answer.headers:
            return
        target, relation = answer.headers["link"].split("; ")
        assert relation == 'rel="next"'
        url = urljoin(url, target.strip("<>"))


def test_the_export_has_the_notes_of_all_people_and_nothing_else(anna: Client) -> None:
    assert list(exported(anna)) == [[]]
    notes = [
        {"owner": name, **anna.as_person(name).new_note({"title": name, "body": {"n": 1}}, key="once")}
        for name in ("anna", "ben", "carla")
    ]
    (lines,) = exported(anna)
    assert sorted(lines, key=lambda line: line["owner"]) == notes


def test_the_export_has_several_pages_if_dynamodb_has(anna: Client) -> None:
    """DynamoDB returns at most 1 MB for each scan."""
    created = {
        anna.as_person(f"person-{number}").new_note({"title": "x", "body": "x" * 300_000})["id"] for number in range(9)
    }
    pages = list(exported(anna))
    assert len(pages) > 1
    ids = [line["id"] for page in pages for line in page]
    assert len(ids) == len(created)
    assert {*ids} == created


@pytest.mark.parametrize(
    "cursor", ["", "x", "W10", "WyJhIl0", "WzEsMl0", "WyJhIiwgIiJd", "bnVsbA", "IjEyIg", "WyJhIiwgImIiXQ=="]
)
def test_a_wrong_cursor_of_the_export_gets_400(anna: Client, cursor: str) -> None:
    answer = anna.send("GET", EXPORT, query={"cursor": cursor})
    assert answer.status == 400
    assert anna.calls == []
