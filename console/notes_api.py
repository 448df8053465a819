"""Calls the deployed notes API, as a client with the API key does."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from console.account import Account
from console.examples import Example
from console.page import ActionError
from local.api import api_key

TIMEOUT_SECONDS = 30
"""API Gateway ends every request after 29 seconds."""
OPENAPI_FILE = Path(__file__).resolve().parent.parent / "lambda_src" / "api" / "openapi.json"
VERSIONS = ("v1", "v2")
REQUEST_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "X-Api-Key")
"""The headers of a request that the API reads. stacks/api_gateway.py allows browsers to send the same headers."""
ANSWER_HEADERS = (
    *("Content-Type", "ETag", "Location", "Retry-After", "Idempotency-Replayed", "Allow"),
    *("Deprecation", "Sunset", "Link"),
)
"""The headers of an answer that a person wants to see."""


class NotesApi:
    """The notes API of a deployed stack."""

    def __init__(self, account: Account, example: Example) -> None:
        """`example` is the deployed stack of the API."""
        self._url = account.url(example.outputs["ApiUrl"])

    def url(self, path: str) -> str:
        """Return the URL of a path of the API. Raises ActionError for a path outside the API."""
        parts = path.split("/")
        if parts[0] not in VERSIONS or any(part in {"", ".", ".."} for part in parts):
            raise ActionError("This path is not a path of the API. All paths of the API begin with /v1/ or /v2/.")
        return self._url + "/".join(quote(part, safe="") for part in parts)

    def forward(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> requests.Response:
        """Send a request of a browser to a path of the API. Raises ActionError for a path outside the API."""
        allowed = {name: headers[name] for name in REQUEST_HEADERS if name in headers}
        return _send(method, self.url(path), query, allowed, body)

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: str = "") -> requests.Response:
        """Send JSON text, and return the answer, even if the API refuses. Raises ActionError if it does not answer."""
        headers = {"Content-Type": "application/json", **headers}
        try:
            return _send(method, self.url(path), "", headers, body.encode())
        except requests.RequestException as error:
            raise ActionError(f"The API does not answer: {error}") from error

    def call(self, method: str, path: str, headers: Mapping[str, str], body: str = "") -> requests.Response:
        """Send JSON text. Raises ActionError with the reason if the API refuses, or does not answer."""
        answer = self.answer(method, path, headers, body)
        if not answer.ok:
            raise ActionError(f"The API answers {summary(answer)}")
        return answer


def _send(method: str, url: str, query: str, headers: Mapping[str, str], body: bytes) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False  # a proxy that the environment configures cannot reach this machine
        return session.request(
            method,
            url,
            params=query,
            headers=dict(headers),
            data=body,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )


def summary(answer: requests.Response) -> str:
    """Return the status and the reason in a problem document (RFC 9457), such as `404 Not Found: no such note`."""
    try:
        problem = answer.json()
        details = [problem.get("detail") or problem.get("title") or ""]
        details += [error["detail"] for error in problem.get("errors", ())]
    except (ValueError, AttributeError, KeyError, TypeError):
        details = [answer.text[:200]]
    return f"{answer.status_code} {answer.reason}: {' '.join(details)}"


def note_document(title: str, body: str, tags: str = "") -> str:
    """Return the JSON text of a note from the fields of a form. `tags` have commas between them."""
    parts = {
        "title": json.dumps(title),
        "body": body_document(body),
        "tags": json.dumps([tag.strip() for tag in tags.split(",") if tag.strip()]),
    }
    return "{" + ", ".join(f'"{name}": {text}' for name, text in parts.items()) + "}"


def body_document(text: str) -> str:
    """Return the JSON text of a body that a person wrote as text or as JSON. JSON stays as it is, with every digit."""
    return text if _is_json(text) else json.dumps(text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def key_of(account: Account, example: Example) -> str:
    """Return the value of the API key. Only the local AWS may be asked for it."""
    return api_key(account.client("apigateway"), example.outputs)


@lru_cache(maxsize=1)
def _document() -> Mapping[str, Any]:
    return dict(json.loads(OPENAPI_FILE.read_text(encoding="utf-8")))


def openapi(server: str) -> Mapping[str, Any]:
    """Return the OpenAPI document of the API. `server` is the URL that its paths begin with."""
    return {**_document(), "servers": [{"url": server}]}
