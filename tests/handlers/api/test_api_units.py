"""The modules of the function, each alone; and the agreement of the code with openapi.json."""

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

from api import jsontext, notes, openapi, problems, request
from api.notes import Content
from api.openapi import OPENAPI
from api.pages import Cursor
from api.preconditions import MAX_TAGS, matches_weakly, parse_if_match
from api.problems import Problem
from tests.handlers.api.conftest import JSON_VALUES
from tests.handlers.api.documented import resolve
from tests.handlers.api.notes_client import Client, event
from tests.handlers.api.test_api_change import APPENDIX_A

SCHEMAS = OPENAPI["components"]["schemas"]


def problem_status(call: Callable[[], Any]) -> int | None:
    """Return the status of the Problem that the call raises; None if it raises none."""
    try:
        call()
    except Problem as problem:
        return problem.status
    return None


# -- jsontext


def types_within(value: Any) -> Iterator[type]:
    yield type(value)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from types_within(inner)


@given(value=JSON_VALUES)
def test_dumped_json_is_parsed_without_loss(value: Any) -> None:
    text = jsontext.dump(value)
    parsed = jsontext.parse(text)
    assert parsed == value
    assert jsontext.dump(parsed) == text
    assert float not in set(types_within(parsed))


@pytest.mark.parametrize("text", ["1.0", "1E2"])
def test_a_number_with_a_point_or_an_exponent_is_a_decimal(text: str) -> None:
    assert type(jsontext.parse(text)) is Decimal


JSON_LIKE = st.text(st.sampled_from('[]{}:,"\\ 0123456789.eE+-truefalsn/'))


@given(text=st.text() | JSON_LIKE | JSON_VALUES.map(jsontext.dump))
def test_the_parser_agrees_with_pythons_own(text: str) -> None:
    def python_parse(text: str) -> Any:
        return json.loads(text.removeprefix("\ufeff"), parse_float=Decimal, parse_constant=int)

    def value_or_error(parse: Callable[[str], Any]) -> Any:
        try:
            return parse(text)
        except ValueError:
            return ValueError

    assert value_or_error(jsontext.parse) == value_or_error(python_parse)


# -- notes


@pytest.mark.parametrize(("original", "patch", "result"), [*APPENDIX_A, ({"a": "foo"}, None, None)])
def test_a_merge_patch_leaves_its_arguments_unchanged(original: Any, patch: Any, result: Any) -> None:
    before = json.dumps([original, patch])
    assert notes.merge_patch(original, patch) == result
    assert json.dumps([original, patch]) == before


@given(value=JSON_VALUES, patch=JSON_VALUES)
def test_the_same_patch_again_changes_nothing(value: Any, patch: Any) -> None:
    once = notes.merge_patch(value, patch)
    assert jsontext.dump(notes.merge_patch(once, patch)) == jsontext.dump(once)


def reverse_members(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reverse_members(value[name]) for name in reversed(value)}
    return [reverse_members(inner) for inner in value] if isinstance(value, list) else value


@given(body=JSON_VALUES)
def test_the_order_of_members_does_not_change_the_fingerprint(body: Any) -> None:
    assert Content(title="A", body=body).fingerprint == Content(title="A", body=reverse_members(body)).fingerprint


def test_different_contents_have_different_fingerprints() -> None:
    bodies: list[Any] = ["", "1", 1, Decimal("1.0"), True, None, [], {}, [1], ["1"], [[1]], [1, 2], [2, 1]]
    bodies += [{"a": 1}, {"a": "1"}, {"b": 1}]
    contents = [Content(title="A", body=body) for body in bodies]
    contents += [Content(title="A", tags=tags) for tags in (("a",), ("a", "b"), ("b", "a"), ("ab",), ('a","b',))]
    contents += [Content(title=title) for title in ("a", "A ", 'A",""')]
    assert len({content.fingerprint for content in contents}) == len(contents)


def test_a_fingerprint_stays_the_same_in_newer_versions() -> None:
    """The table keeps fingerprints for a day, so an upgraded function must compute the same ones."""
    body = {"b": [{"z": 1, "é": Decimal("1.10")}], "a": None}
    fingerprint = "36050bf1ef95434073fe688e3b9a5c27451bb386e1a56cdabb28c2ca6d29965e"
    assert Content(title="A", body=body, tags=("t",)).fingerprint == fingerprint


NAIVE_MOMENTS = st.datetimes(min_value=datetime(1970, 1, 1))  # noqa: DTZ001 - hypothesis adds the time zone below
MOMENTS = NAIVE_MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC))


@given(moments=st.tuples(MOMENTS, MOMENTS))
def test_timestamps_sort_in_the_order_of_time(moments: tuple[datetime, datetime]) -> None:
    earlier, later = sorted(moments)
    assert notes.timestamp(earlier) <= notes.timestamp(later)
    assert datetime.fromisoformat(notes.timestamp(earlier)) == earlier


