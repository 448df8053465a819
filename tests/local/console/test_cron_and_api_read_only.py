"""In a real account, the pages of the cron and API examples only read. A person cannot change anything there."""

from pathlib import Path
from typing import Any

import pytest

from console.account import Account
from console.app import Console, create_app
from tests.support.asgi import call
from tests.support.deployment import Deployment


class ReadOnlyAccount:
    """The local AWS as a real account. It has no clients of API Gateway and Cognito, which have secrets."""

    is_local = False
    seconds_between_reads = 5.0

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.prefix: str | None = deployment.prefix

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        assert service != "apigateway", "the page reads the API key of a real account"
        assert service != "cognito-idp", "the page signs in to a real account"
        return self._deployment.client(service)

    def url(self, url: str) -> str:
        """Return the URL without a change."""
        return url

    def explanation(self, error: Exception) -> str:
        """Return the message of the error."""
        return str(error)


@pytest.fixture
def account(deployment: Deployment) -> Account:
    return ReadOnlyAccount(deployment)


def answer(account: Account, folder: Path, method: str, path: str) -> tuple[int, str]:
    """Return the status and the body of an answer of the console."""
    headers = {"host": "127.0.0.1:1", "origin": "http://127.0.0.1:1"}
    found = call(create_app(account, folder, port=1), method, path, headers)
    return found.status, found.body


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("cron", "answers 200"),
        ("cron", "rate(1 minute)"),
        ("api", "Notes, newest first"),
        ("api", "the console only reads"),
        ("api/try", 'data-key=""'),
    ],
)
def test_the_page_has_no_button_that_changes_something(account: Account, tmp_path: Path, path: str, text: str) -> None:
    status, html = answer(account, tmp_path, "GET", f"/examples/{path}")
    assert status == 200
    assert (text in html) is (text != "answers 200"), "the local site is not a part of a real account"
    assert "hx-post" not in html


def test_the_document_names_the_deployed_api(account: Account, tmp_path: Path) -> None:
    url = Console(account, tmp_path).examples()["api"].outputs["ApiUrl"].removesuffix("/")
    status, text = answer(account, tmp_path, "GET", "/examples/api/openapi.json")
    assert (status, f'"servers":[{{"url":"{url}"}}]' in text) == (200, True)


@pytest.mark.parametrize(
    "path", ["cron/actions/switch", "api/actions/burst", "api/actions/sign-in", "api/proxy/v1/notes"]
)
def test_the_console_changes_nothing_in_a_real_account(account: Account, tmp_path: Path, path: str) -> None:
    expected = (403, "The console changes nothing in a real account.\n")
    assert answer(account, tmp_path, "POST", f"/examples/{path}") == expected


def test_the_page_counts_the_own_notes_of_people_but_does_not_show_them(
    account: Account, deployment: Deployment, tmp_path: Path
) -> None:
    dynamodb, table = deployment.client("dynamodb"), deployment.outputs("api")["OwnNotesTableName"]
    key = {"owner": {"S": "somebody"}, "id": {"S": "a-note"}}
    note = {**key, "created": {"S": "2026"}, "title": {"S": "a private title"}}
    dynamodb.put_item(TableName=table, Item=note)
    try:
        status, html = answer(account, tmp_path, "GET", "/examples/api")
    finally:
        dynamodb.delete_item(TableName=table, Key=key)
    assert (status, "people with notes" in html, "a private title" in html) == (200, True, False)


def test_nobody_reads_an_own_note_in_a_real_account(account: Account, tmp_path: Path) -> None:
    expected = (403, "The console signs nobody in to a real account.\n")
    assert answer(account, tmp_path, "GET", "/examples/api/own-note?id=x") == expected
