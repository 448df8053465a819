"""These tests use version 2 of the API on its page: sign in, write notes, and see what the API refuses."""

import re
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from local.console_process import ConsoleProcess
from localaws.aws import LocalAws
from tests.local.console.conftest import OpenPage
from tests.support.browser import needs_browser
from tests.support.deployment import Deployment

HOSTILE_TITLE = "<img src=x onerror=alert(1)> \"quoted\" & 'ünquoted' #?/"
HOSTILE_BODY = "</pre><script>alert(2)</script>"
MILLISECONDS = 20_000
"""Milliseconds that the first request to a function may need on a busy machine."""


@pytest.fixture
def page_path(console_url: str, deployment: Deployment) -> Iterator[str]:
    """Yield the path of the page. Before and after the test, nobody is signed in, and there are no notes."""
    _reset(console_url, deployment)
    yield "/examples/api"
    _reset(console_url, deployment)


def _act(console_url: str, action: str, **form: str) -> requests.Response:
    """Send a form, as a page of the console does."""
    url = f"{console_url}/examples/api/actions/{action}"
    return requests.post(url, data=form, headers={"Origin": console_url}, timeout=60)


def _reset(console_url: str, deployment: Deployment) -> None:
    _act(console_url, "sign-out")
    table = deployment.outputs("api")["OwnNotesTableName"]
    dynamodb = deployment.client("dynamodb")
    for item in dynamodb.scan(TableName=table)["Items"]:
        dynamodb.delete_item(TableName=table, Key={"owner": item["owner"], "id": item["id"]})


def _outcome(page: Page, text: str) -> None:
    expect(page.locator("#own-outcome")).to_contain_text(text, timeout=MILLISECONDS)


def _write(page: Page, title: str, body: str = "") -> Locator:
    """Write a note, and return its row in the table of the notes."""
    form = page.get_by_role("region", name="Write your note")
    form.get_by_label("Title").fill(title)
    form.get_by_label("Body").fill(body)
    form.get_by_role("button", name="Send POST /v2/notes").click()
    _outcome(page, "The API answers 201 Created")
    return page.locator("#live-own-notes tbody tr").first


def _sign_in(page: Page, name: str) -> None:
    page.get_by_role("button", name=f"Sign in as {name}").click()
    expect(page.locator("#live-person")).to_contain_text(f"{name} is signed in", timeout=MILLISECONDS)


@needs_browser
def test_a_person_writes_changes_and_deletes_a_note_with_markup(open_page: OpenPage, page_path: str) -> None:
    page = open_page(page_path)
    _sign_in(page, "Anna")
    row = _write(page, HOSTILE_TITLE, HOSTILE_BODY)
    expect(row.locator("td").first).to_have_text(HOSTILE_TITLE)
    page.get_by_role("button", name=f"Show Anna's note {HOSTILE_TITLE}").click()
    opened = page.locator("#own-note")
    expect(opened.get_by_role("heading")).to_have_text(HOSTILE_TITLE)
    expect(opened.locator("pre")).to_contain_text(HOSTILE_BODY)
    assert page.locator("#live-own-notes img, #own-note img, #own-note script").count() == 0
    opened.get_by_label("New body").fill('{"pi": 3.14159265358979323846264}')
    opened.get_by_role("button", name="Send PATCH").click()
    _outcome(page, "The note now has the version 2")
    expect(opened).to_be_empty()  # the opened note was out of date
    expect(row.locator("td.number")).to_have_text("2")
    page.get_by_role("button", name=f"Show Anna's note {HOSTILE_TITLE}").click()
    expect(opened.locator("pre")).to_contain_text("3.14159265358979323846264")
    page.get_by_role("button", name=f"Delete Anna's note {HOSTILE_TITLE}").click()
    _outcome(page, "204 No Content")
    expect(page.locator("#live-own-notes")).to_contain_text("Anna has no note yet")


@needs_browser
def test_a_change_of_an_old_version_is_refused_and_the_text_stays(open_page: OpenPage, page_path: str) -> None:
    first, second = open_page(page_path), open_page(page_path)
    _sign_in(first, "Anna")
    _write(first, "Shopping")
    for page in (first, second):
        page.get_by_role("button", name="Show Anna's note Shopping").click()
        page.get_by_label("New title").fill("Groceries")
    first.get_by_role("button", name="Send PATCH").click()
    _outcome(first, "The note now has the version 2")
    second.get_by_role("button", name="Send PATCH").click()
    _outcome(second, "The API answers 412 Precondition Failed")
    expect(second.get_by_label("New title")).to_have_value("Groceries")


@needs_browser
def test_a_person_sees_only_own_notes_and_cannot_read_those_of_the_other(open_page: OpenPage, page_path: str) -> None:
    page = open_page(page_path)
    _sign_in(page, "Anna")
    _write(page, "Only for Anna")
    page.get_by_role("button", name="Show Anna's note").click()
    _sign_in(page, "Ben")
    expect(page.locator("#own-note")).to_be_empty()
    expect(page.locator("#live-own-notes")).to_contain_text("Ben has no note yet")
    page.get_by_role("button", name="Read the note of the other person").click()
    _outcome(page, "Ben asks for it. The API answers 404 Not Found")
    expect(page.get_by_text("Only for Anna")).to_have_count(0)


