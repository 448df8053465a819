"""The ECS service of the web examples: cluster, container, deployments and scaling."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_logs as logs

from stacks._nag import acknowledge

CONTAINER = "Web"
PORT = 8080
"""The port of the server. It is unprivileged, because the server does not run as root."""
STOP_TIMEOUT = Duration.seconds(30)
"""The server finishes its requests within 25 s."""
MIN_TASKS = 2
"""One in each zone."""
MAX_TASKS = 10
"""Limits the cost of a rush of visitors or robots. docs/fargate.md says what ten tasks cost."""
REQUESTS_PER_TASK = 12_000
"""Requests a minute. One page was measured to need 0.37 ms of CPU time. With 200 requests a second, a task
uses a third of its quarter of a vCPU. That leaves room for a slower processor."""
CPU_PERCENT = 60
"""The rest serves more requests for the minute that a new task needs to start."""

ROLLING_UPDATE: Mapping[str, Any] = {
    "min_healthy_percent": 100,
    "max_healthy_percent": 200,  # the new tasks start first, then the old ones stop
    "circuit_breaker": ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
    "health_check_grace_period": Duration.seconds(60),  # pulling the image takes 20 s, starting a few more
    "availability_zone_rebalancing": ecs.AvailabilityZoneRebalancing.ENABLED,
    "enable_ecs_managed_tags": True,
    "propagate_tags": ecs.PropagatedTagSource.SERVICE,  # the bill then shows the tasks by example
}
"""How a service replaces its tasks. There is no desired count, because each deployment would then undo the scaling."""


def web_cluster(stack: Stack, vpc: ec2.Vpc, *, container_insights: bool) -> ecs.Cluster:
    """Return the cluster of one service."""
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
            "Container Insights cost as much as the tasks. ECS writes them to a log group that it creates itself and "
            "leaves behind. The load balancer and the service have metrics without them.",
        )
    return cluster


def add_web_container(  # noqa: PLR0913 - one container, every choice by name
    task: ecs.TaskDefinition,
    image: ecs.ContainerImage,
    *,
    retain_logs: bool,
    log_retention: logs.RetentionDays,
    cpu: int | None = None,
    memory_mib: int | None = None,
) -> None:
    """Add the only container of a task, and its log group.

    A task on EC2 has no limits of its own, so its container needs `cpu` (1,024 units are a vCPU) and `memory_mib`.
    """
    log_group = logs.LogGroup(
        Stack.of(task),
        "Logs",
        retention=log_retention,
        removal_policy=RemovalPolicy.RETAIN if retain_logs else RemovalPolicy.DESTROY,
    )
    container = task.add_container(
        CONTAINER,
        image=image,
        cpu=cpu,
        memory_limit_mib=memory_mib,
        readonly_root_filesystem=True,
        stop_timeout=STOP_TIMEOUT,
        health_check=ecs.HealthCheck(
            command=["CMD", "python", "-m", "web.healthcheck"],
            # The load balancer checks more often. This check works for a task that the load balancer cannot see.
            interval=Duration.seconds(30),
            timeout=Duration.seconds(5),
            retries=3,
            start_period=Duration.seconds(15),
        ),
        logging=ecs.LogDrivers.aws_logs(
            log_group=log_group,
            stream_prefix="web",
            # When CloudWatch is slow, the task loses log lines. A blocking driver would delay requests instead.
            mode=ecs.AwsLogDriverMode.NON_BLOCKING,
        ),
    )
    container.add_port_mappings(ecs.PortMapping(container_port=PORT))
    acknowledge(
        task.obtain_execution_role(),
        "AwsSolutions-IAM5[Resource::*]",
        "ecr:GetAuthorizationToken does not support resources.",
    )


def scale_tasks(service: ecs.BaseService, targets: elbv2.ApplicationTargetGroup) -> None:
    """Run between MIN_TASKS and MAX_TASKS tasks, as the CPU and the number of requests need."""
    tasks = service.auto_scale_task_count(min_capacity=MIN_TASKS, max_capacity=MAX_TASKS)
    tasks.scale_on_cpu_utilization(
        "Cpu",
        target_utilization_percent=CPU_PERCENT,
        scale_out_cooldown=Duration.minutes(1),  # a new task needs it to start and to change the metric
        scale_in_cooldown=Duration.minutes(5),
    )
    tasks.scale_on_request_count(
        "Requests",
        requests_per_target=REQUESTS_PER_TASK,
        target_group=targets,
        scale_out_cooldown=Duration.minutes(1),
        scale_in_cooldown=Duration.minutes(5),
    )
