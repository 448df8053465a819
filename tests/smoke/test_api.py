"""The deployed API, called as a client would: over HTTP, with and without a key."""

import json
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from jsonschema_rs import validator_for
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from local.api import api_key
from tests.support.deployment import Deployment
from tests.support.folders import ROOT
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)
OPENAPI = json.loads((ROOT / "lambda_src" / "api" / "openapi.json").read_text())
JSON = {"Content-Type": "application/json"}
PROBLEM = validator_for({"$ref": "#/components/schemas/Problem", "components": OPENAPI["components"]})


AT_ONCE = 10
"""Requests under way at the same time: as many functions as a new account runs."""
PATIENCE_SECONDS = 100
"""The API answers within 29 s, but fifty functions that start on one small machine take longer."""


class Client:
    """An HTTP client with an API key, which reads the problem of every answer that is one.

    `patient`: told to slow down, it waits and tries again.
    """

    def __init__(self, url: str, key: str, *, patient: bool = True, at_once: int = AT_ONCE) -> None:
        self.url = url
        self.key = {"X-Api-Key": key}
        self.created: set[str] = set()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({**self.key, "Origin": "https://notes.example.com"})
        retry = Retry(total=20, read=0, status_forcelist=[429], allowed_methods=None, raise_on_status=False)
        self._session.mount(
            url, HTTPAdapter(pool_maxsize=at_once, pool_block=True, max_retries=retry if patient else 0)
        )

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        answer = self._session.request(method, f"{self.url}v1{path}", timeout=PATIENCE_SECONDS, **options)
        if answer.status_code >= 400:
            PROBLEM.validate(answer.json())
            assert answer.json().get("status", answer.status_code) == answer.status_code
            assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        if answer.status_code == 201:
            self.created.add(answer.json()["id"])
        return answer

    def create(self, **content: Any) -> requests.Response:
        return self("POST", "/notes", json={"title": "smoke", **content})


@pytest.fixture(scope="module")
def call(deployment: Deployment) -> Iterator[Client]:
    """With the deployment's own key: what is created is deleted in the end."""
    outputs = deployment.outputs("api")
    client = Client(deployment.url(outputs["ApiUrl"]), api_key(deployment.client("apigateway"), outputs))
    # A key takes some time to be known everywhere after it was made.
    wait_for(lambda: client("GET", "/notes").status_code == 200, "the API to know its key")
    yield client
    for note_id in client.created:
        client("DELETE", f"/notes/{note_id}")


def pages(call: Client, limit: int = 100) -> Iterator[Any]:
    parameters: dict[str, Any] = {"limit": limit}
    while True:
        page = call("GET", "/notes", params=parameters).json()
        yield page
        if not page["next_cursor"]:
            return
        parameters["cursor"] = page["next_cursor"]


def test_health_needs_no_key_and_everything_else_does(call: Client) -> None:
    stranger = Client(call.url, "wrong")
    answer = stranger("GET", "/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    for method, path in (
        ("GET", "/notes"),
        ("POST", "/notes"),
        ("DELETE", "/notes"),
        *((method, f"/notes/{uuid.uuid4()}") for method in ("GET", "PUT", "PATCH", "DELETE", "POST")),
    ):
        assert stranger(method, path).status_code == 403, (method, path)
        assert Client(call.url, "")(method, path).status_code == 403, (method, path)


def test_a_notes_life(call: Client) -> None:
    body = '{"n": [123456789012345678901234567890123456789012345, 1.10, 1e-7], "ünï\\u0000": "日本 😀"}'
    created = call(
        "POST",
        "/notes",
        data=f'{{"title": "smoke é", "body": {body}}}'.encode(),
        headers={"Content-Type": "application/json"},
    )
    assert created.status_code == 201
    assert urljoin(created.url, created.headers["Location"]) == f"{call.url}v1/notes/{created.json()['id']}"
    note = f"/notes/{created.json()['id']}"
    assert "123456789012345678901234567890123456789012345,1.10,1E-7]" in created.text

    read = call("GET", note)
    assert (read.status_code, read.content) == (200, created.content)
    assert call("GET", note, headers={"If-None-Match": read.headers["ETag"]}).status_code == 304

    seen = {"If-Match": read.headers["ETag"]}
    patched = call("PATCH", note, json={"tags": ["smoke"]}, headers=seen)
    assert (patched.status_code, patched.json()["tags"], patched.json()["title"]) == (200, ["smoke"], "smoke é")
    late = call("PUT", note, json={"title": "smoke late"}, headers=seen)
    assert (late.status_code, late.headers["ETag"]) == (412, patched.headers["ETag"])
    assert call("PUT", note, json={"title": "smoke"}).status_code == 428

    assert call("DELETE", note, headers=seen).status_code == 412
    gone = call("DELETE", note)
    assert (gone.status_code, gone.content) == (204, b"")
    assert call("GET", note).status_code == 404


