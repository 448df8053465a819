"""The patch of ECS tasks: it chooses their zones, adds metadata, stops them, and makes CloudFormation wait for them.

ECS keeps the desired number of tasks of a service running. The service is steady when this number of tasks is
running and healthy.
"""

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
from localaws.patches.ecs import provider_instances
from localaws.task_runner import TaskProcess, TaskRunner

HEALTHY_SECONDS = 75
"""The maximum time until a new task answers the load balancer. The machine may be busy with a deployment."""
STABLE_SECONDS = 1
"""A task without a load balancer counts as healthy after this time, because some programs crash after their start."""
STEADY_SECONDS = 240
"""The maximum time until a service is steady: three tasks, one after the other, can fail before that.

After three failed tasks, ECS says why it has stopped the deployment. A very busy machine has needed more than 90 s.
"""
_DEPLOYED_SETTINGS = ("loadBalancers", "networkConfiguration", "platformVersion", "serviceRegistries")
"""The settings of a service whose change starts a new deployment, in addition to the task definition.

On AWS, a change of serviceConnectConfiguration, volumeConfigurations or vpcLatticeConfigurations also starts one.
ministack stores none of these three.
"""
_placement_lock = threading.Lock()
_reconciling_lock = threading.RLock()
"""Two threads must not count the tasks of a service at the same time, because both would start the missing ones."""
_address_numbers = itertools.count(10)
_STOP_THREAD = "stopping a task"


def run_tasks(runner: TaskRunner) -> None:
    """Run tasks with `runner`, spread them over zones, and make CloudFormation wait until their service is steady.

    Stock engine: runs tasks only with Docker, and runs all tasks in one zone. It reports a task as stopped, with exit
    status 0, before its container has ended. It reports a service as created before its tasks run. Two threads can
    start the same missing task.
    AWS: spreads tasks over zones and capacity providers. To stop a task, AWS first sends no more requests to the task,
    and then sends SIGTERM. A new task replaces the stopped one. CloudFormation waits until the service is steady.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html
    A failed deployment disappears from the service when the next deployment has succeeded. A changed network, load
    balancer, platform version or service registry starts a new deployment.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
    Upstream issue: none known.
    """
    ecs._docker = runner
    ecs._ECS_DEPLOYMENT_STEADY_DELAY = 0  # `_wait_until_healthy` waits instead
    for name, function in {
        "_mark_task_pending": _place_before_pending(ecs._mark_task_pending),
        "_register_metadata": _register_zone_and_limits(ecs._register_metadata),
        "_build_run_kwargs": _add_limits(ecs._build_run_kwargs),
        "_record_task_ip": _record_address,
        "_sync_service_targets": _register_targets,
        "_record_service_task_healthy": _wait_until_healthy(ecs._record_service_task_healthy),
        "_make_deployment": _make_in_progress(ecs._make_deployment),
        "_stop_task": _stop_with_replacement(ecs._stop_task),
        "_reconcile_service_tasks": _reconcile_once(ecs._reconcile_service_tasks),
        "_refresh_service_state": _forget_failed_deployments(ecs._refresh_service_state),
        "_update_service": _deploy_again(ecs._update_service),
    }.items():
        setattr(ecs, name, function)
    ecs._ACTION_MAP["UpdateService"] = ecs._update_service
    ecs._ACTION_MAP["StopTask"] = lambda request: ecs._stop_task({**request, "by_request": True})
    # A task pulls its image from the engine. While the engine creates a resource on its main thread, it answers no
    # requests. So it must create a service on another thread.
    stock_runs_on_thread = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda kind: kind == "AWS::ECS::Service" or stock_runs_on_thread(kind)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ECS::Service"]
    handlers.update(
        create=_await_creation(handlers["create"]),
        update=_await_update(handlers["update"]),
        delete=_await_deletion(handlers["delete"]),
    )


# -- the zone and capacity provider of a task


def _place_before_pending(mark: Any) -> Any:
    def place_and_mark(arn: str, task: Any) -> Any:
        with _placement_lock:
            _place(task)
        return mark(arn, task)

    return place_and_mark


