"""These tests open the page of the API example: Swagger UI, the notes, and a burst of requests."""

import threading
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from console.account import RealAccount
from console.burst import NO_ANSWER, REQUESTS, Burst, counts
from console.examples import Example
from console.notes_api import NotesApi
from console.page import ActionError
from local.api import api_key
from tests.local.console.conftest import OpenPage
from tests.smoke.test_api import ApiClient
from tests.support.browser import needs_browser
from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

MILLISECONDS = 20_000
"""Milliseconds that a burst may need on a busy machine."""
HOSTILE_TITLE = "<img src=x onerror=alert(1)> \"quoted\" & 'ünquoted' #?/"
HOSTILE_BODY = "</pre><script>alert(2)</script>"


@pytest.fixture
def api_client(deployment: Deployment) -> Iterator[ApiClient]:
    """Yield a client with the key of the deployment. After the test, delete the notes with the hostile title."""
    outputs = deployment.outputs("api")
    client = ApiClient(deployment.url(outputs["ApiUrl"]), api_key(deployment.client("apigateway"), outputs))
    yield client
    for note in client.send("GET", "/notes", params={"limit": 100}).json()["notes"]:
        if note["title"] == HOSTILE_TITLE:
            client.send("DELETE", f"/notes/{note['id']}")


def _form(page: Page) -> Locator:
    """Return the form for a note of version 1. The page also has a form for version 2."""
    return page.get_by_role("region", name="Write a note")


@needs_browser
def test_a_note_with_markup_is_written_shown_as_text_and_deleted(open_page: OpenPage, api_client: ApiClient) -> None:
    page = open_page("/examples/api")
    _form(page).get_by_label("Title").fill(HOSTILE_TITLE)
    _form(page).get_by_label("Body").fill(HOSTILE_BODY)
    _form(page).get_by_label("Tags").fill("<b>bold</b>, second")
    _form(page).get_by_role("button", name="Send POST").click()
    expect(page.locator("#outcome")).to_contain_text("The API answers 201 Created")
    expect(_form(page).get_by_label("Title")).to_have_value("")  # the form is ready for the next note
    row = page.locator("#live-notes tbody tr").first
    expect(row.locator("td").nth(0)).to_have_text(HOSTILE_TITLE)
    expect(row.locator("td").nth(1)).to_have_text("<b>bold</b>, second")
    page.get_by_role("button", name=f"Show the note {HOSTILE_TITLE}").first.click()
    expect(page.locator("#note pre")).to_have_text(HOSTILE_BODY)
    assert page.locator("#live-notes img, #note script").count() == 0
    page.get_by_role("button", name=f"Delete the note {HOSTILE_TITLE}").first.click()
    expect(page.locator("#outcome")).to_contain_text("204 No Content")
    expect(page.get_by_role("button", name=f"Delete the note {HOSTILE_TITLE}")).to_have_count(0)
    assert HOSTILE_TITLE not in api_client.send("GET", "/notes").text


@needs_browser
def test_the_api_keeps_each_digit_of_a_json_body(open_page: OpenPage, api_client: ApiClient) -> None:
    page = open_page("/examples/api", width=390, dark=True)
    _form(page).get_by_label("Title").fill(HOSTILE_TITLE)
    _form(page).get_by_label("Body").fill('{"pi": 3.14159265358979323846264}')
    _form(page).get_by_role("button", name="Send POST").click()
    expect(page.locator("#outcome")).to_contain_text("The API answers 201 Created")
    page.get_by_role("button", name=f"Show the note {HOSTILE_TITLE}").first.click()
    expect(page.locator("#note pre")).to_contain_text("3.14159265358979323846264")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "the page is wider than the screen"
    assert "3.14" not in api_client.send("GET", "/notes").text  # a list has no bodies


@needs_browser
@pytest.mark.usefixtures("deployment")
def test_the_reason_of_the_api_is_shown(open_page: OpenPage) -> None:
    page = open_page("/examples/api")
    _form(page).get_by_label("Title").fill("too long a tag")
    _form(page).get_by_label("Tags").fill("x" * 51)
    _form(page).get_by_role("button", name="Send POST").click()
    expect(page.locator("#outcome .error")).to_contain_text("The API answers 422")
    expect(page.locator("#outcome")).to_contain_text("Item 1 of tags must have 50 characters or fewer")
    expect(_form(page).get_by_label("Tags")).to_have_value("x" * 51)  # the person can correct it


@needs_browser
def test_swagger_ui_executes_a_request_with_the_key(open_page: OpenPage) -> None:
    page = open_page("/examples/api/try")
    operation = page.locator("#operations-default-list_notes")
    operation.get_by_role("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    expect(answer).to_contain_text('"next_cursor"')


@needs_browser
def test_a_burst_meets_the_limits_of_the_key(open_page: OpenPage) -> None:
    page = open_page("/examples/api")
    expect(page.get_by_text("10 requests a second, 10 at once, and 10,000 a day")).to_be_visible()
    page.get_by_role("button", name=f"Send {REQUESTS} requests at once").click()
    burst = page.locator("#live-burst")
    expect(burst.get_by_role("img")).to_be_visible(timeout=MILLISECONDS)
    expect(burst.get_by_role("progressbar")).to_have_count(0, timeout=MILLISECONDS)
    numbers = {
        name: int(number)
        for name, number in (text.split("\n") for text in burst.locator(".numbers div").all_inner_texts())
    }
    assert numbers["429 Too Many Requests"] > 0
    assert numbers["200 OK"] > 0
    assert sum(numbers.values()) == REQUESTS
    expect(burst).to_contain_text("Retry-After: 1")
    expect(burst.locator("rect")).to_have_count(REQUESTS)


def test_the_proxy_answers_with_the_headers_of_the_api_and_runs_nothing(console_url: str) -> None:
    answer = requests.get(f"{console_url}/examples/api/proxy/v1/notes", timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox;")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("origin", [None, "http://evil.example"])
def test_the_proxy_refuses_a_change_by_another_page(console_url: str, origin: str | None) -> None:
    url, headers = f"{console_url}/examples/api/proxy/v1/notes", {"Origin": origin} if origin else {}
    assert requests.post(url, headers=headers, json={"title": "x"}, timeout=30).text.startswith("Only the pages")


@pytest.mark.parametrize("path", ["", "v1/", "v3/notes", "v1/../../2015-03-31/functions", "v1/./notes", "v1//notes"])
def test_the_proxy_refuses_a_path_outside_the_api(path: str) -> None:
    example = Example(
        stem="api", stack="", status="", changed_at="", description="", template={},
        outputs={"ApiUrl": "http://127.0.0.1:9/live/"},
    )  # fmt: skip
    with pytest.raises(ActionError, match="not a path of the API"):
        NotesApi(RealAccount("compute"), example).forward("GET", path, "", {}, b"")


def test_a_burst_counts_each_status_and_runs_once() -> None:
    release, numbers = threading.Event(), iter(range(REQUESTS))
    lock = threading.Lock()

    def send() -> tuple[int, str]:
        release.wait()
        with lock:
            number = next(numbers)
        if number == 0:
            raise requests.ConnectionError
        return (200, "") if number <= 10 else (429, "1")

    burst = Burst()
    assert burst.start(send)
    assert not burst.start(send), "a second burst starts while the first one runs"
    release.set()
    wait_for(lambda: not burst.is_running, "the end of the burst")
    assert counts(burst.answers()) == [(NO_ANSWER, "bad", 1), (200, "good", 10), (429, "warm", 89)]
    assert [answer.number for answer in burst.answers()] == [*range(REQUESTS)]
