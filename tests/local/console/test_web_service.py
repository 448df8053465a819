"""These tests open the pages of ecs_ec2 and fargate in a browser, send requests, stop a task and add a task."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.local.console.conftest import OpenPage
from tests.smoke.web import Service
from tests.support.browser import needs_browser
from tests.support.deployment import Deployment

PATIENCE_MS = 30_000
pytestmark = needs_browser
both_services = pytest.mark.parametrize("stem", ["ecs_ec2", "fargate"])


@pytest.fixture
def page(open_page: OpenPage, stem: str) -> Iterator[Page]:
    """Yield the page while it sends requests. The load ends with the test."""
    page = open_page(f"/examples/{stem}")
    page.get_by_role("button", name="Send 10 requests a second").click()
    yield page
    page.get_by_role("button", name="End the load").click()
    expect(page.get_by_role("button", name="Send 10 requests a second")).to_be_visible()


def healthy_tasks(page: Page) -> Locator:
    return page.locator(".task", has=page.get_by_text("healthy", exact=True))


@both_services
def test_both_tasks_answer_in_turns_in_their_zones(page: Page) -> None:
    expect(page.locator(".task")).to_have_count(2)
    zones = page.locator("section[id^=zone-]")
    expect(zones).to_have_count(2)
    for zone in zones.all():
        expect(zone.locator(".task dd.answered")).to_have_text(re.compile("[1-9]"))
    ids = [str(task.get_attribute("id")).removeprefix("task-") for task in page.locator(".task").all()]
    for task in ids:
        colour = page.locator(f"#task-{task} circle").get_attribute("class")
        expect(page.locator(f".strip rect.{colour}").first).to_be_attached()
    expect(page.get_by_text("ms (p50)")).to_be_visible()


@both_services
def test_no_request_fails_while_a_stopped_task_is_replaced(page: Page) -> None:
    stopped = str(page.locator(".task").first.get_attribute("id"))
    page.locator(f"#{stopped}").get_by_role("button", name="Stop the task").click()
    expect(page.locator("#outcome")).to_contain_text("ECS stops the task")
    replacement = page.locator("#replacement")
    expect(replacement).to_contain_text(f"replaced {stopped.removeprefix('task-')[:8]}", timeout=PATIENCE_MS)
    expect(replacement).to_contain_text(re.compile("[1-9][0-9]* requests during the replacement, 0 failed"))
    expect(page.locator("#failed")).to_have_text("0")
    expect(page.locator(f"#{stopped}")).to_have_count(0)
    expect(healthy_tasks(page)).to_have_count(2)


@pytest.mark.parametrize("stem", ["fargate"])  # the page of ecs_ec2 has the same code
def test_a_click_adds_a_task_and_another_one_removes_it(page: Page, stem: str, deployment: Deployment) -> None:
    page.get_by_role("button", name="Add a task").click()
    expect(page.locator("#outcome")).to_contain_text("from 2 to 3")
    expect(healthy_tasks(page)).to_have_count(3, timeout=PATIENCE_MS)
    expect(page.locator(".task", has=page.get_by_text("new", exact=True))).not_to_have_count(0)
    page.get_by_role("button", name="Remove a task").click()
    expect(page.locator(".task")).to_have_count(2, timeout=PATIENCE_MS)
    page.get_by_role("button", name="Remove a task").click()
    expect(page.locator("#outcome")).to_contain_text("The service has at least 2 tasks")
    expect(page.locator("#failed")).to_have_text("0")
    assert Service.of(deployment, stem).describe()["desiredCount"] == 2
