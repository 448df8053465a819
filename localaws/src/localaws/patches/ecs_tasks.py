"""ECS tasks that run: placed in zones, told where they are, stopped as AWS stops them, and waited for."""

import ipaddress
import itertools
import threading
import time
from collections import Counter
from typing import Any

from ministack.core.concurrency import resource_lock
from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import ec2, ecs, ecs_metadata
from ministack.services.cloudformation import provisioners, stacks

from localaws.patches import elb
from localaws.patches.ecs import instances_of
from localaws.task_runner import Runner, Started

HEALTHY_SECONDS = 60
"""For a new task to answer the load balancer, on a machine that is busy deploying."""
STEADY_SECONDS = 90
_placing = threading.Lock()
_addresses = itertools.count(10)
_STOPPING = "stopping a task"


def run_tasks(runner: Runner) -> None:
    """Run tasks with `runner`: registered with the load balancer, replaced when they end, awaited by CloudFormation."""
    ecs._docker = runner
    for name, mend in {
        "_mark_task_pending": _place_first(ecs._mark_task_pending),
        "_register_metadata": _tell_truly(ecs._register_metadata),
        "_build_run_kwargs": _with_limits(ecs._build_run_kwargs),
        "_record_task_ip": _record_address,
        "_sync_service_targets": _publish,
        "_record_service_task_healthy": _wait_for_health(ecs._record_service_task_healthy),
        "_make_deployment": _in_progress(ecs._make_deployment),
        "_stop_task": _stop_gently(ecs._stop_task),
    }.items():
        setattr(ecs, name, mend)
    ecs._ACTION_MAP["StopTask"] = lambda asked: ecs._stop_task({**asked, "by_somebody": True})
    # The engine serves nothing while it makes most types; a task pulls its image from it.
    threaded = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda kind: kind == "AWS::ECS::Service" or threaded(kind)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ECS::Service"]
    handlers.update(
        create=_await_creation(handlers["create"]),
        update=_await_update(handlers["update"]),
        delete=_await_deletion(handlers["delete"]),
    )


# -- where a task is


def _place_first(mark: Any) -> Any:
    def place_and_mark(arn: str, task: Any) -> Any:
        with _placing:
            _place(task)
        return mark(arn, task)

    return place_and_mark


def _place(task: Any) -> None:
    # In the zone, and on the capacity, that has the fewest of the service's tasks.
    others = [
        other
        for other in list(ecs._tasks.values())
        if other["group"] == task["group"]
        and other["clusterArn"] == task["clusterArn"]
        and other["lastStatus"] in ecs._PRE_STOP_STATUSES
        and other.get("_placed")
    ]
    zones = Counter(other["availabilityZone"] for other in others)
    if task["launchType"] == "FARGATE":
        place = min(_subnets(task), key=lambda subnet: zones[subnet["AvailabilityZone"]], default=None)
        if place:
            task["_subnet"] = place["SubnetId"]
        _share(task, Counter(other["capacityProviderName"] for other in others))
    else:
        instances = instances_of(task["capacityProviderName"]) if task["capacityProviderName"] else []
        place = min(instances, key=lambda instance: zones[instance["AvailabilityZone"]], default=None)
        task["_instance"] = place and place["InstanceId"]
    if place:
        task["availabilityZone"] = place["AvailabilityZone"]
    task["_placed"] = True


def _service_of(task: Any) -> Any:
    cluster = task["clusterArn"].rsplit("/", 1)[-1]
    return ecs._services.get(f"{cluster}/{task['group'].removeprefix('service:')}")


