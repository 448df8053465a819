"""The parts of the function, each by itself; and that code and OpenAPI document say the same."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from api import contract, jsontext, notes, problems
from api.contract import OPENAPI
from api.notes import Content
from api.pages import Cursor
from api.preconditions import MAX_TAGS, matches_weakly, parse_if_match
from api.problems import Problem
from api.request import DEFAULT_LIMIT, MAX_LIMIT, Request
from tests.handlers.api.conftest import World, event, resolved
from tests.handlers.api.test_api_bodies import VALUES
from tests.handlers.api.test_api_change import APPENDIX_A

SCHEMAS = OPENAPI["components"]["schemas"]


def refusal(call: Callable[[], Any]) -> int | None:
    """The status that a call is refused with; None where it is not."""
    try:
        call()
    except Problem as problem:
        return problem.status
    return None


# -- jsontext


@given(value=VALUES)
def test_what_is_dumped_is_parsed_and_dumped_alike(value: Any) -> None:
    text = jsontext.dump(value)
    parsed = jsontext.parse(text)
    assert jsontext.dump(parsed) == text
    assert parsed == value


def kinds(value: Any) -> Iterator[type]:
    yield type(value)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from kinds(inner)


@given(value=VALUES)
def test_no_number_is_ever_a_float(value: Any) -> None:
    assert float not in set(kinds(jsontext.parse(jsontext.dump(value))))
    assert type(jsontext.parse("1.0")) is Decimal
    assert type(jsontext.parse("1E2")) is Decimal


def parsed(parse: Callable[[str], Any], text: str) -> Any:
    """The value of a text; the type ValueError where it is no JSON."""
    try:
        return parse(text)
    except ValueError:
        return ValueError


@given(text=st.text() | st.text(st.sampled_from('[]{}:,"\\ 0123456789.eE+-truefalsn/')) | VALUES.map(jsontext.dump))
def test_another_parser_is_of_the_same_opinion(text: str) -> None:
    def other(text: str) -> Any:
        return json.loads(text.removeprefix("\ufeff"), parse_float=Decimal, parse_constant=int)

    assert parsed(jsontext.parse, text) == parsed(other, text)


def test_white_space_and_escapes_are_not_kept() -> None:
    assert jsontext.dump(jsontext.parse(' { "\\u0061" : [ 1 , true ] } ')) == '{"a":[1,true]}'


# -- notes


@pytest.mark.parametrize(("original", "patch", "result"), [*APPENDIX_A, ({"a": "foo"}, None, None)])
def test_the_appendix_of_rfc_7396(original: Any, patch: Any, result: Any) -> None:
    before = json.dumps([original, patch])
    assert notes.merge_patch(original, patch) == result
    assert json.dumps([original, patch]) == before, "it changed what it was given"


@given(value=VALUES, patch=VALUES)
def test_a_patch_made_twice_changes_nothing_more(value: Any, patch: Any) -> None:
    once = notes.merge_patch(value, patch)
    assert jsontext.dump(notes.merge_patch(once, patch)) == jsontext.dump(once)


@given(body=VALUES)
def test_the_order_of_members_leaves_no_trace_in_a_fingerprint(body: Any) -> None:
    assert Content(title="A", body=body).fingerprint == Content(title="A", body=turned(body)).fingerprint


def turned(value: Any) -> Any:
    """The same with the members of every object in the opposite order."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(one) for one in value] if isinstance(value, list) else value


def test_contents_that_differ_have_fingerprints_that_differ() -> None:
    bodies = [
        "",
        "1",
        1,
        Decimal("1.0"),
        True,
        None,
        [],
        {},
        [1],
        ["1"],
        [[1]],
        {"a": 1},
        {"a": "1"},
        {"b": 1},
        [1, 2],
        [2, 1],
    ]
    contents = [Content(title="A", body=body) for body in bodies]
    contents += [Content(title="A", tags=tags) for tags in (("a",), ("a", "b"), ("b", "a"), ("ab",), ('a","b',))]
    contents += [Content(title=title) for title in ("a", "A ", 'A",""')]
    assert len({content.fingerprint for content in contents}) == len(contents)


@given(first=st.datetimes(min_value=datetime(1970, 1, 1)), second=st.datetimes(min_value=datetime(1970, 1, 1)))  # noqa: DTZ001
def test_timestamps_sort_as_moments_do(first: datetime, second: datetime) -> None:
    earlier, later = sorted([first.replace(tzinfo=UTC), second.replace(tzinfo=UTC)])
    assert notes.timestamp(earlier) <= notes.timestamp(later)
    assert datetime.fromisoformat(notes.timestamp(earlier)) == earlier


