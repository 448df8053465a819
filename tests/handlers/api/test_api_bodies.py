"""Tests of request bodies: JSON keeps every digit, and a body that is not JSON is refused before any write."""

import base64
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import jsontext
from tests.handlers.api.conftest import JSON_VALUES, ONE_TABLE_FOR_ALL_EXAMPLES
from tests.handlers.api.notes_client import Client
from tests.support.fast import first_are_fast


def stored_text(client: Client, body: str) -> str:
    """Create a note with this body, read the note, and return the text of its body."""
    created = client.create(f'{{"title":"A","body":{body}}}')
    assert created.status == 201, created.text
    read = client.read(created.json["id"])
    assert read.text == created.text
    return read.text.split('"body":', 1)[1].rsplit(',"tags":[]', 1)[0]


@pytest.mark.slow
@ONE_TABLE_FOR_ALL_EXAMPLES
@given(value=JSON_VALUES)
def test_any_json_is_returned_unchanged(client: Client, value: Any) -> None:
    text = jsontext.dump(value)
    assert stored_text(client, text) == text


UNCHANGED_NUMBERS = (
    *("0", "-1", "9" * 100, "-" + "9" * 100, "9" * 4300, "1.10", "0.1", "-0.0", "1E+400", "1E-7", "1.5E-400"),
    "1.00000000000000000000000000000000000000000000000001",
    "123456789012345678901234567890.123456789012345678901234567890",
)
REWRITTEN_NUMBERS = {"1e400": "1E+400", "1e-7": "1E-7", "0.0000001": "1E-7", "1E2": "1E+2", "1E05": "1E+5", "-0": "0"}


@pytest.mark.parametrize(("sent", "read"), [*((n, n) for n in UNCHANGED_NUMBERS), *REWRITTEN_NUMBERS.items()])
def test_a_number_keeps_its_value_and_every_digit(client: Client, sent: str, read: str) -> None:
    assert stored_text(client, sent) == read
    assert Decimal(read) == Decimal(sent)


@pytest.mark.parametrize(
    "text",
    [
        *("\\u0000", "\\u0001\\u001f", "\x7f\x80\xff", "\u2028\u2029\ufeff\ufffe\uffff", "e\u0301é"),
        *("\u202e", "😀🏳️‍🌈", "<script>&'", '\\\\\\"/'),
    ],
    ids=ascii,
)
def test_every_character_is_kept(client: Client, text: str) -> None:
    for body in (f'"{text}"', f'{{"{text}":1}}'):
        assert jsontext.parse(stored_text(client, body)) == jsontext.parse(body)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ('"\\ud83d\\ude00"', '"😀"'),
        (' {"z" : 1,\n"a":\t[ 2 , { } ]} ', '{"z":1,"a":[2,{}]}'),
        ("[" * 32 + "]" * 32, "[" * 32 + "]" * 32),
    ],
    ids=["a pair of surrogates", "order of members and white space", "32 levels"],
)
def test_a_body_is_stored_as_compact_json(client: Client, sent: str, read: str) -> None:
    assert stored_text(client, sent) == read


@pytest.mark.parametrize("levels", [33, 200, 100_000])
@pytest.mark.parametrize(("opening", "inner", "closing"), [("[", "", "]"), ('{"a":', "1", "}")])
def test_a_body_of_more_than_32_levels_is_refused(
    client: Client, levels: int, opening: str, inner: str, closing: str
) -> None:
    answer = client.create(f'{{"title":"A","body":{opening * levels}{inner}{closing * levels}}}')
    assert answer.status == 422
    assert "levels deep" in answer.json["detail"]


