"""The ECS service of the web examples: cluster, container, deployments and scaling."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_logs as logs

from stacks._nag import acknowledge
from stacks._stores import removal_policy

CONTAINER = "Web"
PORT = 8080
"""The port of the server. It is unprivileged, because the server does not run as root."""
STOP_TIMEOUT = Duration.seconds(30)
"""ECS kills a stopping task after this time. The server finishes its requests within 25 seconds."""
USER = "65532:65532"
"""User and group of the server, as in containers/web/Dockerfile. Some organizations require this number in the task
definition (AWS Control Tower's control CT.ECS.PR.3), because the task definition then forbids root for every image."""
MIN_TASKS = 2
"""The minimum number of tasks: one in each zone."""
MAX_TASKS = 10
"""This maximum limits the cost when many visitors or robots come at once. docs/fargate.md has the cost of ten tasks."""
REQUESTS_PER_TASK = 12_000
"""Scaling keeps the number of requests a minute for each task near this value, which is 200 requests a second. We
measured that one page needs 0.37 ms of CPU time, so 200 pages need 74 ms. A task has a quarter of a vCPU, which is 250
ms of CPU time a second. So 200 requests a second need 30 % of this CPU time, and more on a slower processor."""
CPU_PERCENT = 60
"""Scaling keeps the CPU near this value. The other 40 % can serve additional requests while a new task starts."""

ROLLING_UPDATE: Mapping[str, Any] = {
    "min_healthy_percent": 100,
    "max_healthy_percent": 200,  # the new tasks start first, then the old ones stop
    "circuit_breaker": ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
    "health_check_grace_period": Duration.seconds(60),  # a task needs about 20 s to pull its image, and then starts
    "availability_zone_rebalancing": ecs.AvailabilityZoneRebalancing.ENABLED,
    "enable_ecs_managed_tags": True,
    "propagate_tags": ecs.PropagatedTagSource.SERVICE,  # so the bill shows the cost of the tasks for each example
}
"""Parameters of a service that replaces its tasks step by step. There is no desired count. With a desired count, each
deployment would reset the number of tasks that scaling has chosen."""


def web_cluster(stack: Stack, vpc: ec2.IVpc, *, container_insights: bool) -> ecs.Cluster:
    """Return a cluster for one service."""
    cluster = ecs.Cluster(
        stack,
        "Cluster",
        vpc=vpc,
        container_insights_v2=ecs.ContainerInsights.ENABLED if container_insights else ecs.ContainerInsights.DISABLED,
    )
    if not container_insights:
        acknowledge(
            cluster,
            "AwsSolutions-ECS4",
            "Container Insights cost as much as the tasks. ECS creates a log group for them, which remains after the "
            "stack is deleted. The load balancer and the service have other metrics, which are enough.",
        )
    return cluster


def add_web_container(  # noqa: PLR0913 - keyword arguments
    task: ecs.TaskDefinition,
    image: ecs.ContainerImage,
    *,
    retain_logs: bool,
    log_retention: logs.RetentionDays,
    cpu: int | None = None,
    memory_mib: int | None = None,
) -> None:
    """Add the only container of a task, and its log group.

    On EC2, the task itself has no limits, so its container needs `cpu` and `memory_mib`. `cpu` is a number of CPU
    units: 1,024 units are one vCPU. On Fargate, the task has both limits. Its container repeats the memory, because AWS
    Control Tower's control CT.ECS.PR.7 requires a limit of each container.
    """
    log_group = logs.LogGroup(
        Stack.of(task),
        "Logs",
        retention=log_retention,
        removal_policy=removal_policy(retain_data=retain_logs),
    )
    container = task.add_container(
        CONTAINER,
        image=image,
        cpu=cpu,
        memory_limit_mib=memory_mib,
        user=USER,
        readonly_root_filesystem=True,
        stop_timeout=STOP_TIMEOUT,
        health_check=ecs.HealthCheck(
            command=["CMD", "python", "-m", "web.healthcheck"],
            # The load balancer checks the tasks every five seconds. ECS also makes this check, from inside the task.
            interval=Duration.seconds(30),
            timeout=Duration.seconds(5),
            retries=3,
            start_period=Duration.seconds(15),
        ),
        logging=ecs.LogDrivers.aws_logs(
            log_group=log_group,
            stream_prefix="web",
            # If CloudWatch is slow, log lines are lost. In blocking mode, requests would be delayed instead.
            mode=ecs.AwsLogDriverMode.NON_BLOCKING,
        ),
    )
    container.add_port_mappings(ecs.PortMapping(container_port=PORT))
    acknowledge(
        task.obtain_execution_role(),
        "AwsSolutions-IAM5[Resource::*]",
        "The action ecr:GetAuthorizationToken cannot be limited to a resource.",
    )


def scale_tasks(service: ecs.BaseService, target_group: elbv2.ApplicationTargetGroup) -> None:
    """Scale the number of tasks between MIN_TASKS and MAX_TASKS, by their CPU usage and their number of requests."""
    tasks = service.auto_scale_task_count(min_capacity=MIN_TASKS, max_capacity=MAX_TASKS)
    tasks.scale_on_cpu_utilization(
        "Cpu",
        target_utilization_percent=CPU_PERCENT,
        scale_out_cooldown=Duration.minutes(1),  # a new task starts and changes the metric within this time
        scale_in_cooldown=Duration.minutes(5),
    )
    tasks.scale_on_request_count(
        "Requests",
        requests_per_target=REQUESTS_PER_TASK,
        target_group=target_group,
        scale_out_cooldown=Duration.minutes(1),
        scale_in_cooldown=Duration.minutes(5),
    )
