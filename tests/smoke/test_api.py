"""These tests call the deployed API over HTTP, with and without a key.

They run in an account, or in the local AWS, a program that imitates AWS on this machine.
"""

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
MAX_SIMULTANEOUS_REQUESTS = 10
"""A new account runs at most ten Lambda functions at the same time."""
TIMEOUT_SECONDS = 100
"""On AWS, the API answers within 29 seconds. The local AWS is slower when fifty copies of the function start."""


def preflight(url: str) -> requests.Response:
    """Ask the API, as a browser does, whether a page may call it. Return the answer."""
    request = {"Origin": "https://example.com", "Access-Control-Request-Method": "PATCH"}
    with requests.Session() as browser:
        browser.trust_env = False
        return browser.options(f"{url}v1/notes/{uuid.uuid4()}", headers=request, timeout=30)


class ApiClient:
    """An HTTP client with an API key. It checks that every error is a problem document, as RFC 9457 defines it.

    With `retry_429`, the client repeats a request after a 429 answer. It first waits for the seconds in Retry-After.
    `max_requests` is the maximum number of requests at the same time.
    """

    def __init__(
        self, url: str, key: str, *, retry_429: bool = True, max_requests: int = MAX_SIMULTANEOUS_REQUESTS
    ) -> None:
        self.url = url
        self.allowed_origin = preflight(url).headers["Access-Control-Allow-Origin"]
        """The web site whose pages may call the API, or `*` for every site. All answers must name the same origin."""
        self.key = {"X-Api-Key": key}
        self.created: set[str] = set()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({**self.key, "Origin": "https://notes.example.com"})
        retry = Retry(total=20, read=0, status_forcelist=[429], allowed_methods=None, raise_on_status=False)
        self._session.mount(
            url, HTTPAdapter(pool_maxsize=max_requests, pool_block=True, max_retries=retry if retry_429 else 0)
        )

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        answer = self._session.request(method, f"{self.url}v1{path}", timeout=TIMEOUT_SECONDS, **options)
        if answer.status_code >= 400:
            PROBLEM.validate(answer.json())
            assert answer.json().get("status", answer.status_code) == answer.status_code
            assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Access-Control-Allow-Origin"] == self.allowed_origin
        if answer.status_code == 201:
            self.created.add(answer.json()["id"])
        return answer

    def create(self, **content: Any) -> requests.Response:
        return self.send("POST", "/notes", json={"title": "smoke", **content})


@pytest.fixture(scope="module")
def api_client(deployment: Deployment) -> Iterator[ApiClient]:
    """Yield a client with the key of the deployment. After the tests, delete all notes that the client created."""
    outputs = deployment.outputs("api")
    client = ApiClient(deployment.url(outputs["ApiUrl"]), api_key(deployment.client("apigateway"), outputs))
    # AWS needs some time until a new key works on all its servers.
    wait_for(lambda: client.send("GET", "/notes").status_code == 200, "the API to accept the key")
    yield client
    for note_id in client.created:
        client.send("DELETE", f"/notes/{note_id}")


def list_pages(api_client: ApiClient, limit: int) -> Iterator[Any]:
    parameters: dict[str, Any] = {"limit": limit}
    while True:
        page = api_client.send("GET", "/notes", params=parameters).json()
        yield page
        if not page["next_cursor"]:
            return
        parameters["cursor"] = page["next_cursor"]


def test_every_operation_except_health_needs_a_key(api_client: ApiClient) -> None:
    client_with_wrong_key, client_without_key = ApiClient(api_client.url, "wrong"), ApiClient(api_client.url, "")
    answer = client_with_wrong_key.send("GET", "/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    for method, path in (
        ("GET", "/notes"),
        ("POST", "/notes"),
        ("DELETE", "/notes"),
        *((method, f"/notes/{uuid.uuid4()}") for method in ("GET", "PUT", "PATCH", "DELETE", "POST")),
    ):
        assert client_with_wrong_key.send(method, path).status_code == 403, (method, path)
        assert client_without_key.send(method, path).status_code == 403, (method, path)


def test_a_note_is_created_read_changed_and_deleted(api_client: ApiClient) -> None:
    body = '{"n": [123456789012345678901234567890123456789012345, 1.10, 1e-7], "ünï\\u0000": "日本 😀"}'
    created = api_client.send(
        "POST",
        "/notes",
        data=f'{{"title": "smoke é", "body": {body}}}'.encode(),
        headers=JSON,
    )
    assert created.status_code == 201
    assert urljoin(created.url, created.headers["Location"]) == f"{api_client.url}v1/notes/{created.json()['id']}"
    note = f"/notes/{created.json()['id']}"
    assert "123456789012345678901234567890123456789012345,1.10,1E-7]" in created.text

    read = api_client.send("GET", note)
    assert (read.status_code, read.content) == (200, created.content)
    assert api_client.send("GET", note, headers={"If-None-Match": read.headers["ETag"]}).status_code == 304

    first_version = {"If-Match": read.headers["ETag"]}
    patched = api_client.send("PATCH", note, json={"tags": ["smoke"]}, headers=first_version)
    assert (patched.status_code, patched.json()["tags"], patched.json()["title"]) == (200, ["smoke"], "smoke é")
    rejected = api_client.send("PUT", note, json={"title": "smoke late"}, headers=first_version)
    assert (rejected.status_code, rejected.headers["ETag"]) == (412, patched.headers["ETag"])
    assert api_client.send("PUT", note, json={"title": "smoke"}).status_code == 428

    assert api_client.send("DELETE", note, headers=first_version).status_code == 412
    deleted = api_client.send("DELETE", note)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert api_client.send("GET", note).status_code == 404