def _subnets(task: Any) -> list[Any]:
    network = ((_service_of(task) or {}).get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    return [ec2._subnets[subnet] for subnet in network.get("subnets", []) if subnet in ec2._subnets]


def _share(task: Any, used: Counter[str]) -> None:
    # First each provider's base, then by weight.
    strategy = (_service_of(task) or {}).get("capacityProviderStrategy") or []
    based = [item for item in strategy if used[item["capacityProvider"]] < item.get("base", 0)]
    weighted = [item for item in strategy if item.get("weight")]
    if based or weighted:
        chosen = (based or sorted(weighted, key=lambda item: _load(item, used)))[0]
        task["capacityProviderName"] = chosen["capacityProvider"]


def _load(item: Any, used: Counter[str]) -> float:
    return float((used[item["capacityProvider"]] - item.get("base", 0) + 1) / item["weight"])


# -- what it is told


def _tell_truly(register: Any) -> Any:
    def register_where_it_is(arn: str, cluster: str, definition: Any, container: Any, *rest: Any) -> Any:
        kind, environment, *_ = rest
        # In host mode: the endpoint is at an address that is this machine's for containers, too.
        token = register(arn, cluster, definition, container, kind, environment, True, None)  # noqa: FBT003
        about = ecs_metadata._TASKS[arn]
        about["AvailabilityZone"] = ecs._tasks[arn]["availabilityZone"]
        if definition.get("cpu") and definition.get("memory"):
            about["Limits"] = {"CPU": int(definition["cpu"]) / 1024, "Memory": int(definition["memory"])}
        limits = {"CPU": container.get("cpu", 0), "Memory": container.get("memory")}
        ecs_metadata._TOKEN_TO_CONTAINER[token]["Limits"] = {key: value for key, value in limits.items() if value}
        return token

    return register_where_it_is


def _with_limits(build: Any) -> Any:
    def build_with_limits(container: Any, definition: Any, *rest: Any) -> Any:
        units = int(container.get("cpu") or definition.get("cpu") or 0)
        return {
            **build(container, definition, *rest),
            "read_only": container.get("readonlyRootFilesystem", False),
            "mem_limit": container.get("memory") or definition.get("memory"),
            "cpus": units / 1024 if units else None,
        }

    return build_with_limits


def _record_address(task: Any, container: Started, _network: Any) -> None:
    task["_address"] = container.address
    if task["_network_mode"] == "awsvpc":
        block = ec2._subnets.get(task["_subnet"] or "", {}).get("CidrBlock", "10.0.0.0/24")
        network = ipaddress.ip_network(block)
        private = str(network[next(_addresses) % (network.num_addresses - 16) + 10])
        details = {"subnetId": task["_subnet"], "privateIPv4Address": private}
        task["attachments"] = [
            {
                "id": new_uuid(),
                "type": "ElasticNetworkInterface",
                "status": "ATTACHED",
                "details": [{"name": name, "value": value} for name, value in details.items()],
            }
        ]
        return
    definition = ecs._task_defs[task["taskDefinitionArn"].rsplit("/", 1)[-1]]
    for described, defined in zip(task["containers"], definition["containerDefinitions"], strict=True):
        described["networkBindings"] = [
            {
                "bindIP": "0.0.0.0",  # noqa: S104 - as AWS tells it
                "containerPort": mapping["containerPort"],
                "hostPort": container.address[1],
                "protocol": "tcp",
            }
            for mapping in defined.get("portMappings", [])
        ]


# -- the load balancer


def _publish(_cluster_name: str, service: Any) -> None:
    running = [
        task
        for task in list(ecs._tasks.values())
        if task["group"] == f"service:{service['serviceName']}"
        and task["clusterArn"] == service["clusterArn"]
        and task["lastStatus"] == "RUNNING"
        and task.get("_address")
    ]
    for balancer in service["loadBalancers"] or []:
        targets = {_target(task, balancer["containerPort"]): task["_address"] for task in running}
        elb.publish(balancer["targetGroupArn"], targets if service["status"] == "ACTIVE" else {})


def _target(task: Any, port: int) -> elb.Target:
    if task["_network_mode"] == "awsvpc":
        return ecs._task_ip(task), port
    return task["_instance"] or "instance", task["_address"][1]


def _wait_for_health(record: Any) -> Any:
    def wait_and_record(key: str, task: Any) -> None:
        deadline = time.monotonic() + HEALTHY_SECONDS
        balanced = bool((_service_of(task) or {}).get("loadBalancers"))
        while balanced and elb.health_of(task["_address"]) != "healthy":
            if not ecs._task_is_active(task["taskArn"], task):
                return
            if time.monotonic() > deadline:
                _fail(task)
                return
            time.sleep(0.05)
        record(key, task)

    return wait_and_record


def _fail(task: Any) -> None:
    reason = f"Task failed ELB health checks in ({task['group'].replace(':', ' ')})"
    container = ecs._docker.containers.get(task["_docker_ids"][0])
    ecs._mark_task_stopped(task["taskArn"], task, reason, "ServiceSchedulerInitiated")
    ecs._cleanup_task_resources(task, None)
    container.stop()
    ecs._record_service_task_failure(task)


# -- stopping


def _stop_gently(stop: Any) -> Any:
    """First no request comes any more, then SIGTERM, then the task is stopped; meanwhile its service starts another."""

    def stop_gently(data: Any) -> Any:
        task = ecs._resolve_task(data.get("task", ""), ecs._resolve_cluster_name(data.get("cluster", "default")))
        if not task or task["lastStatus"] != "RUNNING" or not task["_docker_ids"]:
            return stop(data)
        with resource_lock("ecs-task", task["taskArn"]):
            task.update(lastStatus="DEACTIVATING", stoppingAt=ecs._iso())
        cluster = task["clusterArn"].rsplit("/", 1)[-1]
        ecs._refresh_service_state(cluster, task["group"])
        reason = data.get("reason", "Task stopped by user")
        ending = threading.Thread(target=_end, args=(task, reason, get_account_id(), get_region()), name=_STOPPING)
        ending.start()
        service = _service_of(task)
        if service and service["status"] == "ACTIVE" and data.get("by_somebody"):
            ecs._reconcile_service_tasks(cluster, f"{cluster}/{service['serviceName']}")
        return ecs.json_response({"task": ecs._sanitize({**task, "desiredStatus": "STOPPED"})})

    return stop_gently


def _end(task: Any, reason: str, account: str, region: str) -> None:
    with request_scope(account, region):
        code = 0
        task["lastStatus"] = "STOPPING"
        for container_id in task["_docker_ids"]:
            container = ecs._docker.containers.get(container_id)
            container.stop()
            code = container.wait()["StatusCode"]
        ecs._mark_task_stopped(task["taskArn"], task, reason, "UserInitiated", exit_code=code)
        ecs._cleanup_task_resources(task, None)


# -- CloudFormation waits, as AWS's does


def _in_progress(make: Any) -> Any:
    def make_in_progress(*arguments: Any, **options: Any) -> Any:
        deployment = make(*arguments, **options)
        deployment.update(rolloutState="IN_PROGRESS", rolloutStateReason="ECS deployment in progress.")
        return deployment

    return make_in_progress


def _await_creation(create: Any) -> Any:
    def create_and_wait(logical_id: str, properties: Any, stack: str) -> Any:
        made = create(logical_id, properties, stack)
        try:
            _wait_until_steady(made[0])
        except ValueError:
            _await_deletion(provisioners._ecs_service_delete)(made[0], properties)
            raise
        return made

    return create_and_wait


def _await_update(update: Any) -> Any:
    def update_and_wait(arn: str, old: Any, new: Any, *rest: Any) -> Any:
        made = update(arn, old, new, *rest)
        _wait_until_steady(made[0])
        if _record_of(made[0])["taskDefinition"] != new["TaskDefinition"]:
            raise ValueError("ECS Deployment Circuit Breaker was triggered")
        return made

    return update_and_wait


def _await_deletion(delete: Any) -> Any:
    def delete_and_wait(arn: str, properties: Any) -> None:
        delete(arn, properties)
        for thread in threading.enumerate():
            if thread.name == _STOPPING:
                thread.join()

    return delete_and_wait


def _record_of(arn: str) -> Any:
    return ecs._services["/".join(arn.split("/")[-2:])]


def _wait_until_steady(arn: str) -> None:
    deadline = time.monotonic() + STEADY_SECONDS
    while True:
        record = _record_of(arn)
        primary = ecs._primary_deployment(record)
        if primary["rolloutState"] == "COMPLETED":
            return
        if primary["rolloutState"] == "FAILED":
            raise ValueError("ECS Deployment Circuit Breaker was triggered")
        if time.monotonic() > deadline:
            raise ValueError(f"the service did not become steady within {STEADY_SECONDS} s: {record['events'][:2]}")
        time.sleep(0.05)
