"""These tests open the page of the websocket example in two browsers, which talk to each other."""

import json
import uuid

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from tests.local.console.conftest import OpenPage, session_without_proxy
from tests.support.browser import needs_browser

MILLISECONDS = 20_000
"""Milliseconds that a check may need, because the machine may be busy."""


@pytest.fixture
def room() -> str:
    return f"room-{uuid.uuid4().hex[:8]}"


def join(page: Page, user: str, room: str) -> None:
    page.get_by_label("Name").fill(user)
    page.get_by_label("Room").fill(room)
    page.get_by_role("button", name="Join").click()
    expect(page.locator("[data-state]")).to_have_text(f"You are in the room {room} as {user}.", timeout=MILLISECONDS)


def say(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press("Enter")


def texts(page: Page) -> Locator:
    return page.locator("[data-messages] li")


@needs_browser
def test_two_browsers_talk_and_one_of_them_gets_what_it_has_missed(open_page: OpenPage, room: str) -> None:
    ada, bob = open_page("/examples/websocket"), open_page("/examples/websocket", width=390, dark=True)
    hostile = "<img src=x onerror=alert(1)>"
    expect(ada.get_by_role("button", name="Join")).not_to_have_class("quiet")
    join(ada, "Ada", room)
    expect(ada.get_by_role("button", name="Join")).to_have_class("quiet")  # now the main button is Send
    join(bob, "<b>Bob</b>", room)
    say(ada, hostile)
    expect(texts(bob)).to_contain_text([f"Ada: {hostile}"], timeout=MILLISECONDS)
    bob.get_by_role("button", name="Lose the connection").click()
    expect(bob.locator("[data-state]")).to_contain_text("The connection is lost")
    say(ada, "Are you there?")
    say(bob, "I write while I am away")  # it is sent after the next connection
    expected = [f"Ada: {hostile}", "Ada: Are you there?", "<b>Bob</b>: I write while I am away"]
    for page in (ada, bob):
        expect(texts(page)).to_contain_text(expected, timeout=MILLISECONDS)
        expect(texts(page)).to_have_count(3)
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]
    expect(bob.locator("#live-connections")).to_contain_text("<b>Bob</b>", timeout=MILLISECONDS)


@needs_browser
def test_a_bad_name_and_a_long_message_show_the_reason(open_page: OpenPage, room: str) -> None:
    page = open_page("/examples/websocket")
    page.get_by_label("Name").fill(" Ada")
    page.get_by_label("Room").fill(room)
    page.get_by_role("button", name="Join").click()
    expect(page.locator("[data-state]")).to_contain_text("user: must be 1 to 40", timeout=MILLISECONDS)
    join(page, "Ada", room)
    page.get_by_label("Message", exact=True).evaluate("input => input.removeAttribute('maxlength')")
    say(page, "x" * 1001)
    expect(page.locator("[data-state]")).to_contain_text("text: must have 1 to 1000", timeout=MILLISECONDS)
    expect(texts(page)).to_have_count(0)


def test_the_page_may_connect_only_to_the_local_api(console_url: str) -> None:
    with session_without_proxy() as session:
        policy = session.get(f"{console_url}/examples/websocket", timeout=30).headers["Content-Security-Policy"]
        other = session.get(f"{console_url}/examples/cron", timeout=30).headers["Content-Security-Policy"]
    (connect,) = [part.split()[1:] for part in policy.split(";") if part.split()[0] == "connect-src"]
    assert connect[0] == "'self'"
    assert [source.rpartition(":")[0] for source in connect[1:]] == ["ws://127.0.0.1"]
    assert "ws:" not in other


def test_other_web_pages_get_no_ticket(console_url: str) -> None:
    def ask(**headers: str) -> requests.Response:
        with session_without_proxy() as session:
            body = {"user": "ada", "room": "lobby"}
            return session.post(f"{console_url}/examples/websocket/ticket", data=body, headers=headers, timeout=30)

    assert ask().status_code == 403
    assert ask(Origin="https://example.com").status_code == 403
    assert json.loads(ask(Origin=console_url).text)["url"].startswith("ws://127.0.0.1:")