NOT_JSON = [
    *("", " ", "{", "}", "title", "{'title':'A'}", '{"title":"A",}', '{"title":"A"} x', '{"title":"A"}{"title":"B"}'),
    *('{"title":"A" /* the name */}', '{title:"A"}', "title=A&body=x", "<note/>", "[" * 100_000),
    *('{"title":"\\udfff"}', '{"title":"A","tags":["\\ud800"]}', '{"\\ud800":1}', '{"title":"\ud800"}'),
]
HUGE_NUMBERS = ("9" * 5000, "1E99999999999999999999", "1E-99999999999999999999")
NOT_JSON_VALUES = (
    *("[1,]", "NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "0x1", "1e", "True", '"\n"', '"\\x"', '"\\u12"'),
    *('"\\ud800"', '"\\ude00\\ud83d"', '{"\\ud800":1}', *HUGE_NUMBERS),
)


@pytest.mark.parametrize(
    "text",
    first_are_fast(9, [*NOT_JSON, *(f'{{"title":"A","body":{value}}}' for value in NOT_JSON_VALUES)]),
    ids=lambda t: ascii(t)[:40],
)
def test_a_body_that_is_not_json_is_refused(client: Client, text: str) -> None:
    answer = client.create(text, key="k")
    assert answer.status == 422
    assert "errors" not in answer.json
    note_id = client.new_id()
    assert client.patch(note_id, text, If_Match="*").status == 422
    assert client.replace(note_id, text, If_Match="*").status == 422
    assert len(client.items()) == 1
    assert client.read(note_id).json["version"] == 1


@pytest.mark.parametrize("number", HUGE_NUMBERS, ids=lambda text: text[:10])
def test_the_problem_of_a_number_that_python_cannot_read_says_nothing_about_python(client: Client, number: str) -> None:
    detail = client.create(f'{{"title":"A","body":{number}}}').json["detail"]
    reason = "It has a number with too many digits, or with an exponent that is too large."
    assert detail == f"The body cannot be read. {reason}"


def test_a_missing_body_is_refused(client: Client) -> None:
    assert client.send("POST", client.notes_path).status == 422


def test_a_byte_order_mark_is_ignored(client: Client) -> None:
    """RFC 8259, section 8.1, allows a parser to ignore this mark."""
    assert client.create('\ufeff{"title":"A"}').status == 201


# -- bodies in base64, because API Gateway encodes some bodies


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_body_in_base64_is_decoded(client: Client) -> None:
    assert client.new_note(in_base64('{"title":"é😀"}'.encode()), base64=True)["title"] == "é😀"


OVERLONG_NUL, SURROGATE = b"\xc0\x80", b"\xed\xa0\x80"


@pytest.mark.parametrize(
    "body",
    [
        *("", "!", "A", "e30", "e30=e30=", '{"title":"A"}', "é", in_base64(b'{"title":"A"}') + " "),
        *(in_base64(b'{"title":"' + data + b'"}') for data in (b"\xff", SURROGATE, OVERLONG_NUL)),
        *(in_base64('{"title":"A"}'.encode(encoding)) for encoding in ("utf-16", "utf-32-le")),
    ],
)
def test_a_body_that_is_not_base64_or_not_utf_8_is_refused(client: Client, body: str) -> None:
    assert client.create(body, base64=True).status == 422
    assert client.items() == []


# -- media types


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/json", "Application/JSON", " application/json ", ["application/json", "application/json"]),
        *("application/json; charset=utf-8", 'application/json;charset="UTF-8"', "application/json; charset=us-ascii"),
        *("application/json; version=1", None),
    ],
)
def test_json_or_no_media_type_is_accepted(client: Client, content_type: str | list[str] | None) -> None:
    headers = {} if content_type is None else {"content-TYPE": content_type}
    assert client.send("POST", client.notes_path, {"title": "é"}, headers=headers).status == 201


OTHER_TYPES = (
    *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "text/json", "*/*"),
    *("application/xml", "application/merge-patch+json", "application/json-patch+json", "application/problem+json"),
    *("application/jsonx", "application/json, text/plain", "application", ";", '"', "é", "\x7f", "; charset=utf-8"),
)
OTHER_CHARSETS = (
    *("=utf-16", "=iso-8859-1", "=", "=none", "=é"),
    # RFC 2231 allows these parameters in e-mail.
    *("*0=utf-8; charset*=x", "*0=utf; charset*1=-16", "*=a%00''x", "*=utf-8''utf-16", "*=punycode''é"),
    "*" + "9" * 4301 + "=x",
)


@pytest.mark.parametrize(
    "content_type",
    [*OTHER_TYPES, *(f"application/json; charset{charset}" for charset in OTHER_CHARSETS)],
    ids=lambda text: ascii(text)[:60],
)
def test_a_media_type_that_is_not_json_in_utf_8_gets_415(client: Client, content_type: str) -> None:
    answer = client.send("POST", client.notes_path, {"title": "A"}, headers={"Content-Type": content_type})
    assert (answer.status, answer.headers["accept"]) == (415, "application/json")
    assert client.items() == []


def test_put_accepts_json_and_patch_also_accepts_a_merge_patch(client: Client) -> None:
    path = f"{client.notes_path}/{client.new_id()}"
    text_headers, merge_patch_headers, json_headers = (
        {"Content-Type": name, "If-Match": "*"}
        for name in ("text/plain", "application/merge-patch+json", "application/json")
    )
    for headers in (text_headers, merge_patch_headers):
        put = client.send("PUT", path, {"title": "A"}, headers=headers)
        assert put.status == 415
        assert "application/json" in put.json["detail"]
    patch = client.send("PATCH", path, {"title": "A"}, headers=text_headers)
    assert (patch.status, patch.headers["accept-patch"]) == (415, "application/merge-patch+json, application/json")
    assert client.send("PATCH", path, {"title": "A"}, headers=json_headers).status == 200


# -- random bytes: Client.send fails if an answer is not documented or has a 5xx status


@pytest.mark.slow
@ONE_TABLE_FOR_ALL_EXAMPLES
@given(data=st.binary(max_size=200) | JSON_VALUES.map(lambda value: jsontext.dump(value).encode()))
def test_any_bytes_get_a_documented_answer(client: Client, data: bytes) -> None:
    note_id = client.new_id()
    headers = {"If-Match": "*"}
    for method, path in (
        ("POST", client.notes_path),
        ("PUT", f"{client.notes_path}/{note_id}"),
        ("PATCH", f"{client.notes_path}/{note_id}"),
    ):
        client.send(method, path, in_base64(data), headers=headers, base64=True)
        client.send(method, path, data.decode("utf-8", "surrogateescape"), headers=headers)
