"""Tests of the list of notes: the pages are stable and in the order of creation, and the parameters are checked."""

import base64
import itertools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.handlers.api.notes_client import Client, new_client

STAMP, NOTE_ID = "2026-11-21T10:00:00.000000Z", "00000000-0000-4000-8000-000000000000"
OTHER_DIGITS = STAMP.replace("2026", "٢٠٢٦")


@pytest.fixture(autouse=True)
def advancing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the API's clock advance by a millisecond with each call, so that the order of creation is certain."""
    moments = (datetime(2026, 11, 21, tzinfo=UTC) + timedelta(milliseconds=n) for n in itertools.count())
    monkeypatch.setattr("api.store.current_time", lambda: next(moments))


def create_notes(client: Client, count: int) -> list[str]:
    """Create notes and return their ids, newest first."""
    return [client.new_note({"title": str(number)})["id"] for number in range(count)][::-1]


def listed_ids(page: Any) -> list[str]:
    """Return the ids of the notes on a page."""
    return [note["id"] for note in page["notes"]]


def test_the_page_of_an_empty_table_is_empty(client: Client) -> None:
    assert client.page().json == {"notes": [], "next_cursor": None}


def test_a_page_lists_the_newest_notes_first_without_bodies(client: Client) -> None:
    notes = [client.new_note({"title": title, "body": "long", "tags": [title]}, key=title) for title in "abc"]
    page = client.page().json
    assert page["next_cursor"] is None
    assert page["notes"] == [{name: note[name] for name in note if name != "body"} for note in reversed(notes)]
    assert set(page["notes"][0]) == {"id", "title", "tags", "created_at", "updated_at", "version"}


def test_a_changed_note_keeps_its_place_and_shows_the_change(client: Client) -> None:
    second, first = create_notes(client, 2)
    client.patch(first, {"title": "changed", "tags": ["t"]}, If_Match="*")
    page = client.page().json
    assert listed_ids(page) == [second, first]
    changed_note = page["notes"][1]
    assert (changed_note["title"], changed_note["tags"], changed_note["version"]) == ("changed", ["t"], 2)
    assert changed_note["updated_at"] > changed_note["created_at"]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 100])
def test_pages_of_any_size_list_each_note_once_and_newest_first(client: Client, limit: int) -> None:
    note_ids = create_notes(client, 7)
    pages = list(client.pages(limit))
    assert [note_id for page in pages for note_id in page] == note_ids
    assert all(len(page) <= limit for page in pages)
    assert len(pages) <= 7 // limit + 1


def test_each_note_of_the_same_microsecond_is_listed_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.store.current_time", lambda: datetime(2026, 11, 21, tzinfo=UTC))
    note_ids = create_notes(client, 5)
    assert sorted(note_id for page in client.pages(2) for note_id in page) == sorted(note_ids)


def test_a_page_has_twenty_notes_by_default(client: Client) -> None:
    note_ids = create_notes(client, 21)
    assert listed_ids(client.page().json) == note_ids[:20]
    assert len(client.page(limit="21").json["notes"]) == 21


@pytest.mark.slow
@pytest.mark.usefixtures("aws")
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_pages_are_stable_while_notes_are_created_and_deleted(function: ModuleType, data: st.DataObject) -> None:
    with new_client(function) as client:
        old_ids = create_notes(client, data.draw(st.integers(0, 8), label="notes"))
        limit = data.draw(st.integers(1, 4), label="limit")
        page_ids: list[str] = []
        deleted_ids: set[str] = set()
        for page in client.pages(limit):
            page_ids += page
            for note_id in data.draw(st.lists(st.sampled_from(old_ids), unique=True) if old_ids else st.just([])):
                if note_id not in deleted_ids:
                    client.delete(note_id)
                    deleted_ids.add(note_id)
            create_notes(client, data.draw(st.integers(0, 2), label="new"))
        remaining_ids = [note_id for note_id in old_ids if note_id not in deleted_ids]
        assert [note_id for note_id in page_ids if note_id not in deleted_ids] == remaining_ids
        assert len(page_ids) == len(set(page_ids))
        assert set(page_ids) <= set(old_ids), "a note that was created after the first page must not be listed"


