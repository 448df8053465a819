"""The state of a web service on ECS: its tasks with their zones and their health, its deployments and events."""

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from console.account import Account, AccountError
from console.examples import Example
from local.project import WEB

sys.path.append(str(WEB))  # the program of the container, which is not installed here

from web.page import SHORT_ID_LENGTH

MAX_TASKS = 50
"""The page shows at most this number of tasks."""
SHOWN_EVENTS = 10
TASK_COLOURS = 8
"""The number of colours in console.css."""
NEW_SECONDS = 20
"""A task is new for this time."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task of the service."""

    id: str
    zone: str
    status: str
    """The status of the task in ECS, such as RUNNING."""
    health: str
    """The state of the task in the load balancer, such as healthy. It is empty if the load balancer has no entry."""
    started_at: datetime | None
    capacity: str
    """The launch type or the capacity provider."""

    @property
    def short_id(self) -> str:
        """The beginning of the id, as the web page shows it."""
        return self.id[:SHORT_ID_LENGTH]

    @property
    def is_new(self) -> bool:
        """Whether the task started a moment ago."""
        return self.started_at is not None and datetime.now(UTC) - self.started_at < timedelta(seconds=NEW_SECONDS)


@dataclass(frozen=True, kw_only=True)
class WebService:
    """The service, its tasks, and the limits of its scaling."""

    cluster: str
    name: str
    tasks: Sequence[Task]
    desired: int
    targets: Sequence[str]
    """The state of each target of the load balancer."""
    deployments: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]

    @property
    def is_steady(self) -> bool:
        """Whether exactly the desired tasks run, and the load balancer reports all of them as healthy."""
        running = [task for task in self.tasks if task.status == "RUNNING"]
        return len(running) == len(self.tasks) == self.desired and list(self.targets) == ["healthy"] * self.desired


class TaskColours:
    """Gives each task one of a few clearly different colours, in the order in which the tasks appear.

    A web page computes the colour of its task from the id, so two tasks can have almost the same colour there.
    """

    def __init__(self) -> None:
        """No task has a colour yet."""
        self._colours: dict[str, int] = {}
        self._lock = threading.Lock()

    def __call__(self, task: str) -> str:
        """Return the CSS class with the colour of a task. The last TASK_COLOURS new tasks have different colours."""
        with self._lock:
            return f"fill-task-{self._colours.setdefault(task, len(self._colours) % TASK_COLOURS)}"


def read_service(account: Account, example: Example) -> WebService:
    """Return the state of an example's service. Raises AccountError if there is none, and the errors of boto3."""
    cluster, name = example.outputs.get("ClusterName"), example.outputs.get("ServiceName")
    if cluster is None or name is None:
        raise AccountError(f"The stack {example.stack} has no service yet.")
    ecs = account.client("ecs")
    found = ecs.describe_services(cluster=cluster, services=[name])["services"]
    if not found:
        raise AccountError(f"The service {name} does not exist.")
    service = found[0]
    targets = _targets(account, service)
    return WebService(
        cluster=cluster,
        name=name,
        tasks=[_task(task, targets) for task in _raw_tasks(ecs, cluster, name)],
        desired=service["desiredCount"],
        targets=[target["TargetHealth"]["State"] for target in targets],
        deployments=service["deployments"][:SHOWN_EVENTS],
        events=sorted(service["events"], key=lambda event: event["createdAt"], reverse=True)[:SHOWN_EVENTS],
    )


def task_limits(example: Example) -> tuple[int, int]:
    """Return the minimum and the maximum number of tasks that the template allows."""
    for target in example.resources("AWS::ApplicationAutoScaling::ScalableTarget").values():
        return int(target["Properties"]["MinCapacity"]), int(target["Properties"]["MaxCapacity"])
    return 1, MAX_TASKS


def _targets(account: Account, service: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if not service["loadBalancers"]:
        return []
    group = service["loadBalancers"][0]["targetGroupArn"]
    return list(account.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"])


def _raw_tasks(ecs: Any, cluster: str, service: str) -> list[Mapping[str, Any]]:
    # Without a desired status, ECS lists the tasks that run or start. A task that is stopping has the desired status
    # STOPPED. ECS lists it for about an hour.
    arns = [
        *ecs.list_tasks(cluster=cluster, serviceName=service, maxResults=MAX_TASKS)["taskArns"],
        *ecs.list_tasks(cluster=cluster, serviceName=service, desiredStatus="STOPPED", maxResults=MAX_TASKS)[
            "taskArns"
        ],
    ]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=list(dict.fromkeys(arns)))["tasks"] if arns else []
    shown = [task for task in tasks if task["lastStatus"] != "STOPPED"]
    return sorted(shown, key=lambda task: (str(task.get("createdAt", "")), task["taskArn"]))


def _task(task: Mapping[str, Any], targets: Sequence[Mapping[str, Any]]) -> Task:
    return Task(
        id=task["taskArn"].rpartition("/")[2],
        zone=task.get("availabilityZone") or "no zone yet",
        status=task["lastStatus"],
        health=_health(task, targets),
        started_at=task.get("startedAt"),
        capacity=task.get("capacityProviderName") or task.get("launchType", ""),
    )


def _health(task: Mapping[str, Any], targets: Sequence[Mapping[str, Any]]) -> str:
    # On Fargate, a target is the private address of a task. On EC2, it is a port of an instance. The ports are random,
    # so two tasks rarely have the same port on two instances. Then the page shows the states of both.
    addresses = {
        detail["value"]
        for attachment in task.get("attachments", [])
        for detail in attachment.get("details", [])
        if detail.get("name") == "privateIPv4Address"
    }
    ports = {
        binding.get("hostPort") for container in task["containers"] for binding in container.get("networkBindings", [])
    }
    states = {
        target["TargetHealth"]["State"]
        for target in targets
        if (target["Target"]["Id"] in addresses if addresses else target["Target"].get("Port") in ports)
    }
    return " or ".join(sorted(states))
