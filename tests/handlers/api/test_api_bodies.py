"""The bodies of requests: JSON is kept to the last digit, and what is none is refused before anything is done."""

import base64
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import jsontext
from tests.handlers.api.conftest import NOTES, World

SHARED_WORLD = settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.differing_executors],
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def kept(world: World, body: str) -> str:
    """The body's text, after it was written and read."""
    created = world.create(f'{{"title":"A","body":{body}}}')
    assert created.status == 201, created.text
    read = world.read(created.json["id"])
    assert read.text == created.text
    return read.text.split('"body":', 1)[1].rsplit(',"tags":[]', 1)[0]


@SHARED_WORLD
@given(value=VALUES)
def test_any_json_is_read_as_it_was_written(world: World, value: Any) -> None:
    text = jsontext.dump(value)
    assert kept(world, text) == text


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "-1",
        "9" * 100,
        "-" + "9" * 100,
        "9" * 4300,
        "1.10",
        "1.00000000000000000000000000000000000000000000000001",
        "0.1",
        "-0.0",
        "1E+400",
        "1E-7",
        "1.5E-400",
        "123456789012345678901234567890.123456789012345678901234567890",
    ],
)
def test_a_number_keeps_every_digit(world: World, number: str) -> None:
    assert kept(world, number) == number


@pytest.mark.parametrize(
    ("written", "read"), [("1e400", "1E+400"), ("1e-7", "1E-7"), ("0.0000001", "1E-7"), ("1E05", "1E+5"), ("-0", "0")]
)
def test_a_number_may_be_spelt_otherwise_but_has_its_value(world: World, written: str, read: str) -> None:
    found = kept(world, written)
    assert found == read
    assert Decimal(found) == Decimal(written)


@pytest.mark.parametrize(
    "text",
    [
        "\\u0000",
        "\\u0001\\u001f",
        "\x7f\x80\xff",
        "\u2028\u2029\ufeff\ufffe\uffff",
        "e\u0301é",
        "\u202e",
        "😀🏳️‍🌈",
        "<script>&'",
        '\\\\\\"/',
    ],
    ids=ascii,
)
def test_every_character_survives(world: World, text: str) -> None:
    assert jsontext.parse(kept(world, f'"{text}"')) == jsontext.parse(f'"{text}"')
    assert jsontext.parse(kept(world, f'{{"{text}":1}}')) == jsontext.parse(f'{{"{text}":1}}')


def test_an_escaped_pair_of_surrogates_is_a_character(world: World) -> None:
    assert kept(world, '"\\ud83d\\ude00"') == '"😀"'


def test_members_keep_their_order_and_white_space_goes(world: World) -> None:
    assert kept(world, ' {"z" : 1,\n"a":\t[ 2 , { } ]} ') == '{"z":1,"a":[2,{}]}'


def test_a_body_may_be_as_deep_as_the_schema_says(world: World) -> None:
    """NoteInput.body: "at most 32 levels deep"."""
    assert kept(world, "[" * 32 + "]" * 32) == "[" * 32 + "]" * 32


@pytest.mark.parametrize("levels", [33, 200, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_a_deeper_body_is_refused(world: World, levels: int, opening: str, closing: str) -> None:
    answer = world.create(f'{{"title":"A","body":{opening * levels}{"1" if closing == "}" else ""}{closing * levels}}}')
    assert answer.status == 422
    assert "levels deep" in answer.json["detail"]


def test_what_is_deep_and_never_ends_is_refused(world: World) -> None:
    assert world.create("[" * 100_000).status == 422


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "}",
        "title",
        "{'title':'A'}",
        '{"title":"A",}',
        '{"title":"A"} x',
        '{"title":"A"}{"title":"B"}',
        '{"title":"A","body":[1,]}',
        '{"title":"A","body":NaN}',
        '{"title":"A","body":Infinity}',
        '{"title":"A","body":-Infinity}',
        '{"title":"A","body":01}',
        '{"title":"A","body":1.}',
        '{"title":"A","body":.5}',
        '{"title":"A","body":+1}',
        '{"title":"A","body":0x1}',
        '{"title":"A","body":1e}',
        '{"title":"A","body":True}',
        '{"title":"A","body":"' + "\n" + '"}',
        '{"title":"A","body":"\\x"}',
        '{"title":"A","body":"\\u12"}',
        '{"title":"A" /* the name */}',
        '{title:"A"}',
        '{"title":"A","body":"\\ud800"}',
        '{"title":"A","body":"\\ude00\\ud83d"}',
        '{"title":"A","body":{"\\ud800":1}}',
        '{"title":"\\udfff"}',
        '{"title":"A","tags":["\\ud800"]}',
        '{"\\ud800":1}',
        '{"title":"A","body":' + "9" * 5000 + "}",
        '{"title":"A","body":1E99999999999999999999}',
        "title=A&body=x",
        "<note/>",
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_what_is_no_json_is_refused(world: World, text: str) -> None:
    answer = world.create(text, key="k")
    assert answer.status == 422
    assert "errors" not in answer.json
    note_id = world.created()["id"]
    assert world.patch(note_id, text, If_Match="*").status == 422
    assert world.replace(note_id, text, If_Match="*").status == 422
    assert len(world.items()) == 1
    assert world.read(note_id).json["version"] == 1


def test_no_body_at_all_is_refused(world: World) -> None:
    assert world.send("POST", NOTES).status == 422


def test_a_lone_surrogate_in_the_event_itself_is_refused(world: World) -> None:
    assert world.create('{"title":"\ud800"}').status == 422


def test_a_byte_order_mark_does_not_matter(world: World) -> None:
    """RFC 8259, section 8.1: a parser may ignore it."""
    assert world.create('\ufeff{"title":"A"}').status == 201


# -- bodies that the gateway encodes


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_body_in_base64_is_decoded(world: World) -> None:
    created = world.created(in_base64('{"title":"é😀"}'.encode()), base64=True)
    assert created["title"] == "é😀"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "!",
        "A",
        "e30",
        "e30 =",
        "e30=e30=",
        '{"title":"A"}',
        "é",
        in_base64(b'{"title":"\xff"}'),
        in_base64(b'{"title":"\xed\xa0\x80"}'),  # a surrogate
        in_base64(b'{"title":"\xc0\x80"}'),  # NUL, too long
        in_base64('{"title":"A"}'.encode("utf-16")),
        in_base64('{"title":"A"}'.encode("utf-32-le")),
    ],
)
def test_what_is_no_base64_or_no_utf_8_is_refused(world: World, body: str) -> None:
    assert world.create(body, base64=True).status == 422
    assert world.items() == []


