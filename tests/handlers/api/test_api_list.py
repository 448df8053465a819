"""Listing notes: pages in the order of creation, whatever comes and goes meanwhile, and what may be asked for."""

import base64
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.handlers.api.conftest import World, new_world

SUMMARY = {"id", "title", "tags", "created_at", "updated_at", "version"}
STAMP, NOTE_ID = "2026-11-21T10:00:00.000000Z", "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every note a millisecond after the one before."""
    moments = (datetime(2026, 11, 21, tzinfo=UTC) + timedelta(milliseconds=n) for n in itertools.count())
    monkeypatch.setattr("api.store.current_time", lambda: next(moments))


def made(world: World, count: int) -> list[str]:
    """Ids of new notes, newest first."""
    return [world.created({"title": str(number)})["id"] for number in range(count)][::-1]


def test_no_notes_are_an_empty_page(world: World) -> None:
    assert world.page().json == {"notes": [], "next_cursor": None}


def test_a_page_has_the_newest_first_and_no_bodies(world: World) -> None:
    notes = [world.created({"title": title, "body": "long", "tags": [title]}, key=title) for title in "abc"]
    page = world.page().json
    assert page["next_cursor"] is None
    assert page["notes"] == [{name: note[name] for name in note if name != "body"} for note in reversed(notes)]
    assert set(page["notes"][0]) == SUMMARY


def test_a_changed_note_keeps_its_place_and_shows_its_change(world: World) -> None:
    second, first = made(world, 2)
    world.patch(first, {"title": "changed", "tags": ["t"]}, If_Match="*")
    notes = world.page().json["notes"]
    assert [note["id"] for note in notes] == [second, first]
    assert (notes[1]["title"], notes[1]["tags"], notes[1]["version"]) == ("changed", ["t"], 2)
    assert notes[1]["updated_at"] > notes[1]["created_at"]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 100])
def test_pages_of_any_size_give_each_note_once_in_order(world: World, limit: int) -> None:
    notes = made(world, 7)
    pages = list(world.pages(limit))
    assert [note_id for page in pages for note_id in page] == notes
    assert all(len(page) <= limit for page in pages)
    assert len(pages) <= 7 // limit + 1


def test_notes_of_the_same_moment_are_each_listed_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.store.current_time", lambda: datetime(2026, 11, 21, tzinfo=UTC))
    notes = made(world, 5)
    listed = [note_id for page in world.pages(2) for note_id in page]
    assert sorted(listed) == sorted(notes)


def test_twenty_notes_unless_another_number_is_asked_for(world: World) -> None:
    notes = made(world, 21)
    assert [note["id"] for note in world.page().json["notes"]] == notes[:20]
    assert len(world.page(limit="21").json["notes"]) == 21


@pytest.mark.usefixtures("aws")
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_pages_are_stable_while_notes_come_and_go(function: ModuleType, data: st.DataObject) -> None:
    with new_world(function) as world:
        before = made(world, data.draw(st.integers(0, 8), label="notes"))
        limit = data.draw(st.integers(1, 4), label="limit")
        listed: list[str] = []
        gone: set[str] = set()
        for page in world.pages(limit):
            listed += page
            for note_id in data.draw(st.lists(st.sampled_from(before), unique=True) if before else st.just([])):
                if note_id not in gone:
                    world.delete(note_id)
                    gone.add(note_id)
            made(world, data.draw(st.integers(0, 2), label="new"))
        stayed = [note_id for note_id in before if note_id not in gone]
        assert [note_id for note_id in listed if note_id not in gone] == stayed
        assert len(listed) == len(set(listed))
        assert set(listed) <= set(before), "what is newer than the first page is on none"


def test_the_cursor_of_a_deleted_note_works(world: World) -> None:
    notes = made(world, 4)
    cursor = world.page(limit="2").json["next_cursor"]
    assert world.delete(notes[1]).status == 204
    assert [note["id"] for note in world.page(cursor=cursor).json["notes"]] == notes[2:]


def test_a_cursor_works_again_and_with_another_limit(world: World) -> None:
    notes = made(world, 4)
    cursor = world.page(limit="1").json["next_cursor"]
    for limit in (1, 2, 3, 100):
        found = world.page(cursor=cursor, limit=str(limit)).json["notes"]
        assert [note["id"] for note in found] == notes[1 : limit + 1]


