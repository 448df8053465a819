"""Shows that the web service of both container examples works. All requests go to the load balancer of the service."""

import threading
import urllib.request
from typing import Any

from local.deployment import LocalDeployment
from local.waiting import wait_for
from localaws import docker_for_cdk
from localaws.aws import LocalError
from localaws.urls import local_url

PATIENCE_SECONDS = 240
MIN_TASKS = 2
"""The minimum number of tasks of the service. The user of `make local` may have set a larger number."""


def exercise(deployment: LocalDeployment, outputs: dict[str, str]) -> None:
    """Check that all tasks answer. Then stop a task while requests continue. Raises LocalError if a request fails."""
    url = local_url(outputs["ServiceUrl"], deployment.engine.endpoint)
    print(f"    {_how_tasks_run(deployment)}")
    tasks = _wait_for_tasks(deployment, outputs)
    answers: set[str] = set()

    def all_have_answered() -> bool:
        answers.add(_get(f"{url}api/whoami"))  # an open page of the console may send requests in between
        return len(answers) == len(tasks)

    if not wait_for(all_have_answered, seconds=PATIENCE_SECONDS):
        raise LocalError(f"{len(answers)} of {len(tasks)} tasks answered at {url}")
    zones = sorted({task["availabilityZone"] for task in tasks})
    print(f"    {len(tasks)} tasks in {' and '.join(zones)} answer one after the other at {url}")
    answered = _stop_task_under_load(deployment, outputs, url, tasks)
    print(f"    one task was stopped and replaced. All {answered} requests during this time succeeded")
    instances = "instances, " if any(task["launchType"] == "EC2" for task in tasks) else ""
    print(f"    the local AWS stores these resources, but they have no effect: {instances}rules for scaling, flow logs")


def suggestions(deployment: LocalDeployment, outputs: dict[str, str]) -> list[str]:
    """Return shell commands that the person may try next."""
    cluster, service = outputs["ClusterName"], outputs["ServiceName"]
    url = local_url(outputs["ServiceUrl"], deployment.engine.endpoint)
    return [
        f"curl {url}api/whoami   # run this several times: another task answers each time",
        f"# open this page in a browser, and reload it several times: {url}",
        f"aws ecs update-service --cluster {cluster} --service {service} --desired-count 3",
    ]


def _how_tasks_run(deployment: LocalDeployment) -> str:
    tool = deployment.engine.tool
    if not tool:
        return f"each task is a process of this machine, because no container tool is used ({tool.why}). No image runs"
    base_image = (
        ". The base image contains the Python of this machine"
        if docker_for_cdk.is_base_made_here(deployment.aws.folder)
        else ""
    )
    limits = "" if tool.limits else ". The limits of the tasks have no effect"
    return f"each task is a {tool.name} container with an image built from containers/web{base_image}{limits}"


def _wait_for_tasks(deployment: LocalDeployment, outputs: dict[str, str], stopped: str | None = None) -> list[Any]:
    ecs = deployment.client("ecs")

    def healthy_tasks() -> list[Any] | None:
        tasks = [task for task in _tasks(ecs, outputs["ClusterName"]) if task["lastStatus"] == "RUNNING"]
        is_stopped = stopped not in {task["taskArn"] for task in tasks}
        is_complete = len(tasks) >= MIN_TASKS and is_stopped and _are_healthy(deployment, outputs, len(tasks))
        return tasks if is_complete else None

    tasks = wait_for(healthy_tasks, seconds=PATIENCE_SECONDS)
    if tasks is None:
        name = outputs["ServiceName"]
        raise LocalError(f"{name} has fewer than {MIN_TASKS} healthy tasks after {PATIENCE_SECONDS} s")
    return tasks


def _tasks(ecs: Any, cluster: str) -> list[Any]:
    arns = ecs.list_tasks(cluster=cluster)["taskArns"]
    return list(ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]) if arns else []


def _are_healthy(deployment: LocalDeployment, outputs: dict[str, str], number: int) -> bool:
    (service,) = deployment.client("ecs").describe_services(
        cluster=outputs["ClusterName"], services=[outputs["ServiceName"]]
    )["services"]
    target_group = service["loadBalancers"][0]["targetGroupArn"]
    health = deployment.client("elbv2").describe_target_health(TargetGroupArn=target_group)
    states = [target["TargetHealth"]["State"] for target in health["TargetHealthDescriptions"]]
    return states == ["healthy"] * number


def _stop_task_under_load(deployment: LocalDeployment, outputs: dict[str, str], url: str, tasks: list[Any]) -> int:
    """Stop a task while requests continue, and wait for the new task. Return the number of answered requests."""
    load_may_end = threading.Event()
    failures: list[str] = []
    answered = 0

    def send_requests() -> None:
        nonlocal answered
        while not load_may_end.is_set():
            try:
                _get(url)
                answered += 1
            except OSError as error:
                failures.append(str(error))

    client = threading.Thread(target=send_requests)
    client.start()
    try:
        task = tasks[0]["taskArn"]
        deployment.client("ecs").stop_task(cluster=outputs["ClusterName"], task=task)
        _wait_for_tasks(deployment, outputs, stopped=task)
    finally:
        load_may_end.set()
        client.join()
    if failures:
        raise LocalError(f"{len(failures)} of {len(failures) + answered} requests failed: {failures[0]}")
    return answered


def _get(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as response:
        return str(response.read().decode())
