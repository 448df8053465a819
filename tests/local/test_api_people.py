"""Tests of version 2 of the API in the local AWS. They create user pools, clients and roles of their own.

The local AWS is a program that imitates AWS on this machine.
"""

import base64
import hashlib
import json
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from botocore.exceptions import ClientError

from local.api_callers import Person, bearer, person, role_credentials, sign_in, signature
from localaws.aws import Engine
from tests.smoke.test_api_people import Api, anna, api  # noqa: F401 - fixtures
from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

REGION = "us-east-1"
CALLBACK = "http://localhost:8000/"


@contextmanager
def client_of_pool(cognito: Any, pool: str, **settings: Any) -> Iterator[str]:
    """Create an app client for scripts, and yield its id."""
    flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    created = cognito.create_user_pool_client(UserPoolId=pool, ClientName="test", ExplicitAuthFlows=flows, **settings)
    client = {"UserPoolId": pool, "ClientId": created["UserPoolClient"]["ClientId"]}
    yield client["ClientId"]
    cognito.delete_user_pool_client(**client)


def test_an_expired_token_is_refused(api: Api, anna: Person) -> None:  # noqa: F811 - fixtures
    """On AWS, a token lives for five minutes at least. The local AWS also makes tokens for two seconds."""
    units = {"IdToken": "seconds"}
    with client_of_pool(api.cognito, api.outputs["UserPoolId"], IdTokenValidity=2, TokenValidityUnits=units) as client:
        headers = bearer(sign_in(api.cognito, {**api.outputs, "ScriptClientId": client}, anna)["IdToken"])
        assert api.send("GET", "v2/notes", headers).status_code == 200
        wait_for(lambda: api.send("GET", "v2/notes", headers).status_code == 401, "the token to expire")


def test_the_token_of_another_pool_is_refused(api: Api) -> None:  # noqa: F811 - fixture
    pool = api.cognito.create_user_pool(PoolName="other", UsernameAttributes=["email"])["UserPool"]["Id"]
    with client_of_pool(api.cognito, pool) as client:
        outputs = {**api.outputs, "UserPoolId": pool, "ScriptClientId": client}
        with person(api.cognito, outputs, "anna@example.com") as stranger:
            token = sign_in(api.cognito, outputs, stranger)["IdToken"]
            assert api.send("GET", "v2/notes", bearer(token)).status_code == 401
    api.cognito.delete_user_pool(UserPoolId=pool)


def test_wrong_passwords_lock_a_person_for_a_moment(api: Api, anna: Person) -> None:  # noqa: F811 - fixtures
    for _ in range(5):
        with pytest.raises(ClientError, match="Incorrect username or password"):
            api.tokens(Person(anna.email, "Wrong-password-1"))
    with pytest.raises(ClientError, match="Password attempts exceeded"):
        api.tokens(anna)

    def is_signed_in() -> bool:
        try:
            return bool(api.tokens(anna))
        except ClientError:
            return False

    wait_for(is_signed_in, "the end of the lock")


def test_a_role_without_permission_cannot_export(api: Api, deployment: Deployment) -> None:  # noqa: F811 - fixture
    iam, name = deployment.client("iam"), f"stranger-{uuid.uuid4()}"
    principal = {"AWS": f"arn:aws:iam::{deployment.client('sts').get_caller_identity()['Account']}:root"}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    stranger = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    url = f"{api.url}v2/export"
    answer = api.send("GET", "v2/export", signature(url, role_credentials(deployment.client("sts"), stranger), REGION))
    assert (answer.status_code, answer.json()["detail"]) == (403, "IAM does not allow this request.")
    iam.delete_role(RoleName=name)


# -- the sign-in page


class SignInPage:
    """A browser at the sign-in page of the user pool. The engine serves the page for all pools."""

    def __init__(self, engine: Engine, api: Api) -> None:  # noqa: F811 - not the fixture
        self._url = engine.endpoint
        self._client = api.outputs["AppClientId"]

    def sign_in(self, who: Person, challenge: str, callback: str = CALLBACK) -> str:
        """Sign in, and return the code with which the page returns to the app."""
        parameters = {
            "client_id": self._client,
            "redirect_uri": callback,
            "response_type": "code",
            "scope": "openid email",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        page = requests.get(f"{self._url}/oauth2/authorize", params=parameters, timeout=30)
        if page.status_code != 200:
            return page.text
        form = {**parameters, "username": who.email, "password": who.password}
        answer = requests.post(f"{self._url}/login", data=form, allow_redirects=False, timeout=30)
        location = answer.headers["Location"]
        assert location.startswith(callback)
        return parse_qs(urlsplit(location).query)["code"][0]

    def tokens(self, code: str, verifier: str) -> requests.Response:
        """Exchange the code for tokens."""
        form = {
            "grant_type": "authorization_code",
            "client_id": self._client,
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": verifier,
        }
        return requests.post(f"{self._url}/oauth2/token", data=form, timeout=30)


def challenge_of(verifier: str) -> str:
    """Return the code challenge of PKCE (RFC 7636) for a code verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def test_a_web_page_signs_a_person_in_with_pkce(api: Api, engine: Engine, anna: Person) -> None:  # noqa: F811
    page, verifier = SignInPage(engine, api), secrets.token_urlsafe(48)
    stolen = page.sign_in(anna, challenge_of(verifier))
    assert page.tokens(stolen, secrets.token_urlsafe(48)).json()["error"] == "invalid_grant", (
        "a thief of the code does not have the verifier"
    )
    answer = page.tokens(page.sign_in(anna, challenge_of(verifier)), verifier)
    assert api.send("GET", "v2/notes", bearer(answer.json()["id_token"])).status_code == 200
    assert "redirect" in page.sign_in(anna, challenge_of(verifier), "https://evil.example/")
