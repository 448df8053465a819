"""Tests of reading and changing notes: no client overwrites a change that it has not read."""

from collections.abc import Callable
from typing import Any

import pytest

from api.store import PATCH_TRIES
from tests.handlers.api.notes_client import Answer, Client
from tests.support.fast import first_are_fast

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
NOT_IDS = (
    *("x", "0", "null", "..", " ", "٣", "idempotency#" + "0" * 64, UNKNOWN_ID[:-1], UNKNOWN_ID + "0"),
    *(UNKNOWN_ID.replace("-", ""), "{" + UNKNOWN_ID + "}", "ABCDEF00-0000-4000-8000-000000000000"),
    *(start + character for start in ("", UNKNOWN_ID) for character in '"`#?\\\0é%😀'),
)
Change = Callable[..., Answer]
CHANGES: dict[str, Change] = {
    "PUT": lambda client, note_id, **headers: client.replace(note_id, {"title": "new"}, **headers),
    "PATCH": lambda client, note_id, **headers: client.patch(note_id, {"title": "new"}, **headers),
    "DELETE": lambda client, note_id, **headers: client.delete(note_id, **headers),
}
every_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


# -- read


def test_reading_a_note_is_consistent_and_returns_the_etag(client: Client) -> None:
    created = client.create({"title": "A", "body": [1], "tags": ["t"]})
    answer = client.read(created.json["id"])
    assert (answer.status, answer.text, answer.etag) == (200, created.text, created.etag)
    operation, parameters = client.calls[-1]
    assert (operation, parameters["ConsistentRead"]) == ("GetItem", True)


ETAGS_OF_SAME_VERSION = ('"2"', 'W/"2"', "*", '"7", "2"', '"x","2"', ' "2" ', 'W/"7", W/"2"', '"é", "2"')
ETAGS_OF_OTHER_VERSION = ('"1"', '"02"', '"x"', '""', '"*"', 'W/"1"', '"21", "22"')


@pytest.mark.parametrize(
    ("status", "etags"), [*((304, t) for t in ETAGS_OF_SAME_VERSION), *((200, t) for t in ETAGS_OF_OTHER_VERSION)]
)
def test_if_none_match_gets_304_without_the_note_only_if_it_has_the_current_etag(
    client: Client, status: int, etags: str
) -> None:
    note_id = client.new_id()
    changed = client.patch(note_id, {"title": "B"}, If_Match="*")
    answer = client.read(note_id, If_None_Match=etags)
    assert (answer.status, answer.etag) == (status, '"2"')
    assert answer.text == ("" if status == 304 else changed.text)


@pytest.mark.parametrize("note_id", first_are_fast(6, [UNKNOWN_ID, *NOT_IDS]), ids=ascii)
def test_an_id_that_does_not_exist_gets_404(client: Client, note_id: str) -> None:
    for method, body in (("GET", None), ("PUT", {"title": "x"}), ("PATCH", {"title": "x"}), ("DELETE", None)):
        answer = client.send(method, f"{client.notes_path}/{note_id}", body, headers={"If-Match": "*"})
        assert answer.status == 404, method
    assert client.items() == []


def test_an_id_in_capitals_gets_404(client: Client) -> None:
    assert client.read(client.new_id().upper()).status == 404


def test_a_deleted_note_does_not_exist_for_any_method(client: Client) -> None:
    other_id, note_id = client.new_id(), client.new_id()
    answer = client.delete(note_id)
    assert (answer.status, answer.text) == (204, "")
    assert client.read(note_id).status == 404
    for change in CHANGES.values():
        assert change(client, note_id, If_Match='"1"').status == 404
    assert client.delete(note_id).status == 404
    assert client.note_ids() == {other_id}


# -- If-Match


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_change_without_if_match_gets_428(client: Client, method: str) -> None:
    note_id = client.new_id()
    answer = CHANGES[method](client, note_id)
    assert answer.status == 428
    assert "If-Match" in answer.json["detail"]
    assert client.read(note_id).json["version"] == 1


EMPTY_ELEMENTS = ('"1",,"7"', ', "1"', '"1" ,', ',,"7",\t,"1"')  # a server ignores them: RFC 9110, section 5.6.1.2


@every_change
@pytest.mark.parametrize(
    "etags",
    first_are_fast(
        3,
        [
            *('"1"', "*", '"7", "1"', " * ", " *\t", '"x,", "1"', ['"7"', '"1"'], 'W/"7", "1"', '"1","1"'),
            *EMPTY_ELEMENTS,
        ],
    ),
)
def test_a_change_of_the_current_version_succeeds(client: Client, change: Change, etags: str | list[str]) -> None:
    answer = change(client, client.new_id(), If_Match=etags)
    assert answer.status in (200, 204)
    if answer.status == 200:
        assert (answer.json["version"], answer.etag, answer.json["title"]) == (2, '"2"', "new")