def test_a_timestamp_always_has_microseconds() -> None:
    assert notes.timestamp(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000000Z"


# -- preconditions


@pytest.mark.parametrize(
    ("value", "versions"),
    [
        *(("*", None), (" *\t", None), ('"1"', {1}), ('"1","2" , "3"', {1, 2, 3}), ('W/"1", "2"', {2})),
        *(('W/"1"', set()), ('"a,b", "1"', {1}), ('"x,"', set())),
        ('"01", "0", "-1", "+1", "1.0", "", "x", "1e1"', set()),
        ('"999999999999999999"', {10**18 - 1}),
        ('"9999999999999999999"', set()),
    ],
)
def test_if_match_names_versions(value: str, versions: set[int] | None) -> None:
    assert parse_if_match(value) == (None if versions is None else frozenset(versions))


@pytest.mark.parametrize(
    ("value", "matches"),
    [
        *(("*", True), ('"3"', True), ('W/"3"', True), ('"2", "3"', True)),
        *(('"2"', False), ('W/"2", "x"', False)),
    ],
)
def test_if_none_match_compares_weakly(value: str, matches: bool) -> None:  # noqa: FBT001
    assert matches_weakly(value, '"3"') is matches


@given(value=st.text(st.sampled_from('"W/*, 1x\t')) | st.text())
def test_both_headers_refuse_the_same_values(value: str) -> None:
    status = problem_status(lambda: parse_if_match(value))
    assert status in (None, 400)
    assert problem_status(lambda: matches_weakly(value, '"1"')) == status


def test_the_largest_number_of_tags_is_accepted() -> None:
    tags = [f'"{number}"' for number in range(1, MAX_TAGS + 2)]
    assert parse_if_match(", ".join(tags[:-1])) == frozenset(range(1, MAX_TAGS + 1))
    assert problem_status(lambda: parse_if_match(", ".join(tags))) == 400


@pytest.mark.timeout(5)
@pytest.mark.parametrize("unit", ['"', '""', '"1" ', '"1",', " ", ", ", 'W/"', '"1", ', "*"])
@pytest.mark.parametrize("end", ["", "x", '"'])
def test_a_hostile_list_is_refused_quickly(unit: str, end: str) -> None:
    assert problem_status(lambda: parse_if_match(unit * 20_000 + end)) == 400


# -- cursors

CURSORS = st.builds(Cursor, MOMENTS.map(notes.timestamp), st.uuids().map(str))


@given(cursor=CURSORS)
def test_a_cursor_is_parsed_from_its_text(cursor: Cursor) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", str(cursor)), "a query would have to escape it"
    assert Cursor.parse(str(cursor)) == cursor


@given(cursor=CURSORS, data=st.data())
def test_a_changed_cursor_is_refused_or_another_exact_cursor(cursor: Cursor, data: st.DataObject) -> None:
    text = str(cursor)
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.characters() | st.sampled_from("AZaz09-_=+/")) + text[place + 1 :]
    status = problem_status(lambda: Cursor.parse(changed))
    assert status == 400 or (status is None and str(Cursor.parse(changed)) == changed)


@pytest.mark.parametrize(
    "document",
    [
        '{"2026-11-21T10:00:00.000000Z": 1, "00000000-0000-4000-8000-000000000000": 2}',
        '["٢٠٢٦-11-21T10:00:00.000000Z", "00000000-0000-4000-8000-000000000000"]',
        '[ "2026-11-21T10:00:00.000000Z",  "00000000-0000-4000-8000-000000000000" ]',
    ],
    ids=["object", "other digits", "spaces"],
)
def test_a_cursor_in_another_spelling_is_refused(document: str) -> None:
    text = base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")
    assert problem_status(lambda: Cursor.parse(text)) == 400


@given(text=st.text())
def test_any_other_text_is_refused_as_a_cursor(text: str) -> None:
    assert problem_status(lambda: Cursor.parse(text)) == 400


# -- openapi.json and the code


def documented_operations() -> set[tuple[str, str, str]]:
    """Return the method, path and operationId of every operation."""
    return {
        (name.upper(), path, operation["operationId"])
        for path, item in OPENAPI["paths"].items()
        for name, operation in item.items()
        if name != "parameters"
    }


def test_every_operation_has_a_function_of_the_same_name(function: ModuleType) -> None:
    routes = [*function.app._static_routes, *function.app._dynamic_routes]
    implemented = {(route.method, re.sub(r"<(\w+)>", r"{\1}", route.path), route.func.__name__) for route in routes}
    assert implemented == documented_operations()