def _place(task: Any) -> None:
    # Use the zone, and the capacity provider, with the smallest number of tasks of the same service.
    other_tasks = [
        other
        for other in list(ecs._tasks.values())
        if other["group"] == task["group"]
        and other["clusterArn"] == task["clusterArn"]
        and other["lastStatus"] in ecs._PRE_STOP_STATUSES
        and other.get("_placed")
    ]
    zones = Counter(other["availabilityZone"] for other in other_tasks)
    if task["launchType"] == "FARGATE":
        place = min(_service_subnets(task), key=lambda subnet: zones[subnet["AvailabilityZone"]], default=None)
        if place:
            task["_subnet"] = place["SubnetId"]
        _choose_capacity_provider(task, Counter(other["capacityProviderName"] for other in other_tasks))
    else:
        instances = provider_instances(task["capacityProviderName"]) if task["capacityProviderName"] else []
        place = min(instances, key=lambda instance: zones[instance["AvailabilityZone"]], default=None)
        task["_instance"] = place and place["InstanceId"]
    if place:
        task["availabilityZone"] = place["AvailabilityZone"]
    task["_placed"] = True


def _service_of_task(task: Any) -> Any:
    cluster = task["clusterArn"].rsplit("/", 1)[-1]
    return ecs._services.get(f"{cluster}/{task['group'].removeprefix('service:')}")