@pytest.mark.parametrize("limit", ["1", "100", "20", "007"])
def test_a_limit_from_1_to_100_is_taken(world: World, limit: str) -> None:
    assert world.page(limit=limit).status == 200
    ((_, asked),) = world.calls
    assert asked["Limit"] == int(limit)


@pytest.mark.parametrize(
    "limit",
    ["0", "101", "-1", "+1", "abc", "", " 1", "1 ", "1\n", "1.0", "1e2", "0x10", "1_0", "٣", "²", "9" * 5000, "null"],
)
def test_any_other_limit_is_refused(world: World, limit: str) -> None:
    answer = world.page(limit=limit)
    assert answer.status == 400
    assert answer.json["detail"] == "limit must be a number from 1 to 100."
    assert world.operations() == []


@pytest.mark.parametrize("values", [["1", "2"], ["1", "1"]])
@pytest.mark.parametrize("name", ["limit", "cursor"])
def test_a_repeated_parameter_is_refused(world: World, name: str, values: list[str]) -> None:
    answer = world.page(**{name: values})
    assert answer.status == 400
    assert name in answer.json["detail"]


def test_an_unknown_parameter_is_ignored(world: World) -> None:
    assert world.page(colour="red").status == 200


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def bad_cursors() -> Iterator[str]:
    """Of many kinds: no base64, no JSON, no pair, and pairs that no page ever gave."""
    yield from ["", "x", "=", "====", "null", "é", "٣", "\0", " ", "a b", "../..", "%57%79%49", "W" * 5000]
    yield encoded([STAMP, NOTE_ID])[:-3]
    yield encoded([STAMP, NOTE_ID]) + "x"
    yield encoded([STAMP, NOTE_ID])[1:]
    yield base64.urlsafe_b64encode(b"\xff\xfe").decode()
    yield base64.urlsafe_b64encode(b"[" * 100_000).decode()
    yield base64.urlsafe_b64encode(b"9" * 5000).decode()
    shapes: list[Any] = [
        None,
        True,
        7,
        1.5,
        "text",
        "ab",
        [],
        {},
        [STAMP],
        [STAMP, NOTE_ID, 1],
        [NOTE_ID, STAMP],
        [[], {}],
    ]
    yield from map(encoded, shapes)
    for stamp in (
        None,
        7,
        "",
        "2026-11-21",
        STAMP[:-1],
        STAMP + "Z",
        " " + STAMP,
        STAMP + "\n",
        STAMP.lower(),
        "\ud800",
    ):
        yield encoded([stamp, NOTE_ID])
    for note_id in (None, 7, "", "x", NOTE_ID + "\n", NOTE_ID[:-1], "A" + NOTE_ID[1:], f"idempotency#{'0' * 64}"):
        yield encoded([STAMP, note_id])


@pytest.mark.parametrize("cursor", [*bad_cursors()], ids=lambda cursor: ascii(cursor)[:40])
def test_a_bad_cursor_is_refused(world: World, cursor: str) -> None:
    answer = world.page(cursor=cursor)
    assert answer.status == 400
    assert answer.json["detail"] == "cursor must be the next_cursor of an earlier page."
    assert world.operations() == []


def test_what_is_remembered_of_requests_is_never_listed(world: World) -> None:
    notes = [world.created(key=key)["id"] for key in "abc"][::-1]
    assert len(world.items()) == 6
    assert [note_id for page in world.pages(1) for note_id in page] == notes


def test_a_page_is_one_query_of_the_index_and_nothing_ever_scans(world: World) -> None:
    note_id = world.created(key="once")["id"]
    world.created(key="once")
    world.read(note_id)
    world.replace(note_id, {"title": "x"}, If_Match="*")
    world.patch(note_id, {"title": "y"}, If_Match="*")
    world.operations()
    world.page(limit="1")
    ((operation, asked),) = world.calls
    assert (operation, asked["IndexName"]) == ("Query", "newest")
    world.delete(note_id)
    assert "Scan" not in world.operations()
