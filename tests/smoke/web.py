"""Checks of a deployed web service. The tests of ECS on EC2 and of Fargate use these checks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import requests

from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

MAX_WAIT_SECONDS = 900
"""In this time ECS pulls an image, starts a task and checks its health. On EC2, an instance may have to start first."""


@dataclass(frozen=True)
class Service:
    """The deployed service of one example."""

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
        """Send one request on a new connection."""
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"{self.url}{path}", timeout=10)

    def whoami(self) -> dict[str, Any]:
        """Send a request. Return the description of the task that answers it."""
        response = self.get("api/whoami")
        response.raise_for_status()
        return dict(response.json())

    def describe(self) -> dict[str, Any]:
        """Return the state of the service as ECS reports it."""
        (service,) = self.ecs.describe_services(cluster=self.cluster, services=[self.name])["services"]
        return dict(service)

    def running_tasks(self) -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(cluster=self.cluster, serviceName=self.name)["taskArns"]
        tasks = self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"] if arns else []
        return [task for task in tasks if task["lastStatus"] == "RUNNING"]

    def running_task_ids(self) -> set[str]:
        return {task["taskArn"].rpartition("/")[2] for task in self.running_tasks()}

    def is_in_two_zones(self) -> bool:
        """Whether tasks run in at least two availability zones."""
        return len({task["availabilityZone"] for task in self.running_tasks()}) >= 2

    def answering_task_ids(self) -> set[str]:
        """Send twenty requests. Return the ids of the tasks that answer them."""
        return {self.whoami()["task"] for _ in range(20)}

    def failure_events(self) -> set[str]:
        """Return the ids of the events about failed deployments."""
        return {event["id"] for event in self.describe()["events"] if "deployment failed" in event["message"]}

    def is_steady(self) -> bool:
        """Whether the last deployment is complete, and all desired tasks run."""
        service = self.describe()
        deployments = {deployment["status"]: deployment for deployment in service["deployments"]}
        primary = deployments.pop("PRIMARY")
        return (
            primary["rolloutState"] == "COMPLETED"
            and not any(old["desiredCount"] or old["runningCount"] for old in deployments.values())
            and service["runningCount"] == service["desiredCount"] >= 2
        )

    @contextmanager
    def deployment_with_missing_image(self) -> Iterator[str]:
        """Deploy an image that does not exist. Yield the previous task definition, and deploy it again at the end."""
        good_definition: str = self.describe()["taskDefinition"]
        bad_definition = self._register_with_missing_image(good_definition)
        try:
            self.ecs.update_service(cluster=self.cluster, service=self.name, taskDefinition=bad_definition)
            yield good_definition
        finally:
            if self.describe()["taskDefinition"] != good_definition:
                self.ecs.update_service(cluster=self.cluster, service=self.name, taskDefinition=good_definition)
            self.ecs.deregister_task_definition(taskDefinition=bad_definition)

    def _register_with_missing_image(self, good_definition: str) -> str:
        task = self.ecs.describe_task_definition(taskDefinition=good_definition)["taskDefinition"]
        copied_fields = (
            *("family", "taskRoleArn", "executionRoleArn", "networkMode", "volumes", "placementConstraints"),
            *("requiresCompatibilities", "cpu", "memory", "runtimePlatform"),
        )
        (container,) = task["containerDefinitions"]
        container["image"] = f"{container['image'].rpartition(':')[0]}:no-such-tag"
        response = self.ecs.register_task_definition(
            **{name: task[name] for name in copied_fields if name in task}, containerDefinitions=[container]
        )
        return str(response["taskDefinition"]["taskDefinitionArn"])


def check_page(service: Service, launch_type: str) -> None:
    """Check the page, the description of the task as JSON, and the health checks."""
    wait_for(service.is_steady, "the end of all deployments", seconds=MAX_WAIT_SECONDS)
    page = service.get()
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    task = service.whoami()
    assert task["launch_type"] == launch_type
    assert task["cluster"] == service.cluster
    assert task["task"] in page.text or task["task"] in service.running_task_ids()
    assert service.get("healthz").status_code == service.get("readyz").status_code == 200


def check_two_zones(service: Service) -> None:
    """Check that tasks run in two availability zones, and that at least two tasks answer requests."""
    wait_for(service.is_in_two_zones, "tasks in two zones", seconds=MAX_WAIT_SECONDS)
    running = service.running_task_ids()
    wait_for(lambda: len(service.answering_task_ids() & running) >= 2, "two tasks to answer")


def check_rollback(service: Service) -> None:
    """Check that ECS rolls back a deployment whose image does not exist. The page must answer all the time."""
    wait_for(service.is_steady, "the end of all deployments", seconds=MAX_WAIT_SECONDS)
    before = service.failure_events()

    def is_rolled_back() -> bool:
        assert service.get().status_code == 200
        has_failed = bool(service.failure_events() - before)  # without such an event, the deployment may not have begun
        return has_failed and service.describe()["taskDefinition"] == good_definition and service.is_steady()

    with service.deployment_with_missing_image() as good_definition:
        wait_for(is_rolled_back, "the deployment to be rolled back", seconds=MAX_WAIT_SECONDS)