def test_a_timestamp_always_has_its_microseconds() -> None:
    assert notes.timestamp(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000000Z"


# -- preconditions


@pytest.mark.parametrize(
    ("value", "versions"),
    [
        ("*", None),
        (" *\t", None),
        ('"1"', {1}),
        ('"1","2" , "3"', {1, 2, 3}),
        ('W/"1", "2"', {2}),
        ('W/"1"', set()),
        ('"01", "0", "-1", "+1", "1.0", "", "x", "1e1"', set()),
        ('"999999999999999999"', {10**18 - 1}),
        ('"9999999999999999999"', set()),
        ('"a,b", "1"', {1}),
        ('"x,"', set()),
    ],
)
def test_if_match_names_versions(value: str, versions: set[int] | None) -> None:
    assert parse_if_match(value) == (None if versions is None else frozenset(versions))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("*", False),
        ('"3"', False),
        ('W/"3"', False),
        ('"2"', True),
        ('W/"2", "x"', True),
        ('"2", "3"', False),
    ],
)
def test_if_none_match_compares_weakly(value: str, wanted: bool) -> None:  # noqa: FBT001
    assert (not matches_weakly(value, '"3"')) is wanted


@given(value=st.text(st.sampled_from('"W/*, 1x\t')) | st.text())
def test_any_other_text_is_refused_alike_by_both(value: str) -> None:
    assert refusal(lambda: parse_if_match(value)) == refusal(lambda: matches_weakly(value, '"1"'))
    assert refusal(lambda: parse_if_match(value)) in (None, 400)


def test_as_many_tags_as_are_allowed() -> None:
    tags = [f'"{number}"' for number in range(1, MAX_TAGS + 2)]
    assert parse_if_match(", ".join(tags[:-1])) == frozenset(range(1, MAX_TAGS + 1))
    assert refusal(lambda: parse_if_match(", ".join(tags))) == 400


@pytest.mark.timeout(5)
@pytest.mark.parametrize("unit", ['"', '""', '"1" ', '"1",', " ", ", ", 'W/"', '"1", ', "*"])
def test_a_hostile_list_takes_no_time(unit: str) -> None:
    for end in ("", "x", '"'):
        assert refusal(lambda end=end: parse_if_match(unit * 20_000 + end)) == 400  # type: ignore[misc]


# -- cursors

STAMPS = st.datetimes(min_value=datetime(1970, 1, 1)).map(lambda moment: notes.timestamp(moment.replace(tzinfo=UTC)))  # noqa: DTZ001
CURSORS = st.builds(Cursor, STAMPS, st.uuids().map(str))


@given(cursor=CURSORS)
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    text = str(cursor)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text), "it would have to be escaped in a query"
    assert Cursor.parse(text) == cursor


@given(cursor=CURSORS, data=st.data())
def test_a_cursor_that_was_tampered_with_is_another_or_none(cursor: Cursor, data: st.DataObject) -> None:
    text = str(cursor)
    place = data.draw(st.integers(0, len(text) - 1))
    tampered = text[:place] + data.draw(st.characters() | st.sampled_from("AZaz09-_=+/")) + text[place + 1 :]
    if refusal(lambda: Cursor.parse(tampered)) is None:
        assert str(Cursor.parse(tampered)) == tampered
    else:
        assert refusal(lambda: Cursor.parse(tampered)) == 400


@pytest.mark.parametrize(
    "document",
    [
        '{"2026-11-21T10:00:00.000000Z": 1, "00000000-0000-4000-8000-000000000000": 2}',
        '["٢٠٢٦-11-21T10:00:00.000000Z", "00000000-0000-4000-8000-000000000000"]',
        '[ "2026-11-21T10:00:00.000000Z",  "00000000-0000-4000-8000-000000000000" ]',
    ],
    ids=["object", "digits", "spaces"],
)
def test_only_what_a_page_gave_is_a_cursor(document: str) -> None:
    text = base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")
    assert refusal(lambda: Cursor.parse(text)) == 400


