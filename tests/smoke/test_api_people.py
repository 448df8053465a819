"""These tests call version 2 of the deployed API as people who signed in, and the export as a program with a role.

They run in an account, or in the local AWS, a program that imitates AWS on this machine. In an account, they need the
permission to create users of the pool, and to assume the role of the export.
"""

import base64
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from botocore.exceptions import ClientError

from local.api import api_key
from local.api_callers import Person, bearer, person, role_credentials, sign_in, signature
from tests.smoke.test_api import JSON, PROBLEM, TIMEOUT_SECONDS
from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Api:
    """The deployed API. It checks that every error is a problem document (RFC 9457)."""

    url: str
    outputs: dict[str, str]
    cognito: Any

    def send(self, method: str, path: str, headers: Any = None, **options: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            url = f"{self.url}{path}"
            answer = session.request(method, url, headers=headers or {}, timeout=TIMEOUT_SECONDS, **options)
        if answer.status_code >= 400:
            PROBLEM.validate(answer.json())
        return answer

    def tokens(self, who: Person) -> Any:
        return sign_in(self.cognito, self.outputs, who)

    def sign_in(self, who: Person) -> dict[str, str]:
        """Return the header of requests of this person."""
        return bearer(self.tokens(who)["IdToken"])


@pytest.fixture(scope="module")
def api(deployment: Deployment) -> Api:
    outputs = deployment.outputs("api")
    return Api(deployment.url(outputs["ApiUrl"]), outputs, deployment.client("cognito-idp"))


@pytest.fixture
def anna(api: Api) -> Iterator[Person]:
    with person(api.cognito, api.outputs, f"anna-{uuid.uuid4()}@example.com") as anna:
        yield anna


@pytest.fixture
def ben(api: Api) -> Iterator[Person]:
    with person(api.cognito, api.outputs, f"ben-{uuid.uuid4()}@example.com") as ben:
        yield ben


# -- people


def test_people_have_their_own_notes(api: Api, anna: Person, ben: Person) -> None:
    as_anna, as_ben = api.sign_in(anna), api.sign_in(ben)
    created = api.send("POST", "v2/notes", as_anna, json={"title": "smoke"})
    assert created.status_code == 201
    note = f"v2/notes/{created.json()['id']}"
    assert urljoin(created.url, created.headers["Location"]) == f"{api.url}{note}"
    assert [one["id"] for one in api.send("GET", "v2/notes", as_anna).json()["notes"]] == [created.json()["id"]], (
        "a new note is in the list at once"
    )
    assert api.send("GET", "v2/notes", as_ben).json()["notes"] == []
    for method, options in (("GET", {}), ("PUT", {"json": {"title": "x"}}), ("PATCH", {"json": {}}), ("DELETE", {})):
        refused = api.send(method, note, {**as_ben, "If-Match": "*"}, **options)
        assert refused.status_code == 404, f"{method}: 403 would tell Ben that the note exists"
    changed = api.send("PATCH", note, {**as_anna, "If-Match": created.headers["ETag"]}, json={"tags": ["smoke"]})
    assert (changed.status_code, changed.json()["tags"]) == (200, ["smoke"])
    assert api.send("DELETE", note, as_anna).status_code == 204


def altered(token: str, **changes: str) -> str:
    """Return the token with changed claims. The signature no longer fits."""
    header, payload, sign = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    encoded = base64.urlsafe_b64encode(json.dumps({**claims, **changes}).encode()).decode().rstrip("=")
    return f"{header}.{encoded}.{sign}"


def unsigned(token: str) -> str:
    """Return the token with the algorithm `none`, and without a signature."""
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    return f"{header}.{token.split('.')[1]}."


def test_every_route_refuses_a_request_without_a_valid_id_token(api: Api, anna: Person) -> None:
    tokens = api.tokens(anna)
    good, access = tokens["IdToken"], tokens["AccessToken"]
    assert api.send("GET", "v2/notes", bearer(good)).status_code == 200
    refused = {
        "none": {},
        "an API key": {"X-Api-Key": "any"},
        "garbage": bearer("garbage"),
        "an access token": bearer(access),
        "a refresh token": bearer(tokens["RefreshToken"]),
        "another user": bearer(altered(good, sub=str(uuid.uuid4()))),
        "an access token that claims to be an ID token": bearer(altered(access, token_use="id")),
        "no signature": bearer(unsigned(good)),
        "a shortened signature": bearer(good[:-8]),
    }
    for name, headers in refused.items():
        answer = api.send("GET", "v2/notes", headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), name
    for method, path in (
        *((method, "v2/notes") for method in ("POST", "DELETE", "PUT")),
        *((method, f"v2/notes/{uuid.uuid4()}") for method in ("GET", "PUT", "PATCH", "DELETE", "POST")),
    ):
        assert api.send(method, path, headers=JSON).status_code == 401, (method, path)


def test_a_signed_out_user_gets_no_new_tokens(api: Api, anna: Person) -> None:
    tokens = api.tokens(anna)
    refresh: Any = {
        "UserPoolId": api.outputs["UserPoolId"],
        "ClientId": api.outputs["ScriptClientId"],
        "AuthFlow": "REFRESH_TOKEN_AUTH",
        "AuthParameters": {"REFRESH_TOKEN": tokens["RefreshToken"]},
    }
    renewed = api.cognito.admin_initiate_auth(**refresh)["AuthenticationResult"]["IdToken"]
    assert api.send("GET", "v2/notes", bearer(renewed)).status_code == 200
    api.cognito.admin_user_global_sign_out(UserPoolId=api.outputs["UserPoolId"], Username=anna.email)

    def is_refused() -> bool:
        try:
            api.cognito.admin_initiate_auth(**refresh)
        except ClientError as error:
            return error.response["Error"]["Code"] == "NotAuthorizedException"
        return False

    wait_for(is_refused, "Cognito to refuse the refresh token")
    # API Gateway does not ask Cognito about a token. So the lifetime of the token is short (stacks/api_sign_in.py).
    assert api.send("GET", "v2/notes", bearer(renewed)).status_code == 200


def test_an_unknown_user_and_a_wrong_password_get_the_same_answer(api: Api, anna: Person) -> None:
    errors = []
    for who in (Person(anna.email, "Wrong-password-1"), Person(f"{uuid.uuid4()}@example.com", "Wrong-password-1")):
        with pytest.raises(ClientError) as refused:
            api.tokens(who)
        errors.append(refused.value.response["Error"])
    assert errors[0] == errors[1] == {"Code": "NotAuthorizedException", "Message": "Incorrect username or password."}


def test_strangers_cannot_sign_up(api: Api, anna: Person) -> None:
    pool = api.cognito.describe_user_pool(UserPoolId=api.outputs["UserPoolId"])["UserPool"]
    if not pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"]:
        pytest.skip("everybody may sign up, because the setting api_self_sign_up is true")
    with pytest.raises(ClientError, match="NotAuthorizedException"):
        api.cognito.sign_up(ClientId=api.outputs["AppClientId"], Username="eve@example.com", Password=anna.password)


def test_the_app_refuses_a_password_that_is_sent_as_it_is(api: Api, anna: Person) -> None:
    with pytest.raises(ClientError, match="InvalidParameterException"):
        api.cognito.initiate_auth(
            ClientId=api.outputs["AppClientId"],
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": anna.email, "PASSWORD": anna.password},
        )


# -- programs


def test_only_signed_requests_of_the_role_can_export(api: Api, deployment: Deployment, anna: Person) -> None:
    as_anna = api.sign_in(anna)
    note = api.send("POST", "v2/notes", as_anna, json={"title": "smoke"}).json()
    region = deployment.client("apigateway").meta.region_name
    role = role_credentials(deployment.client("sts"), api.outputs["ExportRoleArn"])
    lines: list[Any] = []
    url = f"{api.url}v2/export"
    while url:
        page = api.send("GET", url.removeprefix(api.url), signature(url, role, region))
        assert (page.status_code, page.headers["Content-Type"]) == (200, "application/x-ndjson"), page.text
        lines += [json.loads(line) for line in page.text.splitlines()]
        url = urljoin(page.url, page.links["next"]["url"]) if "next" in page.links else ""
    (line,) = [line for line in lines if line["id"] == note["id"]]
    assert {**note, "owner": line["owner"]} == line

    signed = signature(f"{api.url}v2/export", role, region)
    assert api.send("GET", "v2/export?cursor=x", signed).status_code == 403, "the query is not the signed one"
    assert api.send("POST", "v2/export", signed).status_code == 403, "the method is not the signed one"
    assert api.send("GET", "v2/export").status_code == 404, "API Gateway does not show that the route exists"
    assert api.send("GET", "v2/export", as_anna).status_code in (403, 404), "an ID token is no signature"
    notes = f"{api.url}v2/notes"
    assert api.send("GET", "v2/notes", signature(notes, role, region)).status_code == 401, "a signature is no token"
    assert api.send("DELETE", f"v2/notes/{note['id']}", as_anna).status_code == 204


# -- version 1


def test_version_1_names_its_end_and_its_successor(api: Api, deployment: Deployment) -> None:
    key = {"X-Api-Key": api_key(deployment.client("apigateway"), api.outputs)}
    answer = api.send("GET", "v1/notes", key)
    assert answer.headers["Deprecation"].startswith("@")
    assert parsedate_to_datetime(answer.headers["Sunset"]).timestamp() > int(answer.headers["Deprecation"][1:])
    assert urljoin(answer.url, answer.links["successor-version"]["url"]) == f"{api.url}v2/notes"