def _service_subnets(task: Any) -> list[Any]:
    network = ((_service_of_task(task) or {}).get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    return [ec2._subnets[subnet] for subnet in network.get("subnets", []) if subnet in ec2._subnets]


def _choose_capacity_provider(task: Any, task_counts: Counter[str]) -> None:
    # The base is the number of tasks that a provider gets first. The weights divide the tasks after that.
    strategy = (_service_of_task(task) or {}).get("capacityProviderStrategy") or []
    items_below_base = [item for item in strategy if task_counts[item["capacityProvider"]] < item.get("base", 0)]
    weighted_items = [item for item in strategy if item.get("weight")]
    if items_below_base or weighted_items:
        chosen = (items_below_base or sorted(weighted_items, key=lambda item: _tasks_per_weight(item, task_counts)))[0]
        task["capacityProviderName"] = chosen["capacityProvider"]


def _tasks_per_weight(item: Any, task_counts: Counter[str]) -> float:
    return float((task_counts[item["capacityProvider"]] - item.get("base", 0) + 1) / item["weight"])


# -- metadata, limits and address


def _register_zone_and_limits(register: Any) -> Any:
    def register_with_zone(arn: str, cluster: str, definition: Any, container: Any, *rest: Any) -> Any:
        kind, environment, *_ = rest
        # The argument True means host network mode. In this mode the metadata endpoint has the address 127.0.0.1, which
        # is correct for containers on this machine, because they use its network.
        token = register(arn, cluster, definition, container, kind, environment, True, None)  # noqa: FBT003
        metadata = ecs_metadata._TASKS[arn]
        metadata["AvailabilityZone"] = ecs._tasks[arn]["availabilityZone"]
        if definition.get("cpu") and definition.get("memory"):
            metadata["Limits"] = {"CPU": int(definition["cpu"]) / 1024, "Memory": int(definition["memory"])}
        limits = {"CPU": container.get("cpu", 0), "Memory": container.get("memory")}
        ecs_metadata._TOKEN_TO_CONTAINER[token]["Limits"] = {key: value for key, value in limits.items() if value}
        return token

    return register_with_zone


def _add_limits(build: Any) -> Any:
    def build_with_limits(container: Any, definition: Any, *rest: Any) -> Any:
        cpu_units = int(container.get("cpu") or definition.get("cpu") or 0)
        return {
            **build(container, definition, *rest),
            "read_only": container.get("readonlyRootFilesystem", False),
            "mem_limit": container.get("memory") or definition.get("memory"),
            "cpus": cpu_units / 1024 if cpu_units else None,
        }

    return build_with_limits


def _record_address(task: Any, container: TaskProcess, _network: Any) -> None:
    task["_address"] = container.address
    if task["_network_mode"] == "awsvpc":
        cidr_block = ec2._subnets.get(task["_subnet"] or "", {}).get("CidrBlock", "10.0.0.0/24")
        network = ipaddress.ip_network(cidr_block)
        private_address = str(network[next(_address_numbers) % (network.num_addresses - 16) + 10])
        details = {"subnetId": task["_subnet"], "privateIPv4Address": private_address}
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
    containers = zip(task["containers"], definition["containerDefinitions"], strict=True)
    for task_container, container_definition in containers:
        task_container["networkBindings"] = [
            {
                "bindIP": "0.0.0.0",  # noqa: S104 - AWS reports this address
                "containerPort": mapping["containerPort"],
                "hostPort": container.address[1],
                "protocol": "tcp",
            }
            for mapping in container_definition.get("portMappings", [])
        ]


# -- the load balancer


def _register_targets(_cluster_name: str, service: Any) -> None:
    running_tasks = [
        task
        for task in list(ecs._tasks.values())
        if task["group"] == f"service:{service['serviceName']}"
        and task["clusterArn"] == service["clusterArn"]
        and task["lastStatus"] == "RUNNING"
        and task.get("_address")
    ]
    for balancer in service["loadBalancers"] or []:
        targets = {_target_of_task(task, balancer["containerPort"]): task["_address"] for task in running_tasks}
        elb.set_targets(balancer["targetGroupArn"], targets if service["status"] == "ACTIVE" else {})


def _target_of_task(task: Any, port: int) -> elb.Target:
    if task["_network_mode"] == "awsvpc":
        return ecs._task_ip(task), port
    return task["_instance"] or "instance", task["_address"][1]


def _wait_until_healthy(record: Any) -> Any:
    def wait_and_record(key: str, task: Any) -> None:
        deadline = time.monotonic() + HEALTHY_SECONDS
        has_balancer = bool((_service_of_task(task) or {}).get("loadBalancers"))
        if not has_balancer:
            time.sleep(STABLE_SECONDS)
        while has_balancer and elb.target_state(task["_address"]) != "healthy":
            if not ecs._task_is_active(task["taskArn"], task):
                return
            if time.monotonic() > deadline:
                _fail_task(task)
                return
            time.sleep(0.05)
        record(key, task)

    return wait_and_record


def _fail_task(task: Any) -> None:
    reason = f"Task failed ELB health checks in ({task['group'].replace(':', ' ')})"
    container = ecs._docker.containers.get(task["_docker_ids"][0])
    ecs._mark_task_stopped(task["taskArn"], task, reason, "ServiceSchedulerInitiated")
    ecs._cleanup_task_resources(task, None)
    container.stop()
    ecs._record_service_task_failure(task)


# -- stopping a task


def _stop_with_replacement(stop: Any) -> Any:
    """Return a function for StopTask that deregisters the task, starts a new one, and sends SIGTERM to the old one."""

    def stop_with_replacement(data: Any) -> Any:
        task = ecs._resolve_task(data.get("task", ""), ecs._resolve_cluster_name(data.get("cluster", "default")))
        if not task or task["lastStatus"] != "RUNNING" or not task["_docker_ids"]:
            return stop(data)
        with resource_lock("ecs-task", task["taskArn"]):
            task.update(lastStatus="DEACTIVATING", stoppingAt=ecs._iso())
        cluster = task["clusterArn"].rsplit("/", 1)[-1]
        ecs._refresh_service_state(cluster, task["group"])
        reason = data.get("reason", "Task stopped by user")
        arguments = (task, reason, get_account_id(), get_region())
        threading.Thread(target=_end_task, args=arguments, name=_STOP_THREAD).start()
        service = _service_of_task(task)
        if service and service["status"] == "ACTIVE" and data.get("by_request"):
            ecs._reconcile_service_tasks(cluster, f"{cluster}/{service['serviceName']}")
        return ecs.json_response({"task": ecs._sanitize({**task, "desiredStatus": "STOPPED"})})

    return stop_with_replacement


def _end_task(task: Any, reason: str, account: str, region: str) -> None:
    with request_scope(account, region):
        code = 0
        task["lastStatus"] = "STOPPING"
        for container_id in task["_docker_ids"]:
            container = ecs._docker.containers.get(container_id)
            container.stop()
            code = container.wait()["StatusCode"]
        ecs._mark_task_stopped(task["taskArn"], task, reason, "UserInitiated", exit_code=code)
        ecs._cleanup_task_resources(task, None)


# -- deployments


def _reconcile_once(reconcile: Any) -> Any:
    def reconcile_once(cluster: str, key: str) -> None:
        with _reconciling_lock:
            reconcile(cluster, key)

    return reconcile_once


def _forget_failed_deployments(refresh: Any) -> Any:
    """Return a function that also removes failed deployments without tasks after a successful deployment.

    Such a deployment is INACTIVE on AWS, and DescribeServices does not return it.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
    """

    def refresh_and_forget(cluster: str, group: str) -> None:
        refresh(cluster, group)
        service = ecs._services.get(f"{cluster}/{(group or '').removeprefix('service:')}")
        primary = ecs._primary_deployment(service) if service else None
        if primary and primary["rolloutState"] == "COMPLETED":
            service["deployments"] = [
                deployment
                for deployment in service["deployments"]
                if deployment is primary or deployment["runningCount"] or deployment["pendingCount"]
            ]

    return refresh_and_forget


def _deploy_again(update: Any) -> Any:
    """Return a function for UpdateService that starts a new deployment for each change that needs new tasks."""

    def update_and_deploy(request: Any) -> Any:
        cluster = ecs._resolve_cluster_name(request.get("cluster", "default"))
        service = ecs._services.get(f"{cluster}/{request.get('service', '').rsplit('/', 1)[-1]}", {})
        if any(name in request and request[name] != service.get(name) for name in _DEPLOYED_SETTINGS):
            request = {**request, "forceNewDeployment": True}
            if "serviceRegistries" in request:  # ministack stores them only when it creates a service
                service["serviceRegistries"] = request["serviceRegistries"]
        return update(request)

    return update_and_deploy


# -- CloudFormation waits for the service


def _make_in_progress(make: Any) -> Any:
    def make_in_progress(*arguments: Any, **options: Any) -> Any:
        deployment = make(*arguments, **options)
        deployment.update(rolloutState="IN_PROGRESS", rolloutStateReason="ECS deployment in progress.")
        return deployment

    return make_in_progress


def _await_creation(create: Any) -> Any:
    def create_and_wait(logical_id: str, properties: Any, stack: str) -> Any:
        created = create(logical_id, properties, stack)
        try:
            _wait_until_steady(created[0])
        except ValueError:
            _await_deletion(provisioners._ecs_service_delete)(created[0], properties)
            raise
        return created

    return create_and_wait


def _await_update(update: Any) -> Any:
    def update_and_wait(arn: str, old: Any, new: Any, *rest: Any) -> Any:
        updated = update(arn, old, new, *rest)
        _wait_until_steady(updated[0])
        if _service_record(updated[0])["taskDefinition"] != new["TaskDefinition"]:
            raise ValueError("ECS Deployment Circuit Breaker was triggered")
        return updated

    return update_and_wait


def _await_deletion(delete: Any) -> Any:
    def delete_and_wait(arn: str, properties: Any) -> None:
        delete(arn, properties)
        for thread in threading.enumerate():
            if thread.name == _STOP_THREAD:
                thread.join()

    return delete_and_wait


def _service_record(arn: str) -> Any:
    return ecs._services["/".join(arn.split("/")[-2:])]


def _wait_until_steady(arn: str) -> None:
    deadline = time.monotonic() + STEADY_SECONDS
    while True:
        record = _service_record(arn)
        primary = ecs._primary_deployment(record)
        if primary["rolloutState"] == "COMPLETED" and record["runningCount"] == record["desiredCount"]:
            return
        if primary["rolloutState"] == "FAILED":
            raise ValueError("ECS Deployment Circuit Breaker was triggered")
        if time.monotonic() > deadline:
            tasks = f"{record['runningCount']} of {record['desiredCount']} tasks run"
            messages = "".join(f". {event['message']}" for event in record["events"][:2])
            raise ValueError(f"the service did not become steady within {STEADY_SECONDS} s: {tasks}{messages}")
        time.sleep(0.05)
