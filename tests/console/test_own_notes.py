"""These tests sign in to a user pool whose answers are fixed, and look at the page of the API example."""

import base64
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import boto3
import pytest
from botocore.stub import Stubber

from console.account import Account
from console.app import Console
from console.examples import Example
from console.own_notes import OwnNotes, Session
from console.page import ActionError

OUTPUTS = {
    "UserPoolId": "us-east-1_pool",
    "ScriptClientId": "client",
    "TableName": "Notes",
    "OwnNotesTableName": "OwnNotes",
}
EXAMPLE = Example(
    stem="api", stack="compute-api", status="", changed_at="", description="", template={}, outputs=OUTPUTS
)


class FakeAccount:
    """The local AWS, with clients of a test."""

    is_local = True
    prefix: str | None = None
    seconds_between_reads = 0.01

    def __init__(self, **clients: Any) -> None:
        self._clients = clients

    def client(self, service: str) -> Any:
        return self._clients[service]

    def url(self, url: str) -> str:
        return url

    def explanation(self, error: Exception) -> str:
        return str(error)


def session(expires: float) -> Session:
    payload = base64.urlsafe_b64encode(json.dumps({"sub": "anna", "exp": expires}).encode()).decode().rstrip("=")
    return Session("Anna", OUTPUTS, {"IdToken": f"x.{payload}.x", "RefreshToken": "secret"})


def person_part(account: Account, folder: Path, signed_in: Session) -> str:
    """Return the part of the page that says who is signed in."""
    page: Any = Console(account, folder).page("api")
    page._own_notes._session = signed_in
    return str(page.live(EXAMPLE)["person"])


@pytest.fixture
def account() -> FakeAccount:
    dynamodb = MagicMock()
    dynamodb.query.return_value = {"Items": []}
    return FakeAccount(dynamodb=dynamodb)


def test_the_page_says_until_when_a_token_is_valid(account: FakeAccount, tmp_path: Path) -> None:
    expires = time.time() + 900
    html = person_part(account, tmp_path, session(expires))
    assert f"valid until {datetime.fromtimestamp(expires, UTC):%H:%M:%S} UTC" in html
    assert ("Sign in as Anna" in html, "Sign in as Ben" in html) == (False, True)


def test_the_page_offers_a_new_sign_in_after_a_token_has_expired(account: FakeAccount, tmp_path: Path) -> None:
    html = person_part(account, tmp_path, session(time.time() - 1))
    assert "has expired" in html
    assert ("Sign in as Anna" in html, "Sign in as Ben" in html) == (True, True)


def test_nobody_is_signed_in_to_a_new_user_pool(account: FakeAccount) -> None:
    notes = OwnNotes(account)
    notes._session = session(time.time() + 900)
    other_pool = replace(EXAMPLE, outputs={**OUTPUTS, "UserPoolId": "us-east-1_other"})
    assert notes.session(EXAMPLE) is not None
    assert notes.session(other_pool) is None


def test_too_many_sign_ins_are_explained() -> None:
    cognito = boto3.client("cognito-idp", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(cognito) as stubber:
        stubber.add_response("admin_create_user", {})
        stubber.add_response("admin_set_user_password", {})
        stubber.add_client_error("admin_initiate_auth", "TooManyRequestsException", "Rate exceeded", 400)
        sign_in = OwnNotes(FakeAccount(**{"cognito-idp": cognito})).actions()["sign-in"]
        with pytest.raises(ActionError, match="Wait for a minute, and sign in again"):
            sign_in.run(EXAMPLE, {"name": "Anna"})


@pytest.mark.parametrize(("action", "person"), [("sign-in", "Ben"), ("sign-out", None)])
def test_an_old_token_that_cannot_be_revoked_is_no_error_of_the_new_sign_in(action: str, person: str | None) -> None:
    cognito = boto3.client("cognito-idp", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    notes = OwnNotes(FakeAccount(**{"cognito-idp": cognito}))
    notes._session = session(time.time() + 900)
    with Stubber(cognito) as stubber:
        if person:
            stubber.add_response("admin_create_user", {})
            stubber.add_response("admin_set_user_password", {})
            stubber.add_response("admin_initiate_auth", {"AuthenticationResult": {"IdToken": "new"}})
        stubber.add_client_error("revoke_token", "UnauthorizedException", "No client", 400)
        text = notes.actions()[action].run(EXAMPLE, {"name": "Ben"})
        stubber.assert_no_pending_responses()
    assert "The refresh token of Anna stays valid, because Cognito has not revoked it: An error occurred" in text
    signed_in = notes.session(EXAMPLE)
    assert (signed_in and signed_in.name) == person


def test_a_session_hides_its_tokens_when_it_is_printed() -> None:
    assert "secret" not in repr(session(0))