@every_change
@pytest.mark.parametrize(
    "etags",
    first_are_fast(
        3,
        [
            *('"2"', 'W/"1"', '"*"', '"0"', '"-1"', '"+1"', '"01"', '"x"', '""', '"abc", W/"1"', '"é"'),
            f'"{"9" * 40}"',
            ", ".join(f'"{n}"' for n in range(2, 22)),
        ],
    ),
)
def test_a_change_of_another_version_gets_412_and_the_current_etag(client: Client, change: Change, etags: str) -> None:
    note_id = client.new_id()
    answer = change(client, note_id, If_Match=etags)
    assert (answer.status, answer.etag) == (412, '"1"')
    assert client.read(note_id).json["version"] == 1


@every_change
def test_the_etag_of_a_412_answer_can_be_used_for_the_next_change(client: Client, change: Change) -> None:
    note_id = client.new_id()
    for _ in range(10):
        etag = client.patch(note_id, {}, If_Match="*").etag
    refused = change(client, note_id, If_Match='"1"')
    assert (refused.status, refused.etag) == (412, etag) == (412, '"11"')
    assert change(client, note_id, If_Match=refused.etag).status in (200, 204)


@pytest.mark.parametrize(
    "etags",
    [
        *("", " ", "1", '"1', '"1 "', '1"', '"1" "2"', "*, *", '*, "1"', 'w/"1"', 'W/ "1"', "'1'", '"a"b"'),
        ", ".join(['"1"'] * 21),  # the limit is 20
    ],
)
def test_a_malformed_or_too_long_list_of_etags_gets_400(client: Client, etags: str) -> None:
    note_id = client.new_id()
    for change in CHANGES.values():
        answer = change(client, note_id, If_Match=etags)
        assert answer.status == 400
        assert "If-Match" in answer.json["detail"]
    assert client.read(note_id, If_None_Match=etags).status == 400
    assert client.read(note_id).json["version"] == 1


@every_change
def test_a_change_with_if_none_match_gets_400(client: Client, change: Change) -> None:
    """Such a header means that the note must not exist, but each of these changes needs an existing note."""
    assert change(client, client.new_id(), If_Match="*", If_None_Match="*").status == 400


# -- replace


def test_a_replacement_removes_all_old_content(client: Client) -> None:
    created = client.new_note({"title": "A", "body": {"a": 1}, "tags": ["t"]})
    answer = client.replace(created["id"], {"title": "B"}, If_Match='"1"')
    assert answer.status == 200
    note = answer.json
    assert note == {**created, "title": "B", "body": "", "tags": [], "version": 2, "updated_at": note["updated_at"]}
    assert note["updated_at"] > note["created_at"] == created["created_at"]
    assert client.read(created["id"]).text == answer.text


@pytest.mark.parametrize(
    "bad_note", [{}, {"title": None}, {"title": ""}, {"title": "x", "tags": None}, {"title": "x", "id": "x"}]
)
def test_a_replacement_must_be_a_whole_note(client: Client, bad_note: Any) -> None:
    note_id = client.new_id()
    assert client.replace(note_id, bad_note, If_Match="*").status == 422
    assert client.read(note_id).json["version"] == 1


# -- patch

# The examples of RFC 7396, appendix A: original, patch, result.
APPENDIX_A = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("original", "patch", "result"), APPENDIX_A)
def test_a_patch_merges_the_body_as_rfc_7396_says(client: Client, original: Any, patch: Any, result: Any) -> None:
    note = client.new_note({"title": "A", "body": original, "tags": ["t"]})
    answer = client.patch(note["id"], {"body": patch}, If_Match='"1"')
    assert answer.status == 200
    assert answer.json == {**note, "body": result, "version": 2, "updated_at": answer.json["updated_at"]}
    assert client.read(note["id"]).text == answer.text


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ({}, {}),
        ({"title": "B"}, {"title": "B"}),
        ({"tags": ["u", "v"]}, {"tags": ["u", "v"]}),
        ({"tags": None}, {"tags": []}),
        ({"body": None}, {"body": ""}),  # null removes a member, as in the last row of the appendix
        ({"tags": None, "body": None, "title": "B"}, {"tags": [], "body": "", "title": "B"}),
    ],
)
def test_a_patch_changes_only_the_members_that_it_names(client: Client, patch: Any, changed: Any) -> None:
    note = client.new_note({"title": "A", "body": {"a": "foo"}, "tags": ["t"]})
    patched = client.patch(note["id"], patch, If_Match='"1"').json
    assert patched == {**note, **changed, "version": 2, "updated_at": patched["updated_at"]}


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        *(({"title": None}, "/title"), ({"title": ""}, "/title"), ({"title": "x" * 201}, "/title")),
        *(({"tags": ["a", "a"]}, "/tags"), ({"tags": [None]}, "/tags/0"), ({"tags": {"0": "a"}}, "/tags")),
        *(
            ({"id": UNKNOWN_ID}, ""),
            ({"version": 7}, ""),
            ({"created_at": None}, ""),
            ([], ""),
            ("null", ""),
            ("7", ""),
        ),
    ],
)
def test_a_patch_that_does_not_fit_the_schema_gets_422(client: Client, patch: Any, pointer: str) -> None:
    note_id = client.new_id()
    answer = client.patch(note_id, patch, If_Match="*")
    assert (answer.status, answer.pointers) == (422, [pointer])
    assert client.read(note_id).json["version"] == 1


