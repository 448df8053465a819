"""Shows the API example at work: a client with a key, two people who sign in, and a program that exports all notes."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

import requests

from local.api_callers import bearer, person, role_credentials, sign_in, signature
from local.deployment import LocalDeployment
from localaws.aws import LocalError
from localaws.urls import local_url

TITLE = "a client writes, changes and lists a note; two people sign in; a program exports all notes"
PATIENCE_SECONDS = 90
REGION = "us-east-1"
"""The region of the local AWS."""


def exercise(deployment: LocalDeployment, outputs: dict[str, str]) -> None:
    """Use version 1 with and without a key, version 2 as two people, and the export with and without a role.

    Raises LocalError for an unexpected answer.
    """
    _use_version_1(deployment, outputs)
    _use_version_2(deployment, outputs)
    _export(deployment, outputs)


def _use_version_1(deployment: LocalDeployment, outputs: dict[str, str]) -> None:
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


def _use_version_2(deployment: LocalDeployment, outputs: dict[str, str]) -> None:
    notes = f"{local_url(outputs['ApiUrl'], deployment.engine.endpoint)}v2/notes"
    cognito = deployment.client("cognito-idp")
    with person(cognito, outputs, _address("anna")) as anna, person(cognito, outputs, _address("ben")) as ben:
        tokens = sign_in(cognito, outputs, anna)
        as_anna, as_ben = bearer(tokens["IdToken"]), bearer(sign_in(cognito, outputs, ben)["IdToken"])
        created = _call("POST", notes, 201, "Anna signs in, and writes a note", as_anna, {"title": "Anna's note"})
        note = f"{notes}/{created.json()['id']}"
        _call("GET", note, 404, "Ben cannot read it", as_ben)
        if _call("GET", notes, 200, "Ben's list is empty", as_ben).json()["notes"]:
            raise LocalError("the list of a new user is not empty")
        _call("GET", notes, 401, "without a token", {})
        _call("GET", notes, 401, "with the access token, which has another purpose", bearer(tokens["AccessToken"]))
        _call("PATCH", note, 200, "Anna changes it", {**as_anna, "If-Match": "*"}, {"tags": ["mine"]})
        _call("DELETE", note, 204, "Anna deletes it", as_anna)


def _address(name: str) -> str:
    return f"{name}-{secrets.token_hex(4)}@example.com"  # a user of a person who tries the lesson may be called anna


def _export(deployment: LocalDeployment, outputs: dict[str, str]) -> None:
    export = f"{local_url(outputs['ApiUrl'], deployment.engine.endpoint)}v2/export"
    role = role_credentials(deployment.client("sts"), outputs["ExportRoleArn"])
    _call("GET", export, 200, "a program with the role exports all notes", signature(export, role, REGION))
    _call("GET", export, 404, "without a signature", {})
    _call("GET", f"{export}?cursor=x", 403, "somebody has altered the query", signature(export, role, REGION))


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
    path = re.sub("(?<=/notes)/.*", "/{id}", re.sub("^.*(?=/v[12]/)", "", url))
    print(f"    {method:6} {path:19} -> {f'{answer.status_code} {answer.reason}':24} {comment}".rstrip())
    if answer.status_code != expected:
        raise LocalError(f"{method} {url}: expected {expected}, got {answer.status_code}: {answer.text}")
    return answer
