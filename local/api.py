"""Shows the API example at work: it writes, changes and lists a note, and calls the API without a key."""

from collections.abc import Mapping
from typing import Any

import requests

from local.deployment import LocalDeployment
from localaws.aws import LocalError
from localaws.urls import local_url

TITLE = "a client writes, changes and lists a note"
PATIENCE_SECONDS = 30


def exercise(deployment: LocalDeployment, outputs: dict[str, str]) -> None:
    """Write a note, and change it. Then try to change its old version. List the notes, with and without a key.

    Raises LocalError for an unexpected answer.
    """
    notes = f"{local_url(outputs['ApiUrl'], deployment.engine.endpoint)}v1/notes"
    key = {"X-Api-Key": api_key(deployment.client("apigateway"), outputs)}
    created = _call("POST", notes, 201, "", key, {"title": "Hello", "body": {"pi": 3.14159}, "tags": ["first"]})
    note, old_version = f"{notes}/{created.json()['id']}", {"If-Match": created.headers["ETag"]}
    _call("PATCH", note, 200, "changes the current version", {**key, **old_version}, {"title": "Hello, world"})
    conflict = "the request names an old version, so nothing changes"
    _call("PATCH", note, 412, conflict, {**key, **old_version}, {"title": "Hello, moon"})
    listed = _call("GET", notes, 200, "lists the newest note first", key).json()["notes"]
    if (listed[0]["id"], listed[0]["title"], listed[0]["version"]) != (created.json()["id"], "Hello, world", 2):
        raise LocalError(f"the first note in the list is not the note of this exercise in version 2: {listed[0]}")
    _call("GET", notes, 403, "without the key", {})
    print(f"    URL of the note, which needs the key: {note}")


def suggestions(deployment: LocalDeployment, outputs: dict[str, str]) -> list[str]:
    """Return shell commands that the person may try next."""
    key = outputs["ApiKeyId"]
    return [
        f"KEY=$(aws apigateway get-api-key --api-key {key} --include-value --query value --output text)",
        f'curl -si -H "X-Api-Key: $KEY" {local_url(outputs["ApiUrl"], deployment.engine.endpoint)}v1/notes',
    ]


def api_key(apigateway: Any, outputs: Mapping[str, str]) -> str:
    """Return the value of the deployment's API key."""
    return str(apigateway.get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)["value"])


def _call(  # noqa: PLR0913, PLR0917 - each call of the exercise prints these parts in one line
    method: str,
    url: str,
    expected: int,
    comment: str,
    headers: Mapping[str, str],
    body: Mapping[str, Any] | None = None,
) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False  # a proxy that the environment configures cannot reach this machine
        answer = session.request(method, url, json=body, headers=dict(headers), timeout=PATIENCE_SECONDS)
    path = "/v1/notes" if url.endswith("/notes") else "/v1/notes/{id}"
    print(f"    {method:5} {path:14} -> {f'{answer.status_code} {answer.reason}':24} {comment}".rstrip())
    if answer.status_code != expected:
        raise LocalError(f"{method} {url}: expected {expected}, got {answer.status_code}: {answer.text}")
    return answer