def test_a_patch_keeps_every_digit_of_the_other_numbers(client: Client) -> None:
    note = client.new_note('{"title":"A","body":{"big":' + "9" * 100 + ',"price":1.10,"old":1}}')
    answer = client.patch(note["id"], {"body": {"old": None}}, If_Match="*")
    assert '"body":{"big":' + "9" * 100 + ',"price":1.10}' in answer.text


def test_a_patch_that_makes_the_note_too_large_gets_413(client: Client) -> None:
    note = client.new_note({"title": "A", "body": {"a": "x" * 300_000}})
    assert client.patch(note["id"], {"body": {"b": "x" * 150_000}}, If_Match="*").status == 413
    assert client.read(note["id"]).json["version"] == 1


# -- changes by other clients at the same time

LetOthersChange = Callable[[str, int], list[int]]


@pytest.fixture
def let_others_change(client: Client, monkeypatch: pytest.MonkeyPatch) -> LetOthersChange:
    """Return a function that lets another client change a note between the read and the write of a patch.

    The other client changes the note before each of the next `times` writes. The function returns a list, which gets
    one number for each of these changes.
    """

    def let_others_change(note_id: str, times: int) -> list[int]:
        replace = client.store.replace
        changes: list[int] = []

        def replace_after_another(_store: Any, *arguments: Any) -> Any:
            if len(changes) < times:
                changes.append(len(changes))
                content = client.store.read(note_id).content
                replace(note_id, content.patched({"body": {f"other{changes[-1]}": 1}}), None)
            return replace(*arguments)

        monkeypatch.setattr(type(client.store), "replace", replace_after_another)
        return changes

    return let_others_change


def test_a_patch_of_a_version_that_another_client_changes_gets_412(
    client: Client, let_others_change: LetOthersChange
) -> None:
    note_id = client.new_note({"title": "A", "body": {}})["id"]
    let_others_change(note_id, 1)
    answer = client.patch(note_id, {"body": {"mine": 1}}, If_Match='"1"')
    assert (answer.status, answer.etag) == (412, '"2"')
    assert client.read(note_id).json["body"] == {"other0": 1}


@pytest.mark.parametrize("times", [1, 4])
def test_a_patch_with_a_star_is_tried_again_after_a_change_by_another_client(
    client: Client, let_others_change: LetOthersChange, times: int
) -> None:
    note_id = client.new_note({"title": "A", "body": {}})["id"]
    let_others_change(note_id, times)
    answer = client.patch(note_id, {"body": {"mine": 1}}, If_Match="*")
    assert answer.status == 200
    assert answer.json["body"] == {**{f"other{number}": 1 for number in range(times)}, "mine": 1}
    assert answer.json["version"] == times + 2


def test_a_patch_gets_409_and_retry_after_if_other_clients_are_always_faster(
    client: Client, let_others_change: LetOthersChange
) -> None:
    note_id = client.new_note({"title": "A", "body": {}})["id"]
    changes = let_others_change(note_id, 100)
    answer = client.patch(note_id, {"body": {"mine": 1}}, If_Match="*")
    assert answer.status == 409
    assert int(answer.headers["retry-after"]) >= 1
    assert len(changes) == PATCH_TRIES
    assert "mine" not in client.read(note_id).json["body"]


@pytest.mark.parametrize("etags", ['"1"', "*"])
def test_a_patch_does_not_create_a_deleted_note_again(
    client: Client, monkeypatch: pytest.MonkeyPatch, etags: str
) -> None:
    note_id = client.new_id()
    replace = client.store.replace

    def replace_after_deletion(_store: Any, *arguments: Any) -> Any:
        client.store.delete(note_id, None)
        monkeypatch.undo()
        return replace(*arguments)

    monkeypatch.setattr(type(client.store), "replace", replace_after_deletion)
    assert client.patch(note_id, {"title": "x"}, If_Match=etags).status == 404
    assert client.items() == []