def test_the_cursor_of_a_deleted_note_works(client: Client) -> None:
    note_ids = create_notes(client, 4)
    cursor = client.page(limit="2").json["next_cursor"]
    assert client.delete(note_ids[1]).status == 204
    assert listed_ids(client.page(cursor=cursor).json) == note_ids[2:]


def test_a_cursor_can_be_used_again_with_another_limit(client: Client) -> None:
    note_ids = create_notes(client, 4)
    cursor = client.page(limit="1").json["next_cursor"]
    assert re.fullmatch("[A-Za-z0-9_-]+", cursor), (
        "the cursor must contain only characters that need no quoting in a URL"
    )
    for limit in (1, 2, 3, 100):
        assert listed_ids(client.page(cursor=cursor, limit=str(limit)).json) == note_ids[1 : limit + 1]


@pytest.mark.parametrize("limit", ["1", "100", "20", "007"])
def test_a_page_with_a_limit_from_1_to_100_is_one_query_of_the_index(client: Client, limit: str) -> None:
    assert client.page(limit=limit).status == 200
    ((operation, parameters),) = client.calls
    assert (operation, parameters["IndexName"], parameters["Limit"]) == ("Query", "newest", int(limit))


@pytest.mark.parametrize(
    "limit",
    [
        *("0", "101", "-1", "+1", "abc", "", " 1", "1 ", "1\n", "1.0", "1e2", "0x10", "1_0", "٣", "²", "null"),
        "9" * 5000,
    ],
)
def test_a_limit_that_is_not_a_number_from_1_to_100_gets_400(client: Client, limit: str) -> None:
    answer = client.page(limit=limit)
    assert (answer.status, answer.json["detail"]) == (400, "limit must be a number from 1 to 100.")
    assert client.calls == []


@pytest.mark.parametrize("values", [["1", "2"], ["1", "1"]])
@pytest.mark.parametrize("name", ["limit", "cursor"])
def test_a_repeated_parameter_gets_400(client: Client, name: str, values: list[str]) -> None:
    answer = client.page(**{name: values})
    assert answer.status == 400
    assert name in answer.json["detail"]


def test_an_unknown_parameter_is_ignored(client: Client) -> None:
    assert client.page(colour="red").status == 200


def base64_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def encode(value: Any) -> str:
    """Return a cursor with this JSON value."""
    return base64_text(json.dumps(value).encode())


def bad_cursors() -> Iterator[str]:
    """Yield text that is not base64, not JSON or not a pair; and pairs that are not a time and the id of a note."""
    yield from ("", "x", "=", "====", "null", "é", "٣", "\0", " ", "a b", "../..", "%57%79%49", "W" * 5000)
    good = encode([STAMP, NOTE_ID])
    yield from (good[:-3], good + "x", good + "=", good[1:])
    with_spaces = f'[ "{STAMP}",  "{NOTE_ID}" ]'.encode()
    yield from map(base64_text, (b"\xff\xfe", b"[" * 100_000, b"9" * 5000, with_spaces))
    shapes: tuple[Any, ...] = (None, True, 7, 1.5, "text", "ab", [], {}, [STAMP], [STAMP, NOTE_ID, 1], [NOTE_ID, STAMP])
    yield from map(encode, (*shapes, [[], {}], {STAMP: 1, NOTE_ID: 2}))
    times = (None, 7, "", "2026-11-21", STAMP[:-1], STAMP + "Z", STAMP + "\n", STAMP.lower(), "\ud800", OTHER_DIGITS)
    yield from (encode([time, NOTE_ID]) for time in times)
    ids = (None, 7, "", "x", NOTE_ID + "\n", NOTE_ID[:-1], "A" + NOTE_ID[1:], f"idempotency#{'0' * 64}")
    yield from (encode([STAMP, note_id]) for note_id in ids)


@pytest.mark.parametrize("cursor", [*bad_cursors()], ids=lambda cursor: ascii(cursor)[:40])
def test_a_bad_cursor_gets_400(client: Client, cursor: str) -> None:
    answer = client.page(cursor=cursor)
    assert (answer.status, answer.json["detail"]) == (400, "cursor must be the next_cursor of an earlier page.")
    assert client.calls == []