@needs_browser
def test_without_a_token_the_api_answers_401(open_page: OpenPage, page_path: str) -> None:
    page = open_page(page_path)
    page.get_by_role("button", name="List notes without a token").click()
    _outcome(page, "The API answers 401 Unauthorized")
    form = page.get_by_role("region", name="Write your note")
    form.get_by_label("Title").fill("nobody writes this")
    form.get_by_role("button").click()
    expect(page.locator("#own-outcome .error")).to_contain_text("401 Unauthorized", timeout=MILLISECONDS)
    expect(form.get_by_label("Title")).to_have_value("nobody writes this")  # it stays for the time after the sign-in
    page.get_by_role("button", name="Read the note of the other person").click()
    _outcome(page, "Nobody is signed in")


@needs_browser
def test_a_program_exports_with_the_role_but_not_without_a_signature(open_page: OpenPage, page_path: str) -> None:
    page = open_page(page_path)
    _sign_in(page, "Ben")
    _write(page, "a note of Ben")
    page.get_by_role("button", name="Export as the role").click()
    _outcome(page, "The API answers 200 OK. Notes on this page of the export: 1. Their owners: 1.")
    _outcome(page, 'The first notes: "a note of Ben" of the owner ')
    page.get_by_role("button", name="Export without a signature").click()
    _outcome(page, "Without a signature: The API answers 404 Not Found")


@needs_browser
def test_the_keyboard_alone_opens_and_changes_a_note_on_a_phone_in_the_dark(
    open_page: OpenPage, page_path: str
) -> None:
    page = open_page(page_path, width=390, dark=True)
    page.get_by_role("button", name="Sign in as Anna").press("Enter")
    expect(page.locator("#live-person")).to_contain_text("Anna is signed in", timeout=MILLISECONDS)
    page.get_by_role("region", name="Write your note").get_by_label("Title").fill("x" * 200)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Show Anna's note").press("Enter")
    expect(page.locator("#own-note-title")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "the page is wider than the screen"
    page.keyboard.press("Tab")  # the answer of the API, which a keyboard can scroll
    page.keyboard.press("Tab")
    expect(page.get_by_label("New title")).to_be_focused()
    page.get_by_label("New title").fill("short")
    page.keyboard.press("Enter")
    expect(page.locator("#live-own-notes tbody td").first).to_have_text("short")
    expect(page.locator("#own-notes-title")).to_be_focused()
    page.get_by_role("button", name="Sign out").press("Enter")
    expect(page.locator("#live-own-notes")).to_be_empty()


def test_the_browser_and_the_log_get_no_token(console_url: str, page_path: str, local_aws: LocalAws) -> None:
    answers = [
        _act(console_url, "sign-in", name="Anna"),
        _act(console_url, "own-create", title="a note"),
        *(_act(console_url, action) for action in ("other-note", "no-token", "export", "export-unsigned")),
        requests.get(f"{console_url}{page_path}", timeout=60),
    ]
    (note,) = {*re.findall(r"own-note\?id=([0-9a-f-]+)", answers[-1].text)}
    change = {"id": note, "etag": '"1"', "title": "a changed note"}
    answers += [
        requests.get(f"{console_url}{page_path}/own-note?id={note}", timeout=60),
        *(_act(console_url, action, **change) for action in ("own-change", "own-delete", "sign-out")),
    ]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    assert "outcome error" not in "".join(answer.text for answer in answers)
    log = ConsoleProcess(local_aws).log_file.read_text(encoding="utf-8")
    text = "".join(f"{answer.url} {answer.headers} {answer.text}" for answer in answers) + log
    assert "eyJ" not in text, "each JSON web token begins with eyJ, so a token has left the console's memory"


@pytest.mark.parametrize("origin", [None, "http://evil.example"])
def test_another_page_cannot_sign_in(console_url: str, page_path: str, origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    url = f"{console_url}{page_path}/actions/sign-in"
    answer = requests.post(url, data={"name": "Anna"}, headers=headers, timeout=30)
    assert (answer.status_code, answer.text[:14]) == (403, "Only the pages")
    assert "Nobody is signed in" in requests.get(f"{console_url}{page_path}", timeout=30).text


def test_only_the_demo_people_can_sign_in(console_url: str, page_path: str) -> None:
    assert "Only Anna and Ben can sign in here" in _act(console_url, "sign-in", name="mallory").text
    assert "Nobody is signed in" in requests.get(f"{console_url}{page_path}", timeout=30).text


@pytest.mark.parametrize("note_id", ["", "..", "../../v1/notes", "%2e%2e", "a?b=c"])
def test_a_wrong_id_never_reaches_another_path(console_url: str, page_path: str, note_id: str) -> None:
    _act(console_url, "sign-in", name="Anna")
    answer = requests.get(
        f"{console_url}{page_path.replace('api', 'api/own-note')}", params={"id": note_id}, timeout=30
    )
    assert "404" in answer.text or "not a path of the API" in answer.text, answer.text
