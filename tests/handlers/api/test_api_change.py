"""Reading, replacing, patching and deleting: nobody overwrites what they have not seen."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api.store import PATCH_TRIES
from tests.handlers.api.conftest import NOTES, Answer, World

UNKNOWN = "00000000-0000-4000-8000-000000000000"
NO_IDS = (
    "x",
    "0",
    "null",
    "..",
    " ",
    "٣",
    "idempotency#" + "0" * 64,
    UNKNOWN[:-1],
    UNKNOWN + "0",
    UNKNOWN.replace("-", ""),
    "{" + UNKNOWN + "}",
    "ABCDEF00-0000-4000-8000-000000000000",
)
Change = Callable[..., Answer]
CHANGES: dict[str, Callable[[World], Change]] = {
    "PUT": lambda world: lambda note_id, **headers: world.replace(note_id, {"title": "new"}, **headers),
    "PATCH": lambda world: lambda note_id, **headers: world.patch(note_id, {"title": "new"}, **headers),
    "DELETE": lambda world: world.delete,
}
each_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


# -- read


def test_a_note_is_read_with_its_etag(world: World) -> None:
    created = world.create({"title": "A", "body": [1], "tags": ["t"]})
    answer = world.read(created.json["id"])
    assert (answer.status, answer.text, answer.etag) == (200, created.text, created.etag)


def test_reading_is_consistent(world: World) -> None:
    note_id = world.created()["id"]
    world.operations()
    world.read(note_id)
    ((operation, asked),) = world.calls
    assert (operation, asked["ConsistentRead"]) == ("GetItem", True)


@pytest.mark.parametrize("tags", ['"1"', 'W/"1"', "*", '"7", "1"', '"x","1"', ' "1" ', 'W/"7", W/"1"', '"é", "1"'])
def test_a_note_that_the_client_has_is_not_sent_again(world: World, tags: str) -> None:
    answer = world.read(world.created()["id"], If_None_Match=tags)
    assert (answer.status, answer.text, answer.etag) == (304, "", '"1"')


@pytest.mark.parametrize("tags", ['"2"', '"01"', '"x"', '""', '"*"', 'W/"2"', '"11", "12"'])
def test_a_note_that_the_client_has_not_is_sent(world: World, tags: str) -> None:
    assert world.read(world.created()["id"], If_None_Match=tags).status == 200


def test_a_changed_note_is_sent_to_who_has_the_old_one(world: World) -> None:
    note_id = world.created()["id"]
    world.patch(note_id, {"title": "B"}, If_Match="*")
    assert world.read(note_id, If_None_Match='"1"').status == 200
    assert world.read(note_id, If_None_Match='"2"').status == 304


@pytest.mark.parametrize("note_id", [UNKNOWN, *NO_IDS])
def test_there_is_no_such_note(world: World, note_id: str) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body = {"title": "x"} if method in ("PUT", "PATCH") else None
        answer = world.send(method, f"{NOTES}/{note_id}", body, headers={"If-Match": "*"})
        assert answer.status == 404, method
    assert world.items() == []


def test_the_id_in_capitals_is_no_id(world: World) -> None:
    note_id = world.created()["id"]
    assert world.read(note_id.upper()).status == 404


@each_change
def test_what_is_gone_has_no_version_to_change(world: World, change: Callable[[World], Change]) -> None:
    note_id = world.created()["id"]
    world.delete(note_id)
    assert change(world)(note_id, If_Match='"1"').status == 404
    assert world.items() == []


# -- which version


@pytest.mark.parametrize("change", [CHANGES["PUT"], CHANGES["PATCH"]], ids=["PUT", "PATCH"])
def test_a_change_must_name_its_version(world: World, change: Callable[[World], Change]) -> None:
    note_id = world.created()["id"]
    answer = change(world)(note_id)
    assert answer.status == 428
    assert "If-Match" in answer.json["detail"]
    assert world.read(note_id).json["version"] == 1


@each_change
@pytest.mark.parametrize("tags", ['"1"', "*", " * ", '"7", "1"', '"x","1"', ['"7"', '"1"'], 'W/"7", "1"', '"1","1"'])
def test_a_change_of_a_version_that_is_current_is_made(
    world: World, change: Callable[[World], Change], tags: str | list[str]
) -> None:
    answer = change(world)(world.created()["id"], If_Match=tags)
    assert answer.status in (200, 204)
    if answer.status == 200:
        assert (answer.json["version"], answer.etag, answer.json["title"]) == (2, '"2"', "new")


@each_change
@pytest.mark.parametrize(
    "tags",
    [
        '"2"',
        '"0"',
        '"-1"',
        '"01"',
        'W/"1"',
        '"*"',
        '"x"',
        '""',
        '"abc", W/"1"',
        '"9999999999999999999999999999999999999999"',
        '"é"',
        ", ".join(f'"{n}"' for n in range(2, 22)),
    ],
)
def test_a_change_of_another_version_is_refused_with_the_current_etag(
    world: World, change: Callable[[World], Change], tags: str
) -> None:
    note_id = world.created()["id"]
    answer = change(world)(note_id, If_Match=tags)
    assert answer.status == 412
    assert answer.etag == '"1"'
    assert world.read(note_id).json["version"] == 1


@each_change
def test_the_etag_of_a_refusal_is_the_current_one(world: World, change: Callable[[World], Change]) -> None:
    note_id = world.created()["id"]
    for _ in range(10):
        etag = world.patch(note_id, {}, If_Match="*").etag
    refused = change(world)(note_id, If_Match='"1"')
    assert (refused.status, refused.etag) == (412, etag) == (412, '"11"')
    assert change(world)(note_id, If_Match=refused.etag).status in (200, 204)


@pytest.mark.parametrize(
    "tags", ["", " ", "1", '"1', '"1 "', '1"', '"1" "2"', "*, *", '*, "1"', 'w/"1"', 'W/ "1"', "'1'", '"a"b"']
)
def test_what_is_no_list_of_tags_is_refused(world: World, tags: str) -> None:
    note_id = world.created()["id"]
    for change in CHANGES.values():
        answer = change(world)(note_id, If_Match=tags)
        assert answer.status == 400
        assert "If-Match" in answer.json["detail"]
    assert world.read(note_id, If_None_Match=tags).status == 400
    assert world.read(note_id).json["version"] == 1


def test_too_many_tags_are_refused(world: World) -> None:
    note_id = world.created()["id"]
    tags = ", ".join(['"1"'] * 21)
    for change in CHANGES.values():
        assert change(world)(note_id, If_Match=tags).status == 400
    assert world.read(note_id, If_None_Match=tags).status == 400


@pytest.mark.parametrize("tags", ['"1",,"7"', ', "1"', '"1" ,', ',,"7",\t,"1"'])
def test_empty_elements_of_a_list_are_ignored(world: World, tags: str) -> None:
    """RFC 9110, section 5.6.1.2: a recipient must."""
    assert world.patch(world.created()["id"], {"title": "x"}, If_Match=tags).status == 200


# -- replace


def test_a_replacement_leaves_nothing_of_what_was(world: World) -> None:
    created = world.created({"title": "A", "body": {"a": 1}, "tags": ["t"]})
    answer = world.replace(created["id"], {"title": "B"}, If_Match='"1"')
    assert answer.status == 200
    note = answer.json
    assert note == {**created, "title": "B", "body": "", "tags": [], "version": 2, "updated_at": note["updated_at"]}
    assert note["updated_at"] > note["created_at"] == created["created_at"]
    assert world.read(created["id"]).text == answer.text


@pytest.mark.parametrize(
    "bad", [{}, {"title": None}, {"title": ""}, {"title": "x", "tags": None}, {"title": "x", "id": "x"}]
)
def test_a_replacement_is_a_whole_note(world: World, bad: Any) -> None:
    note_id = world.created()["id"]
    assert world.replace(note_id, bad, If_Match="*").status == 422
    assert world.read(note_id).json["version"] == 1


def test_a_replacement_is_json_and_no_patch(world: World) -> None:
    note_id = world.created()["id"]
    headers = {"If-Match": "*", "Content-Type": "application/merge-patch+json"}
    assert world.send("PUT", f"{NOTES}/{note_id}", {"title": "x"}, headers=headers).status == 415


# -- patch

# RFC 7396, appendix A: original, patch, result.
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
def test_a_body_is_merged_as_rfc_7396_says(world: World, original: Any, patch: Any, result: Any) -> None:
    note = world.created({"title": "A", "body": original, "tags": ["t"]})
    answer = world.patch(note["id"], {"body": patch}, If_Match='"1"')
    assert answer.status == 200
    assert answer.json == {**note, "body": result, "version": 2, "updated_at": answer.json["updated_at"]}
    assert world.read(note["id"]).text == answer.text


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ({}, {}),
        ({"title": "B"}, {"title": "B"}),
        ({"tags": ["u", "v"]}, {"tags": ["u", "v"]}),
        ({"tags": None}, {"tags": []}),
        ({"body": None}, {"body": ""}),  # the one row of the appendix that is left: null takes the member away
        ({"tags": None, "body": None, "title": "B"}, {"tags": [], "body": "", "title": "B"}),
    ],
)
def test_a_patch_changes_what_it_names_and_no_more(world: World, patch: Any, changed: Any) -> None:
    note = world.created({"title": "A", "body": {"a": "foo"}, "tags": ["t"]})
    patched = world.patch(note["id"], patch, If_Match='"1"').json
    assert patched == {**note, **changed, "version": 2, "updated_at": patched["updated_at"]}


def test_a_patch_may_be_sent_as_json(world: World) -> None:
    headers = {"If-Match": "*", "Content-Type": "application/json"}
    assert world.send("PATCH", f"{NOTES}/{world.created()['id']}", {"title": "x"}, headers=headers).status == 200


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({"title": None}, "/title"),
        ({"title": ""}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"tags": ["a", "a"]}, "/tags"),
        ({"tags": [None]}, "/tags/0"),
        ({"tags": {"0": "a"}}, "/tags"),
        ({"id": UNKNOWN}, ""),
        ({"version": 7}, ""),
        ({"created_at": None}, ""),
        ([], ""),
        ("null", ""),
        ("7", ""),
    ],
)
def test_a_patch_that_the_schema_forbids_is_refused(world: World, patch: Any, pointer: str) -> None:
    note_id = world.created()["id"]
    answer = world.patch(note_id, patch, If_Match="*")
    assert (answer.status, answer.pointers) == (422, [pointer])
    assert world.read(note_id).json["version"] == 1


def test_numbers_that_a_patch_does_not_name_keep_their_digits(world: World) -> None:
    note = world.created('{"title":"A","body":{"big":' + "9" * 100 + ',"price":1.10,"old":1}}')
    answer = world.patch(note["id"], {"body": {"old": None}}, If_Match="*")
    assert '"body":{"big":' + "9" * 100 + ',"price":1.10}' in answer.text


def test_a_patch_that_only_together_is_too_large_is_refused(world: World) -> None:
    note = world.created({"title": "A", "body": {"a": "x" * 300_000}})
    assert world.patch(note["id"], {"body": {"b": "x" * 150_000}}, If_Match="*").status == 413
    assert world.read(note["id"]).json["version"] == 1


# -- two at once


@pytest.mark.slow
def test_no_change_is_lost_however_many_come_at_once(world: World) -> None:
    """Fifty clients read the same version; each adds its own member, and begins anew when another was faster."""
    note_id = world.created({"title": "A", "body": {}})["id"]
    together, refusals = threading.Barrier(50), []

    def client(number: int) -> None:
        etag = world.read(note_id).etag
        together.wait(30)
        while (answer := world.patch(note_id, {"body": {str(number): number}}, If_Match=etag)).status == 412:
            refusals.append(answer.etag)
            etag = world.read(note_id).etag
        assert answer.status == 200

    with ThreadPoolExecutor(50) as threads:
        list(threads.map(client, range(50)))
    note = world.read(note_id).json
    assert note["body"] == {str(number): number for number in range(50)}
    assert note["version"] == 51
    assert len(refusals) >= 49


def overtaken(world: World, monkeypatch: pytest.MonkeyPatch, note_id: str, times: int) -> list[int]:
    """Let others change the note between the reading and the writing of a patch; the list counts how often."""
    replace = world.function.routes.store.replace
    others: list[int] = []

    def after_another(*arguments: Any) -> Any:
        if len(others) < times:
            others.append(len(others))
            content = world.function.routes.store.read(note_id).content
            replace(note_id, content.patched({"body": {f"other{others[-1]}": 1}}), None)
        return replace(*arguments)

    monkeypatch.setattr(world.function.routes.store, "replace", after_another)
    return others


def test_a_patch_of_a_version_that_is_overtaken_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    note_id = world.created({"title": "A", "body": {}})["id"]
    overtaken(world, monkeypatch, note_id, times=1)
    answer = world.patch(note_id, {"body": {"mine": 1}}, If_Match='"1"')
    assert (answer.status, answer.etag) == (412, '"2"')
    assert world.read(note_id).json["body"] == {"other0": 1}


@pytest.mark.parametrize("times", [1, 4])
def test_a_patch_of_whichever_version_is_made_anew(world: World, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    note_id = world.created({"title": "A", "body": {}})["id"]
    overtaken(world, monkeypatch, note_id, times=times)
    answer = world.patch(note_id, {"body": {"mine": 1}}, If_Match="*")
    assert answer.status == 200
    assert answer.json["body"] == {**{f"other{number}": 1 for number in range(times)}, "mine": 1}
    assert answer.json["version"] == times + 2


def test_a_patch_that_always_loses_is_a_conflict_to_retry(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    note_id = world.created({"title": "A", "body": {}})["id"]
    others = overtaken(world, monkeypatch, note_id, times=100)
    answer = world.patch(note_id, {"body": {"mine": 1}}, If_Match="*")
    assert answer.status == 409
    assert int(answer.headers["retry-after"]) >= 1
    assert len(others) == PATCH_TRIES
    assert "mine" not in world.read(note_id).json["body"]


@pytest.mark.parametrize("tags", ['"1"', "*"])
def test_a_patch_of_what_is_deleted_meanwhile_brings_nothing_back(
    world: World, monkeypatch: pytest.MonkeyPatch, tags: str
) -> None:
    note_id = world.created()["id"]
    replace = world.function.routes.store.replace

    def after_deletion(*arguments: Any) -> Any:
        world.function.routes.store.delete(note_id, None)
        monkeypatch.undo()
        return replace(*arguments)

    monkeypatch.setattr(world.function.routes.store, "replace", after_deletion)
    assert world.patch(note_id, {"title": "x"}, If_Match=tags).status == 404
    assert world.items() == []


# -- delete


def test_a_deleted_note_is_gone(world: World) -> None:
    kept, note_id = world.created()["id"], world.created()["id"]
    answer = world.delete(note_id)
    assert (answer.status, answer.text) == (204, "")
    assert world.read(note_id).status == 404
    assert world.delete(note_id).status == 404
    assert world.note_ids() == {kept}