def test_a_second_post_with_the_same_idempotency_key_creates_no_second_note(api_client: ApiClient) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, second = (api_client.send("POST", "/notes", json={"title": "smoke once"}, headers=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert api_client.send("POST", "/notes", json={"title": "smoke other"}, headers=key).status_code == 409


def test_the_pages_list_the_newest_notes_first(api_client: ApiClient) -> None:
    created = [api_client.create(title=f"smoke {number}").json()["id"] for number in range(5)]

    def listed_ids() -> list[str]:
        listed = [summary["id"] for page in list_pages(api_client, limit=2) for summary in page["notes"]]
        return [note_id for note_id in listed if note_id in created]

    wait_for(lambda: len(listed_ids()) == 5, "all notes to appear in the list")
    assert listed_ids() == created[::-1]


UNKNOWN_NOTE = f"/notes/{uuid.UUID(int=0)}"
DEEPLY_NESTED = '{"title": "smoke", "body": ' + "[" * 99 + "]" * 99 + "}"
BAD_REQUESTS: Mapping[str, tuple[str, str, dict[str, Any], int]] = {
    "not JSON": ("POST", "/notes", {"data": "{", "headers": JSON}, 422),
    "NaN": ("POST", "/notes", {"data": '{"title": "smoke", "body": NaN}', "headers": JSON}, 422),
    "no title": ("POST", "/notes", {"json": {}}, 422),
    "unknown member": ("POST", "/notes", {"json": {"title": "smoke", "colour": "red"}}, 422),
    "deeply nested body": ("POST", "/notes", {"data": DEEPLY_NESTED, "headers": JSON}, 422),
    "not UTF-8": ("POST", "/notes", {"data": b'{"title": "smoke \xff\xd8"', "headers": JSON}, 422),
    "a form instead of JSON": ("POST", "/notes", {"data": {"title": "smoke"}}, 415),
    "Content-Type text/json": (
        "PATCH",
        UNKNOWN_NOTE,
        {"data": "{}", "headers": {"Content-Type": "text/json", "If-Match": "*"}},
        415,
    ),
    "too large note": ("POST", "/notes", {"json": {"title": "smoke", "body": "x" * 410_000}}, 413),
    "unknown method": ("DELETE", "/notes", {}, 405),
    "unknown path": ("GET", "/nothing", {}, 404),
    "unknown note": ("GET", "/notes/1", {}, 404),
    "bad cursor": ("GET", "/notes", {"params": {"cursor": "x"}}, 400),
    "too large limit": ("GET", "/notes", {"params": {"limit": 1_000_000}}, 400),
    "bad If-Match": ("PATCH", UNKNOWN_NOTE, {"json": {}, "headers": {"If-Match": "1"}}, 400),
}


@pytest.mark.parametrize(("method", "path", "options", "status"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_bad_request_gets_the_documented_status(
    api_client: ApiClient, method: str, path: str, options: Any, status: int
) -> None:
    assert api_client.send(method, path, **options).status_code == status


def test_the_answer_names_a_mistyped_member_of_the_body(api_client: ApiClient) -> None:
    (error,) = api_client.create(bdoy="smoke").json()["errors"]
    assert error["detail"] == 'The note has an unknown member: "bdoy".'
    (error,) = api_client.send("POST", "/notes", json={"title": "smoke", "tags": ["a", 5]}).json()["errors"]
    assert error["pointer"] == "/tags/1"


def test_the_largest_note_is_stored_and_a_note_with_one_more_byte_gets_413(api_client: ApiClient) -> None:
    body = "x" * (400 * 1024 - 1024 - len("smoke") - len('""'))
    created = api_client.create(body=body)
    assert created.status_code == 201
    assert api_client.send("GET", f"/notes/{created.json()['id']}").json()["body"] == body
    assert api_client.create(body=body + "x").status_code == 413


def test_browsers_are_allowed_to_call_the_api(api_client: ApiClient) -> None:
    answer = preflight(api_client.url)
    assert answer.status_code == 204
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"].split(",")
    assert {"If-Match", "X-Api-Key"} <= set(answer.headers["Access-Control-Allow-Headers"].split(","))
    assert "ETag" in api_client.send("GET", "/notes").headers["Access-Control-Expose-Headers"]


def test_requests_over_the_rate_get_429_and_retry_after(deployment: Deployment, api_client: ApiClient) -> None:
    client = ApiClient(
        api_client.url, api_key(deployment.client("apigateway"), deployment.outputs("api")), retry_429=False
    )
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: client.send("GET", "/notes/none"), range(80)))
    # A new account runs at most ten functions at the same time. Further requests may get 429 or 500.
    assert {404, 429} <= {answer.status_code for answer in answers} <= {404, 429, 500}
    assert {answer.headers["Retry-After"] for answer in answers if answer.status_code == 429} == {"1"}
