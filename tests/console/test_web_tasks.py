"""These tests check how the console reads the tasks of a service. They need no deployment."""

from typing import Any

import pytest

from console import web_tasks
from tests.support.folders import ROOT

FARGATE_TASK = {
    "attachments": [
        {"details": [{"name": "subnetId", "value": "a"}, {"name": "privateIPv4Address", "value": "10.0.0.2"}]}
    ],
    "containers": [{"networkBindings": []}],
}
EC2_TASK = {"attachments": [], "containers": [{"networkBindings": [{"hostPort": 40001}]}]}
STARTING_TASK: dict[str, Any] = {"containers": [{}]}


def target(address: str, port: int, state: str) -> dict[str, Any]:
    return {"Target": {"Id": address, "Port": port}, "TargetHealth": {"State": state}}


@pytest.mark.parametrize(
    ("task", "targets", "expected"),
    [
        (FARGATE_TASK, [target("10.0.0.1", 8080, "draining"), target("10.0.0.2", 8080, "healthy")], "healthy"),
        (EC2_TASK, [target("i-1", 40000, "draining"), target("i-1", 40001, "initial")], "initial"),
        (EC2_TASK, [target("i-1", 40001, "unhealthy"), target("i-2", 40001, "healthy")], "healthy or unhealthy"),
        (FARGATE_TASK, [target("10.0.0.1", 8080, "healthy")], ""),
        (STARTING_TASK, [target("10.0.0.1", 8080, "healthy")], ""),
    ],
)
def test_the_health_of_a_task_is_that_of_its_target(task: Any, targets: list[Any], expected: str) -> None:
    assert web_tasks._health(task, targets) == expected


def test_the_newest_tasks_have_different_colours_which_the_style_sheet_has() -> None:
    colour, tasks = web_tasks.TaskColours(), [str(number) for number in range(12)]
    colours = [colour(task) for task in tasks]
    assert [len(set(colours[start : start + 8])) for start in range(5)] == [8] * 5
    assert [colour(task) for task in tasks] == colours, "a task keeps its colour"
    style = (ROOT / "console" / "static" / "console.css").read_text(encoding="utf-8")
    assert [name for name in colours if f".{name} {{" not in style] == []
