"""Shows the API example at work: a note is written, changed and found, and who has no key stays out."""

from collections.abc import Mapping
from typing import Any

import requests

from local.scene import Scene
from localaws.aws import LocalError
from localaws.urls import local_url

TITLE = "a note is written, changed and listed"
PATIENCE_SECONDS = 30


def exercise(scene: Scene, outputs: dict[str, str]) -> None:
    """Write a note, change it from the version that was read and from one that is old, and call without a key.

    Raises LocalError for an answer that is not the expected one.
    """
    notes = f"{local_url(outputs['ApiUrl'], scene.engine.endpoint)}v1/notes"
    key = {"X-Api-Key": api_key(scene.client("apigateway"), outputs)}
    created = _call("POST", notes, 201, "", key, {"title": "Hello", "body": {"pi": 3.14159}, "tags": ["first"]})
    note, seen = f"{notes}/{created.json()['id']}", {"If-Match": created.headers["ETag"]}
    _call("PATCH", note, 200, "from the version that was read", {**key, **seen}, {"title": "Hello, world"})
    _call(
        "PATCH",
        note,
        412,
        "from the version before: nothing is overwritten",
        {**key, **seen},
        {"title": "Hello, moon"},
    )
    listed = _call("GET", notes, 200, "newest first", key).json()["notes"]
    if (listed[0]["id"], listed[0]["title"], listed[0]["version"]) != (created.json()["id"], "Hello, world", 2):
        raise LocalError(f"the newest note is not the one that was written and changed once: {listed[0]}")
    _call("GET", notes, 403, "without the key", {})
    print(f"    the note, to be read with the key: {note}")


def suggestions(scene: Scene, outputs: dict[str, str]) -> list[str]:
    """Commands to go on with."""
    key = outputs["ApiKeyId"]
    return [
        f"KEY=$(aws apigateway get-api-key --api-key {key} --include-value --query value --output text)",
        f'curl -i -H "X-Api-Key: $KEY" {local_url(outputs["ApiUrl"], scene.engine.endpoint)}v1/notes',
    ]


def api_key(apigateway: Any, outputs: Mapping[str, str]) -> str:
    """The value of the deployment's API key."""
    return str(apigateway.get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)["value"])


def _call(  # noqa: PLR0913, PLR0917 - a line of the exercise
    method: str, url: str, expected: int, why: str, headers: Mapping[str, str], body: Mapping[str, Any] | None = None
) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False  # no proxy leads to this machine
        answer = session.request(method, url, json=body, headers=dict(headers), timeout=PATIENCE_SECONDS)
    path = "/v1/notes" if url.endswith("/notes") else "/v1/notes/{id}"
    print(f"    {method:5} {path:14} -> {f'{answer.status_code} {answer.reason}':24} {why}".rstrip())
    if answer.status_code != expected:
        raise LocalError(f"{method} {url}: expected {expected}, got {answer.status_code}: {answer.text}")
    return answer
