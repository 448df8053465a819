"""A deployed web service, as its visitors and its operator see it: shared by both examples that run it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import requests

from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

PATIENCE_SECONDS = 900
"""An image is pulled, a task starts, and is asked for its health; an instance may have to start before."""


@dataclass(frozen=True)
class Service:
    """The service of one example."""

    ecs: Any
    url: str
    cluster: str
    name: str

    @classmethod
    def of(cls, deployment: Deployment, stem: str) -> Self:
        outputs = deployment.outputs(stem)
        url = deployment.url(outputs["ServiceUrl"])
        return cls(deployment.client("ecs"), url, outputs["ClusterName"], outputs["ServiceName"])

    def get(self, path: str = "") -> requests.Response:
        """One request, in a connection of its own."""
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"{self.url}{path}", timeout=10)

    def who(self) -> dict[str, Any]:
        """Which task answers now."""
        answer = self.get("api/whoami")
        answer.raise_for_status()
        return dict(answer.json())

    def state(self) -> dict[str, Any]:
        """What ECS says of the service."""
        (found,) = self.ecs.describe_services(cluster=self.cluster, services=[self.name])["services"]
        return dict(found)

    def tasks(self) -> list[dict[str, Any]]:
        """The tasks that run."""
        arns = self.ecs.list_tasks(cluster=self.cluster, serviceName=self.name)["taskArns"]
        found = self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"] if arns else []
        return [task for task in found if task["lastStatus"] == "RUNNING"]

    def in_two_zones(self) -> bool:
        """Whether tasks run in two zones."""
        return len({task["availabilityZone"] for task in self.tasks()}) >= 2

    def seen(self) -> set[str]:
        """The tasks that answer twenty requests."""
        return {self.who()["task"] for _ in range(20)}

    def failures(self) -> set[str]:
        """The events that say that a deployment failed."""
        return {event["id"] for event in self.state()["events"] if "deployment failed" in event["message"]}

    def is_steady(self) -> bool:
        """Whether no deployment is under way, and as many tasks run as should."""
        state = self.state()
        deployments = {one["status"]: one for one in state["deployments"]}
        primary = deployments.pop("PRIMARY")
        return (
            primary["rolloutState"] == "COMPLETED"
            and not any(one["desiredCount"] or one["runningCount"] for one in deployments.values())
            and state["runningCount"] == state["desiredCount"] >= 2
        )

    @contextmanager
    def with_bad_image(self) -> Iterator[str]:
        """Deploys an image that does not exist; names the task definition that was right. Leaves that one deployed."""
        good: str = self.state()["taskDefinition"]
        task = self.ecs.describe_task_definition(taskDefinition=good)["taskDefinition"]
        kept = (
            *("family", "taskRoleArn", "executionRoleArn", "networkMode", "volumes", "placementConstraints"),
            *("requiresCompatibilities", "cpu", "memory", "runtimePlatform"),
        )
        (container,) = task["containerDefinitions"]
        container["image"] = f"{container['image'].rpartition(':')[0]}:no-such-tag"
        bad = self.ecs.register_task_definition(
            **{name: task[name] for name in kept if name in task}, containerDefinitions=[container]
        )["taskDefinition"]["taskDefinitionArn"]
        try:
            self.ecs.update_service(cluster=self.cluster, service=self.name, taskDefinition=bad)
            yield good
        finally:
            if self.state()["taskDefinition"] != good:
                self.ecs.update_service(cluster=self.cluster, service=self.name, taskDefinition=good)
            self.ecs.deregister_task_definition(taskDefinition=bad)


def the_page_is_served(service: Service, launch_type: str) -> None:
    """The page and its JSON say where they run."""
    wait_for(service.is_steady, "the service to be steady", seconds=PATIENCE_SECONDS)
    page = service.get()
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    who = service.who()
    assert who["launch_type"] == launch_type
    assert who["cluster"] == service.cluster
    assert who["task"] in page.text or who["task"] in {task["taskArn"].rpartition("/")[2] for task in service.tasks()}
    assert service.get("healthz").status_code == service.get("readyz").status_code == 200


def the_tasks_take_turns_in_two_zones(service: Service) -> None:
    """Whoever asks again is answered by another task, in another zone."""
    wait_for(service.in_two_zones, "tasks in two zones", seconds=PATIENCE_SECONDS)
    running = {task["taskArn"].rpartition("/")[2] for task in service.tasks()}
    wait_for(lambda: len(service.seen() & running) >= 2, "two tasks to answer")


def a_bad_image_rolls_back(service: Service) -> None:
    """The circuit breaker gives up, and the page is served all the while."""
    wait_for(service.is_steady, "the service to be steady", seconds=PATIENCE_SECONDS)
    before = service.failures()

    def rolled_back() -> bool:
        assert service.get().status_code == 200
        failed = service.failures() - before  # else it may not have begun
        return bool(failed) and service.state()["taskDefinition"] == good and service.is_steady()

    with service.with_bad_image() as good:
        wait_for(rolled_back, "the deployment to be rolled back", seconds=PATIENCE_SECONDS)