# -- media types


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json; charset=us-ascii",
        "application/json; version=1",
        " application/json ",
        ["application/json", "application/json"],
    ],
)
def test_json_is_taken(world: World, content_type: str | list[str]) -> None:
    answer = world.send("POST", NOTES, {"title": "é"}, headers={"content-TYPE": content_type})
    assert answer.status == 201


def test_without_a_type_a_body_is_json(world: World) -> None:
    assert world.send("POST", NOTES, {"title": "A"}).status == 201


OTHER_TYPES = (
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "text/json",
    "application/xml",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/problem+json",
    "application/jsonx",
    "application/json, text/plain",
    "application",
    "*/*",
    "application/json; charset=utf-16",
    "application/json; charset=iso-8859-1",
    "application/json; charset=",
    "application/json; charset=none",
)
# What a type's parameters may be by RFC 2231, for mail, and worse.
ODD_TYPES = (
    "application/json; charset*0=utf-8; charset*=x",
    "application/json; charset*0=utf; charset*1=-16",
    "application/json; charset*=a%00''x",
    "application/json; charset*" + "9" * 4301 + "=x",
    "application/json; charset*=utf-8''utf-16",
    "application/json; charset=é",
    "application/json; charset*=punycode''é",
    ";",
    "; charset=utf-8",
    '"',
    "é",
    "\x7f",
)


@pytest.mark.parametrize("content_type", [*OTHER_TYPES, *ODD_TYPES], ids=lambda text: ascii(text)[:60])
def test_other_types_are_refused(world: World, content_type: str) -> None:
    answer = world.send("POST", NOTES, {"title": "A"}, headers={"Content-Type": content_type})
    assert answer.status == 415
    assert world.items() == []


def test_a_refused_type_is_told_what_is_taken(world: World) -> None:
    note_id = world.created()["id"]
    headers = {"Content-Type": "text/plain", "If-Match": "*"}
    for method, path, accepted in (
        ("POST", NOTES, {"accept": "application/json"}),
        ("PATCH", f"{NOTES}/{note_id}", {"accept-patch": "application/merge-patch+json, application/json"}),
    ):
        answer = world.send(method, path, {"title": "A"}, headers=headers)
        assert answer.status == 415
        assert accepted.items() <= answer.headers.items()
    put = world.send("PUT", f"{NOTES}/{note_id}", {"title": "A"}, headers=headers)
    assert put.status == 415
    assert "application/json" in put.json["detail"]


# -- whatever bytes


@SHARED_WORLD
@given(data=st.binary(max_size=200) | VALUES.map(lambda value: jsontext.dump(value).encode()))
def test_any_bytes_are_answered(world: World, data: bytes) -> None:
    """World.send fails on what is not documented, and on every 5xx."""
    note_id = world.created()["id"]
    headers = {"If-Match": "*"}
    for method, path in (("POST", NOTES), ("PUT", f"{NOTES}/{note_id}"), ("PATCH", f"{NOTES}/{note_id}")):
        world.send(method, path, in_base64(data), headers=headers, base64=True)
        world.send(method, path, data.decode("utf-8", "surrogateescape"), headers=headers)
