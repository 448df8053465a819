"""Shows the web service of both container examples at work, through its load balancer."""

import threading
import time
import urllib.request
from collections import Counter
from typing import Any

from local.scene import Scene
from localaws import docker_for_cdk
from localaws.aws import LocalError
from localaws.urls import local_url

PATIENCE_SECONDS = 60
TASKS = 2
"""At least; somebody may have asked for more."""


def exercise(scene: Scene, outputs: dict[str, str]) -> None:
    """Let two tasks take turns, and stop one while requests go on. Raises LocalError if one fails."""
    url = local_url(outputs["ServiceUrl"], scene.engine.endpoint)
    print(f"    {_what_runs(scene)}")
    before = _wait_for_tasks(scene, outputs)
    turns = Counter(_get(f"{url}api/whoami") for _ in range(2 * len(before)))
    if len(turns) != len(before):
        raise LocalError(f"{url} was answered by {len(turns)} of {len(before)} tasks")
    zones = sorted({task["availabilityZone"] for task in before})
    print(f"    {url} is answered by {len(before)} tasks in turn, in {' and '.join(zones)}")
    answered = _stop_one(scene, outputs, url, before)
    print(f"    one task was stopped: {answered} requests went on meanwhile, none failed, and a new task is there")
    print(
        "    recorded only: machines, scaling by load, flow logs"
        if _on_machines(before)
        else "    recorded only: scaling by load, flow logs"
    )


def suggestions(_scene: Scene, outputs: dict[str, str]) -> list[str]:
    """Commands to go on with."""
    cluster, service = outputs["ClusterName"], outputs["ServiceName"]
    return [
        f"curl {outputs['ServiceUrl']}api/whoami   # again and again: the tasks take turns",
        f"aws ecs update-service --cluster {cluster} --service {service} --desired-count 3",
    ]


def _what_runs(scene: Scene) -> str:
    tool = scene.engine.tool
    if not tool:
        return f"each task is a process of this machine (no containers: {tool.why}); its image is but a name"
    made = ", on a base made of this machine's Python" if docker_for_cdk.is_base_made_here(scene.aws.folder) else ""
    limits = "" if tool.limits else "; their limits are only recorded"
    return f"each task is a container of {tool.name}'s, its image built from containers/web{made}{limits}"


def _on_machines(tasks: list[Any]) -> bool:
    return any(task["launchType"] == "EC2" for task in tasks)


def _wait_for_tasks(scene: Scene, outputs: dict[str, str], without: str | None = None) -> list[Any]:
    ecs = scene.client("ecs")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        tasks = [task for task in _tasks(ecs, outputs["ClusterName"]) if task["lastStatus"] == "RUNNING"]
        if (
            len(tasks) >= TASKS
            and without not in {task["taskArn"] for task in tasks}
            and _healthy(scene, outputs, len(tasks))
        ):
            return tasks
        time.sleep(0.1)
    raise LocalError(f"{outputs['ServiceName']} has not {TASKS} healthy tasks after {PATIENCE_SECONDS} s")


def _tasks(ecs: Any, cluster: str) -> list[Any]:
    arns = ecs.list_tasks(cluster=cluster)["taskArns"]
    return list(ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]) if arns else []


def _healthy(scene: Scene, outputs: dict[str, str], number: int) -> bool:
    (service,) = scene.client("ecs").describe_services(
        cluster=outputs["ClusterName"], services=[outputs["ServiceName"]]
    )["services"]
    group = service["loadBalancers"][0]["targetGroupArn"]
    targets = scene.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return [target["TargetHealth"]["State"] for target in targets] == ["healthy"] * number


def _stop_one(scene: Scene, outputs: dict[str, str], url: str, tasks: list[Any]) -> int:
    over = threading.Event()
    failures: list[str] = []
    answered = 0

    def ask() -> None:
        nonlocal answered
        while not over.is_set():
            try:
                _get(url)
                answered += 1
            except OSError as error:
                failures.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        task = tasks[0]["taskArn"]
        scene.client("ecs").stop_task(cluster=outputs["ClusterName"], task=task)
        _wait_for_tasks(scene, outputs, without=task)
    finally:
        over.set()
        asking.join()
    if failures:
        raise LocalError(f"{len(failures)} of {len(failures) + answered} requests failed: {failures[0]}")
    return answered


def _get(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as response:
        return str(response.read().decode())