@given(text=st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    assert refusal(lambda: Cursor.parse(text)) == 400


# -- the OpenAPI document and the code


def routes(function: ModuleType) -> set[tuple[str, str, str]]:
    """Method, path and function of what the resolver knows."""
    known = [*function.app._static_routes, *function.app._dynamic_routes]
    return {(route.method, re.sub(r"<(\w+)>", r"{\1}", route.path), route.func.__name__) for route in known}


def operations() -> set[tuple[str, str, str]]:
    """Method, path and operationId of what the document promises."""
    return {
        (name.upper(), path, operation["operationId"])
        for path, item in OPENAPI["paths"].items()
        for name, operation in item.items()
        if name != "parameters"
    }


def test_every_operation_has_its_function_and_every_function_its_operation(function: ModuleType) -> None:
    assert routes(function) == operations()


def references(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value
        value = [*value.values()]
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_reference_of_the_document_resolves_and_every_component_is_used() -> None:
    used = {reference["$ref"] for reference in references(OPENAPI)}
    for reference in references(OPENAPI):
        assert resolved(reference)
    components = {
        f"#/components/{kind}/{name}"
        for kind, named in OPENAPI["components"].items()
        if kind != "securitySchemes"
        for name in named
    }
    assert used == components


def test_a_links_operation_exists_and_takes_its_parameters() -> None:
    known = {operation_id for _, _, operation_id in operations()}
    for link in OPENAPI["paths"]["/v1/notes"]["post"]["responses"]["201"]["links"].values():
        assert link["operationId"] in known


def test_notes_are_alike_wherever_they_are_described() -> None:
    note, summary = SCHEMAS["Note"], SCHEMAS["NoteSummary"]
    whole = {name: value for name, value in note["properties"].items() if name != "body"}
    assert summary["properties"] == whole
    assert set(note["required"]) == set(note["properties"])
    assert set(summary["required"]) == set(summary["properties"])
    for name in ("title", "tags"):
        assert SCHEMAS["NoteInput"]["properties"][name] == note["properties"][name]
    limits = ("maxItems", "uniqueItems", "items")
    patched, kept = SCHEMAS["NotePatch"]["properties"], note["properties"]
    assert patched["title"] == kept["title"]
    assert {name: patched["tags"][name] for name in limits} == {name: kept["tags"][name] for name in limits}


def test_the_documents_numbers_are_the_codes() -> None:
    parameters = OPENAPI["components"]["parameters"]
    limit = parameters["Limit"]["schema"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (
        1,
        MAX_LIMIT,
        DEFAULT_LIMIT,
    )
    assert SCHEMAS["NotePage"]["properties"]["notes"]["maxItems"] == MAX_LIMIT
    assert f"at most {jsontext.MAX_DEPTH} levels deep" in SCHEMAS["NoteInput"]["properties"]["body"]["description"]


@given(key=st.text(max_size=300) | st.text(st.characters(min_codepoint=32, max_codepoint=127), max_size=300))
def test_an_idempotency_key_is_what_the_documents_pattern_says(key: str) -> None:
    pattern = OPENAPI["components"]["parameters"]["IdempotencyKey"]["schema"]["pattern"]
    request = Request(event("POST", "/v1/notes", headers={"Idempotency-Key": key}))
    taken = refusal(request.idempotency_key) is None
    assert taken == bool(re.search(pattern.replace("$", r"\Z"), key))


MEMBERS = st.none() | st.text(max_size=3) | st.integers() | st.lists(st.text(max_size=2) | st.none(), max_size=3)


@pytest.mark.parametrize("schema", ["NoteInput", "NotePatch"])
@given(document=st.dictionaries(st.sampled_from(["title", "body", "tags", "x"]), MEMBERS) | MEMBERS)
def test_another_validator_is_of_the_same_opinion(schema: str, document: Any) -> None:
    refused = refusal(lambda: contract.validate(schema, document))
    assert refused == (None if jsonschema_rs.is_valid(SCHEMAS[schema], document) else 422)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/health", {"GET"}),
        ("/v1/notes", {"GET", "POST"}),
        ("/v1/notes/x", {"GET", "PUT", "PATCH", "DELETE"}),
        ("/v1/notes/x/y", set()),
        ("/v1", set()),
        ("/v1/notesx", set()),
    ],
)
def test_a_path_has_its_methods(path: str, methods: set[str]) -> None:
    assert set(contract.allowed_methods(path)) == methods


# -- problems


def test_a_problem_has_the_members_of_the_document() -> None:
    document = Problem(422, "why", errors=[{"pointer": "/a", "detail": "b"}]).document("id")
    assert document.keys() == SCHEMAS["Problem"]["properties"].keys()
    assert "errors" not in Problem(404, "why").document("id")


def test_every_status_has_its_name() -> None:
    renamed = {413: "Content Too Large", 422: "Unprocessable Content"}  # in Python 3.13, as in RFC 9110
    for status, title in problems.TITLES.items():
        assert title == renamed.get(status, HTTPStatus(status).phrase)


def test_every_status_that_is_answered_has_a_name() -> None:
    sources = "".join(file.read_text() for file in Path(problems.__file__).parent.glob("*.py"))
    assert {int(status) for status in re.findall(r"Problem\(\s*(\d{3})", sources)} == set(problems.TITLES)


# -- what moto does not say


def test_no_expression_uses_a_word_that_dynamodb_reserves(world: World) -> None:
    note_id = world.created(key="once")["id"]
    world.created()
    world.page()
    world.replace(note_id, {"title": "x"}, If_Match="*")
    world.delete(note_id, If_Match='"2", "3"')
    written = [asked for _, asked in world.calls]
    written += [one["Put"] for asked in written for one in asked.get("TransactItems", [])]
    expressions = [text for asked in written for name, text in asked.items() if name.endswith("Expression")]
    assert len(expressions) == 7
    words = {word.upper() for text in expressions for word in re.findall(r"(?<![:#\w])[A-Za-z_]+", text)}
    syntax = {"SET", "IN", "OR", "ATTRIBUTE_NOT_EXISTS"}
    assert words & set(ReservedKeywords.get_reserved_keywords()) <= syntax
