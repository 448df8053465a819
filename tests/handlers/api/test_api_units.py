"""Tests of rules that are hard to test with requests, and tests that the code agrees with openapi.json."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from api import jsontext, notes, problems, request
from api.notes import Content
from api.openapi import OPENAPI
from api.preconditions import parse_if_match
from api.problems import Problem
from tests.handlers.api.conftest import JSON_VALUES
from tests.handlers.api.notes_client import Client, event

SCHEMAS = OPENAPI["components"]["schemas"]


def problem_status(call: Callable[[], Any]) -> int | None:
    """Return the status of the Problem that the call raises, or None if the call raises no Problem."""
    try:
        call()
    except Problem as problem:
        return problem.status
    return None


# -- JSON, notes and preconditions

JSON_LIKE_TEXT = st.text(st.sampled_from('[]{}:,"\\ 0123456789.eE+-truefalsn/'))


@given(text=st.text() | JSON_LIKE_TEXT | JSON_VALUES.map(jsontext.dump))
def test_the_parser_agrees_with_the_parser_of_python(text: str) -> None:
    def python_parse(text: str) -> Any:
        return json.loads(text.removeprefix("\ufeff"), parse_float=Decimal, parse_constant=int)

    def value_or_error(parse: Callable[[str], Any]) -> Any:
        try:
            return parse(text)
        except ValueError:
            return ValueError

    assert value_or_error(jsontext.parse) == value_or_error(python_parse)


def test_different_contents_have_different_fingerprints() -> None:
    bodies: list[Any] = ["", "1", 1, Decimal("1.0"), True, None, [], {}, [1], ["1"], [[1]], [1, 2], [2, 1]]
    bodies += [{"a": 1}, {"a": "1"}, {"b": 1}]
    contents = [Content(title="A", body=body) for body in bodies]
    contents += [Content(title="A", tags=tags) for tags in (("a",), ("a", "b"), ("b", "a"), ("ab",), ('a","b',))]
    contents += [Content(title=title) for title in ("a", "A ", 'A",""')]
    assert len({content.fingerprint for content in contents}) == len(contents)


def test_a_fingerprint_stays_the_same_in_newer_versions() -> None:
    """The table keeps fingerprints for a day, so a new version of the function must compute the same fingerprints."""
    body = {"b": [{"z": 1, "é": Decimal("1.10")}], "a": None}
    fingerprint = "36050bf1ef95434073fe688e3b9a5c27451bb386e1a56cdabb28c2ca6d29965e"
    assert Content(title="A", body=body, tags=("t",)).fingerprint == fingerprint


def test_a_timestamp_always_has_microseconds() -> None:
    """All timestamps have the same length, so their alphabetical order is their order in time."""
    assert notes.timestamp(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000000Z"


@pytest.mark.parametrize(("digits", "versions"), [(18, {10**18 - 1}), (19, set()), (5000, set())])
def test_a_version_in_if_match_has_at_most_18_digits(digits: int, versions: set[int]) -> None:
    assert parse_if_match(f'"{"9" * digits}"') == frozenset(versions)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("unit", ['"', '""', '"1" ', '"1",', " ", ", ", 'W/"', '"1", ', "*"])
@pytest.mark.parametrize("end", ["", "x", '"'])
def test_a_long_malformed_list_of_etags_is_refused_quickly(unit: str, end: str) -> None:
    """With a bad regular expression, parsing such a text could take minutes."""
    assert problem_status(lambda: parse_if_match(unit * 20_000 + end)) == 400


# -- openapi.json


def documented_operations() -> set[tuple[str, str, str]]:
    """Return the method, path and operationId of every operation."""
    return {
        (name.upper(), path, operation["operationId"])
        for path, item in OPENAPI["paths"].items()
        for name, operation in item.items()
        if name != "parameters"
    }


def test_every_operation_has_a_function_of_the_same_name(function: ModuleType) -> None:
    assert set(function.routes.OPERATIONS) == {
        operation_id.removesuffix("_v2") for _, _, operation_id in documented_operations()
    }


def test_every_reference_names_a_component_and_every_component_is_used() -> None:
    components = {
        f"#/components/{kind}/{name}"
        for kind, components_of_kind in OPENAPI["components"].items()
        if kind != "securitySchemes"
        for name in components_of_kind
    }
    assert set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(OPENAPI))) == components


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
    patch_properties, note_properties = SCHEMAS["NotePatch"]["properties"], note["properties"]
    assert patch_properties["title"] == note_properties["title"]
    for limit in ("maxItems", "uniqueItems", "items"):
        assert patch_properties["tags"][limit] == note_properties["tags"][limit]


def test_the_document_has_the_limits_of_the_code() -> None:
    limit = OPENAPI["components"]["parameters"]["Limit"]["schema"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, request.MAX_LIMIT, request.DEFAULT_LIMIT)
    assert SCHEMAS["NotePage"]["properties"]["notes"]["maxItems"] == request.MAX_LIMIT
    assert f"at most {jsontext.MAX_DEPTH} levels deep" in SCHEMAS["NoteInput"]["properties"]["body"]["description"]


@given(key=st.text(max_size=300) | st.text(st.characters(min_codepoint=32, max_codepoint=127), max_size=300))
def test_an_idempotency_key_is_accepted_if_it_fits_the_documented_pattern(key: str) -> None:
    pattern = OPENAPI["components"]["parameters"]["IdempotencyKey"]["schema"]["pattern"]
    creation_request = request.Request(event("POST", "/v1/notes", headers={"Idempotency-Key": key}))
    is_accepted = problem_status(creation_request.idempotency_key) is None
    assert is_accepted == bool(re.search(pattern.replace("$", r"\Z"), key))


def test_a_problem_has_the_documented_members() -> None:
    document = Problem(422, "why", errors=[{"pointer": "/a", "detail": "b"}]).document("id")
    assert document.keys() == SCHEMAS["Problem"]["properties"].keys()
    assert "errors" not in Problem(404, "why").document("id")


def test_every_status_in_the_code_has_its_standard_title() -> None:
    sources = "".join(file.read_text() for file in Path(problems.__file__).parent.glob("*.py"))
    assert {int(status) for status in re.findall(r"Problem\(\s*(\d{3})", sources)} == set(problems.TITLES)
    new_titles = {413: "Content Too Large", 422: "Unprocessable Content"}  # http.HTTPStatus has them since Python 3.13
    for status, title in problems.TITLES.items():
        assert title == new_titles.get(status, HTTPStatus(status).phrase)


# -- a rule of DynamoDB that moto does not check


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