def test_a_repeated_create_creates_once(call: Client) -> None:
    once = {"Idempotency-Key": str(uuid.uuid4())}
    first, again = (call("POST", "/notes", json={"title": "smoke once"}, headers=once) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert call("POST", "/notes", json={"title": "smoke other"}, headers=once).status_code == 409


def test_the_list_is_newest_first_in_pages(call: Client) -> None:
    created = [call.create(title=f"smoke {number}").json()["id"] for number in range(5)]

    def listed() -> list[str]:
        found = [summary["id"] for page in pages(call, limit=2) for summary in page["notes"]]
        return [note_id for note_id in found if note_id in created]

    wait_for(lambda: len(listed()) == 5, "the index to have the notes")
    assert listed() == created[::-1]


DEEP = "[" * 99 + "]" * 99
NO_NOTE = f"/notes/{uuid.UUID(int=0)}"
BAD: Mapping[str, tuple[str, str, dict[str, Any], int]] = {
    "no JSON": ("POST", "/notes", {"data": "{", "headers": JSON}, 422),
    "NaN": ("POST", "/notes", {"data": '{"title": "smoke", "body": NaN}', "headers": JSON}, 422),
    "no title": ("POST", "/notes", {"json": {}}, 422),
    "unknown member": ("POST", "/notes", {"json": {"title": "smoke", "colour": "red"}}, 422),
    "deep": (
        "POST",
        "/notes",
        {"data": '{"title": "smoke", "body": ' + "[" * 99 + "]" * 99 + "}", "headers": JSON},
        422,
    ),
    "not UTF-8": ("POST", "/notes", {"data": b'{"title": "smoke \xff\xd8"', "headers": JSON}, 422),
    "a form": ("POST", "/notes", {"data": {"title": "smoke"}}, 415),
    "an old type": (
        "PATCH",
        f"/notes/{uuid.uuid4()}",
        {"data": "{}", "headers": {"Content-Type": "text/json", "If-Match": "*"}},
        415,
    ),
    "too large": ("POST", "/notes", {"json": {"title": "smoke", "body": "x" * 410_000}}, 413),
    "no such method": ("DELETE", "/notes", {}, 405),
    "no such path": ("GET", "/nothing", {}, 404),
    "no such note": ("GET", "/notes/1", {}, 404),
    "bad cursor": ("GET", "/notes", {"params": {"cursor": "x"}}, 400),
    "huge page": ("GET", "/notes", {"params": {"limit": 1_000_000}}, 400),
    "bad If-Match": ("PATCH", NO_NOTE, {"json": {}, "headers": {"If-Match": "1"}}, 400),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_request_is_the_clients_fault(call: Client, bad: str) -> None:
    method, path, options, status = BAD[bad]
    assert call(method, path, **options).status_code == status


def test_the_largest_note_fits(call: Client) -> None:
    body = "x" * (400 * 1024 - 1024 - len("smoke") - len('""'))
    created = call.create(body=body)
    assert created.status_code == 201
    assert call("GET", f"/notes/{created.json()['id']}").json()["body"] == body
    assert call.create(body=body + "x").status_code == 413


def test_a_browser_may_call_it(call: Client) -> None:
    asked = {"Origin": "https://example.com", "Access-Control-Request-Method": "PATCH"}
    with requests.Session() as browser:
        browser.trust_env = False
        answer = browser.options(f"{call.url}v1/notes/{uuid.uuid4()}", headers=asked, timeout=30)
    assert answer.status_code == 204
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"].split(",")
    assert {"If-Match", "X-Api-Key"} <= set(answer.headers["Access-Control-Allow-Headers"].split(","))
    assert "ETag" in call("GET", "/notes").headers["Access-Control-Expose-Headers"]


def test_over_the_rate_is_told_to_wait(deployment: Deployment, call: Client) -> None:
    hasty = Client(call.url, api_key(deployment.client("apigateway"), deployment.outputs("api")), patient=False)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: hasty("GET", "/notes/none"), range(80)))
    # A new account runs ten functions at once: what the gateway lets through beyond that fails in its own way.
    assert {404, 429} <= {answer.status_code for answer in answers} <= {404, 429, 500, 503}
    assert {answer.headers["Retry-After"] for answer in answers if answer.status_code == 429} == {"1"}
