"""The console shows what it can if a stack is unusual: without outputs, without a template, or of another prefix."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from console.account import RealAccount
from console.app import create_app
from console.examples import ORDER, PROJECT_TAG
from tests.support.asgi import Answer, call


class FakeAccount(RealAccount):
    """A real account with the given stacks."""

    seconds_between_reads = 0.0

    def __init__(self, stacks: list[dict[str, Any]], template: dict[str, Any]) -> None:
        super().__init__("compute")
        self.cloudformation = MagicMock()
        self.cloudformation.get_paginator.return_value.paginate.return_value = [{"Stacks": stacks}]
        self.cloudformation.get_template.return_value = {"TemplateBody": template}

    def client(self, service: str) -> Any:
        return self.cloudformation if service == "cloudformation" else MagicMock()


def stack(stem: str, *, prefix: str = "compute", status: str = "CREATE_COMPLETE") -> dict[str, Any]:
    name = f"{prefix}-{stem.replace('_', '-')}"
    return {
        "StackName": name,
        "StackId": name,
        "StackStatus": status,
        "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
        "Tags": [{"Key": PROJECT_TAG[0], "Value": PROJECT_TAG[1]}, {"Key": "example", "Value": stem}],
    }


def get(folder: Path, path: str, stacks: list[dict[str, Any]], template: dict[str, Any]) -> Answer:
    app = create_app(FakeAccount(stacks, template), folder, port=1)
    return call(app, "GET", path, {"host": "127.0.0.1:1"})


@pytest.mark.parametrize("path", ["/examples/{stem}", "/examples/{stem}/live"])
@pytest.mark.parametrize("stem", ORDER)
def test_the_page_of_a_stack_without_its_outputs_says_so(tmp_path: Path, stem: str, path: str) -> None:
    stacks = [stack(stem, status="ROLLBACK_COMPLETE")]
    template = {"Resources": {}, "Outputs": {"Name": {"Value": "x"}}}
    answer = get(tmp_path, path.format(stem=stem), stacks, template)
    assert "is not ready. Its state is ROLLBACK_COMPLETE, and it has no output Name." in answer.body
    assert answer.status in (200, 503)


@pytest.mark.parametrize("template", [{}, {"Resources": {"Function": {"Type": "AWS::Lambda::Function"}}}])
def test_the_first_page_shows_a_stack_with_an_unusual_template(tmp_path: Path, template: dict[str, Any]) -> None:
    answer = get(tmp_path, "/", [stack("thumbnail"), stack("cron")], template)
    assert answer.status == 200
    assert "/examples/cron" in answer.body


def test_a_stack_that_only_has_a_change_set_is_not_deployed(tmp_path: Path) -> None:
    answer = get(tmp_path, "/examples/cron", [stack("cron", status="REVIEW_IN_PROGRESS")], {})
    assert answer.status == 404


def test_the_stacks_of_another_prefix_are_not_shown(tmp_path: Path) -> None:
    answer = get(tmp_path, "/examples/api", [stack("api", prefix="compute-test")], {})
    assert answer.status == 404


@pytest.mark.parametrize("path", ["/examples/x;reboot", "/events?example=x;reboot"])
def test_the_name_of_an_unknown_example_is_never_a_part_of_a_command(tmp_path: Path, path: str) -> None:
    assert "make deploy" not in get(tmp_path, path, [], {}).body


def test_half_a_character_does_not_break_a_page(tmp_path: Path) -> None:
    assert get(tmp_path, "/", [stack("cron")], {"Description": "half: \ud83d"}).status == 200