def references(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value
        value = [*value.values()]
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_reference_resolves_and_every_component_is_used() -> None:
    assert all(resolve(reference) for reference in references(OPENAPI))
    components = {
        f"#/components/{kind}/{name}"
        for kind, named in OPENAPI["components"].items()
        if kind != "securitySchemes"
        for name in named
    }
    assert {reference["$ref"] for reference in references(OPENAPI)} == components


def test_every_link_names_an_operation() -> None:
    links = OPENAPI["paths"]["/v1/notes"]["post"]["responses"]["201"]["links"].values()
    assert {link["operationId"] for link in links} <= {operation_id for _, _, operation_id in documented_operations()}


def test_all_schemas_describe_the_same_note() -> None:
    note, summary = SCHEMAS["Note"], SCHEMAS["NoteSummary"]
    assert summary["properties"] == {name: value for name, value in note["properties"].items() if name != "body"}
    assert set(note["required"]) == set(note["properties"])
    assert set(summary["required"]) == set(summary["properties"])
    for name in ("title", "tags"):
        assert SCHEMAS["NoteInput"]["properties"][name] == note["properties"][name]
    patched, whole = SCHEMAS["NotePatch"]["properties"], note["properties"]
    assert patched["title"] == whole["title"]
    for limit in ("maxItems", "uniqueItems", "items"):
        assert patched["tags"][limit] == whole["tags"][limit]


def test_the_document_has_the_limits_of_the_code() -> None:
    limit = OPENAPI["components"]["parameters"]["Limit"]["schema"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, request.MAX_LIMIT, request.DEFAULT_LIMIT)
    assert SCHEMAS["NotePage"]["properties"]["notes"]["maxItems"] == request.MAX_LIMIT
    assert f"at most {jsontext.MAX_DEPTH} levels deep" in SCHEMAS["NoteInput"]["properties"]["body"]["description"]


@given(key=st.text(max_size=300) | st.text(st.characters(min_codepoint=32, max_codepoint=127), max_size=300))
def test_an_idempotency_key_fits_the_documented_pattern(key: str) -> None:
    pattern = OPENAPI["components"]["parameters"]["IdempotencyKey"]["schema"]["pattern"]
    create = request.Request(event("POST", "/v1/notes", headers={"Idempotency-Key": key}))
    accepted = problem_status(create.idempotency_key) is None
    assert accepted == bool(re.search(pattern.replace("$", r"\Z"), key))


MEMBERS = st.none() | st.text(max_size=3) | st.integers() | st.lists(st.text(max_size=2) | st.none(), max_size=3)


@pytest.mark.parametrize("schema", ["NoteInput", "NotePatch"])
@given(document=st.dictionaries(st.sampled_from(["title", "body", "tags", "x"]), MEMBERS) | MEMBERS)
def test_the_validator_agrees_with_another_one(schema: str, document: Any) -> None:
    status = problem_status(lambda: openapi.validate(schema, document))
    assert status == (None if jsonschema_rs.is_valid(SCHEMAS[schema], document) else 422)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        *(("/v1/health", {"GET"}), ("/v1/notes", {"GET", "POST"}), ("/v1/notes/x", {"GET", "PUT", "PATCH", "DELETE"})),
        *(("/v1/notes/x/y", set()), ("/v1", set()), ("/v1/notesx", set())),
    ],
)
def test_a_path_has_its_documented_methods(path: str, methods: set[str]) -> None:
    assert set(openapi.allowed_methods(path)) == methods


# -- problems


def test_a_problem_has_the_documented_members() -> None:
    document = Problem(422, "why", errors=[{"pointer": "/a", "detail": "b"}]).document("id")
    assert document.keys() == SCHEMAS["Problem"]["properties"].keys()
    assert "errors" not in Problem(404, "why").document("id")


def test_every_status_in_the_code_has_its_standard_title() -> None:
    sources = "".join(file.read_text() for file in Path(problems.__file__).parent.glob("*.py"))
    assert {int(status) for status in re.findall(r"Problem\(\s*(\d{3})", sources)} == set(problems.TITLES)
    renamed = {413: "Content Too Large", 422: "Unprocessable Content"}  # http.HTTPStatus has these since Python 3.13
    for status, title in problems.TITLES.items():
        assert title == renamed.get(status, HTTPStatus(status).phrase)


# -- moto does not check this


def test_no_expression_uses_a_reserved_word_of_dynamodb(client: Client) -> None:
    note_id = client.new_note(key="once")["id"]
    client.new_note()
    client.page()
    client.replace(note_id, {"title": "x"}, If_Match="*")
    client.delete(note_id, If_Match='"2", "3"')
    calls = [parameters for _, parameters in client.calls]
    calls += [item["Put"] for parameters in calls for item in parameters.get("TransactItems", [])]
    expressions = [text for parameters in calls for name, text in parameters.items() if name.endswith("Expression")]
    assert len(expressions) == 7
    words = {word.upper() for text in expressions for word in re.findall(r"(?<![:#\w])[A-Za-z_]+", text)}
    syntax = {"SET", "IN", "OR", "ATTRIBUTE_NOT_EXISTS"}
    assert words & set(ReservedKeywords.get_reserved_keywords()) <= syntax
