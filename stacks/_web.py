"""The web service of both container examples: its image, its container, and the load balancer before it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks._nag import acknowledge
from stacks._stores import keep_policy

DIRECTORY = Path(__file__).resolve().parent.parent / "containers" / "web"
PORT = 8080
"""Where the server listens: an unprivileged port, for it is not root."""
READY = "/readyz"
MIN_TASKS = 2
"""One in each zone."""
MAX_TASKS = 10
"""What a rush of visitors, or of robots, may cost at the most: $109 a month on Fargate, addresses included."""
REQUESTS_PER_TASK = 12_000
"""A minute. A page was measured to take 0.37 ms of a CPU: 200 a second are a third of a quarter of a vCPU, with room
for a slower processor."""
CPU_PERCENT = 60
"""Leaves room for the minute that a new task takes to start."""
AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
STOP_TIMEOUT = Duration.seconds(30)
"""The server drains for up to 25 s."""
_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<name>.+)")


ROLLING: Mapping[str, Any] = {
    "min_healthy_percent": 100,
    "max_healthy_percent": 200,  # the new tasks first, then the old ones go
    "circuit_breaker": ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
    "health_check_grace_period": Duration.seconds(60),  # a task starts in a few seconds, its image comes in twenty
    "availability_zone_rebalancing": ecs.AvailabilityZoneRebalancing.ENABLED,
    "enable_ecs_managed_tags": True,
    "propagate_tags": ecs.PropagatedTagSource.SERVICE,  # so that the tasks are on the bill by example
}
"""How either service replaces its tasks. No desired count: each deployment would take back what scaling has added."""


def cluster(stack: Stack, vpc: ec2.Vpc, *, container_insights: bool) -> ecs.Cluster:
    """The cluster of one service."""
    made = ecs.Cluster(
        stack,
        "Cluster",
        vpc=vpc,
        container_insights_v2=ecs.ContainerInsights.ENABLED if container_insights else ecs.ContainerInsights.DISABLED,
    )
    if not container_insights:
        acknowledge(
            made,
            "AwsSolutions-ECS4",
            "They cost as much as the tasks, and ECS writes them to a log group that it makes by itself and leaves "
            "behind. Load balancer and service have metrics without them.",
        )
    return made


def web_asset(scope: Construct, architecture: str) -> ecr_assets.DockerImageAsset:
    """The image, built by the CDK CLI from containers/web when it deploys, and not before."""
    return ecr_assets.DockerImageAsset(scope, "Image", directory=str(DIRECTORY), platform=_platform(architecture))


def web_image(scope: Construct, configured: str | None, architecture: str) -> ecs.ContainerImage:
    """The image that was configured, or else the CDK's asset.

    `configured`: `name:tag` or `name@sha256:…` of a repository in this account, or the same with the registry before
    it, ECR's or any public one.
    """
    if configured is None:
        return ecs.ContainerImage.from_docker_image_asset(web_asset(scope, architecture))
    name, tag = split_tag(configured)
    registry = name.split("/")[0]
    found = _ECR.fullmatch(name)
    if found is None and ("." in registry or ":" in registry):
        return ecs.ContainerImage.from_registry(configured)
    stack = Stack.of(scope)
    repository = (
        ecr.Repository.from_repository_name(scope, "WebRepository", name)
        if found is None
        else ecr.Repository.from_repository_attributes(
            scope,
            "WebRepository",
            repository_name=found["name"],
            repository_arn=f"arn:{stack.partition}:ecr:{found['region']}:{found['account']}:repository/{found['name']}",
        )
    )
    return ecs.ContainerImage.from_ecr_repository(repository, tag)


def split_tag(image: str) -> tuple[str, str]:
    """`name:tag` or `name@digest` as name and tag or digest."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    name, _, tag = image.rpartition(":")
    return name, tag


def _platform(architecture: str) -> ecr_assets.Platform:
    return ecr_assets.Platform.LINUX_ARM64 if architecture == "arm64" else ecr_assets.Platform.LINUX_AMD64


def add_web_container(
    task: ecs.TaskDefinition,
    image: ecs.ContainerImage,
    log_group: logs.LogGroup,
    *,
    cpu: int | None = None,
    memory_mib: int | None = None,
) -> None:
    """The one container of a task. `cpu` (1,024 are a vCPU) and `memory_mib` where the task itself has no limits."""
    container = task.add_container(
        "Web",
        image=image,
        cpu=cpu,
        memory_limit_mib=memory_mib,
        readonly_root_filesystem=True,
        stop_timeout=STOP_TIMEOUT,
        health_check=ecs.HealthCheck(
            command=["CMD", "python", "-m", "web.healthcheck"],
            interval=Duration.seconds(30),  # the load balancer asks more often; this one sees a task that it cannot
            timeout=Duration.seconds(5),
            retries=3,
            start_period=Duration.seconds(15),
        ),
        logging=ecs.LogDrivers.aws_logs(
            log_group=log_group,
            stream_prefix="web",
            # A request is worth more than its line in the log when CloudWatch is slow.
            mode=ecs.AwsLogDriverMode.NON_BLOCKING,
        ),
    )
    container.add_port_mappings(ecs.PortMapping(container_port=PORT))
    accept_pulling(task)


def accept_pulling(task: ecs.TaskDefinition) -> None:
    """Say why the execution role of a task has a wildcard."""
    role = task.obtain_execution_role()
    acknowledge(role, "AwsSolutions-IAM5[Resource::*]", "ecr:GetAuthorizationToken knows no resources.")


def load_balancer(stack: Stack, vpc: ec2.Vpc, *, retain_data: bool) -> elbv2.ApplicationLoadBalancer:
    """A public load balancer. It may reach nobody until it has targets."""
    group = ec2.SecurityGroup(
        stack, "LoadBalancerGroup", vpc=vpc, allow_all_outbound=False, description="The load balancer"
    )
    acknowledge(group, "AwsSolutions-EC23", "A public web site: everybody may open its port.")
    balancer = elbv2.ApplicationLoadBalancer(
        stack,
        "LoadBalancer",
        vpc=vpc,
        internet_facing=True,
        security_group=group,
        drop_invalid_header_fields=True,
        deletion_protection=retain_data,
    )
    if retain_data:
        _log_access(stack, balancer)
    else:
        acknowledge(
            balancer,
            "AwsSolutions-ELB2",
            "A log file that is delivered late, minutes after the sandbox's bucket was emptied, would stop its "
            "deletion. The tasks log each request.",
        )
    return balancer


def listen(
    balancer: elbv2.ApplicationLoadBalancer, targets: elbv2.ApplicationTargetGroup, certificate_arn: str | None
) -> None:
    """Pass on what comes by HTTP; with a certificate what comes by HTTPS, and then HTTP redirects there.

    Port 80 has one and the same listener either way, so that what runs can be given a certificate: CloudFormation would
    make another before it deletes the first, and a load balancer takes no second one for a port (aws-cdk #34235).
    """
    forward = elbv2.ListenerAction.forward([targets])
    redirect = elbv2.ListenerAction.redirect(protocol="HTTPS", port="443", permanent=True)
    http = balancer.add_listener(
        "Http",
        port=80,
        protocol=elbv2.ApplicationProtocol.HTTP,
        default_action=redirect if certificate_arn else forward,
    )
    if certificate_arn is None:
        return
    https = balancer.add_listener(
        "Https",
        port=443,
        protocol=elbv2.ApplicationProtocol.HTTPS,
        certificates=[elbv2.ListenerCertificate.from_arn(certificate_arn)],
        ssl_policy=elbv2.SslPolicy.RECOMMENDED_TLS,
        default_action=forward,
    )
    http.node.add_dependency(https)  # nobody is sent to where nothing listens yet


def _log_access(stack: Stack, balancer: elbv2.ApplicationLoadBalancer) -> None:
    bucket = s3.Bucket(
        stack,
        "AccessLogs",
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        encryption=s3.BucketEncryption.S3_MANAGED,  # the only one that load balancers write with
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(90))],  # as long as production keeps its logs
        removal_policy=RemovalPolicy.RETAIN,
    )
    keep_policy(bucket, RemovalPolicy.RETAIN)
    acknowledge(bucket, "AwsSolutions-S1", "It holds access logs itself; a log of who reads them is CloudTrail's.")
    # By hand: CDK's log_access_logs asks for a region, to name ELB's account there. This principal is good in each.
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["s3:PutObject"],
            principals=[iam.ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")],
            resources=[bucket.arn_for_objects(f"AWSLogs/{stack.account}/*")],
        )
    )
    balancer.set_attribute("access_logs.s3.enabled", "true")
    balancer.set_attribute("access_logs.s3.bucket", bucket.bucket_name)
    # It tries to write as soon as it is told where.
    balancer.node.add_dependency(bucket.node.find_child("Policy"))


def target_group(vpc: ec2.Vpc, service: ecs.BaseService) -> elbv2.ApplicationTargetGroup:
    """The service's tasks, among which requests take turns. A listener that forwards to it opens the way to them."""
    return elbv2.ApplicationTargetGroup(
        Stack.of(service),
        "Targets",
        vpc=vpc,
        port=PORT,
        protocol=elbv2.ApplicationProtocol.HTTP,
        targets=[service.load_balancer_target(container_name="Web", container_port=PORT)],
        deregistration_delay=Duration.seconds(30),  # no request takes longer; the default of 300 is waited for
        health_check=elbv2.HealthCheck(
            path=READY,
            port="traffic-port",  # of each target its own: a bridged task's is not known before
            healthy_http_codes="200",
            # A Spot task that AWS takes back stays a target until it has stopped. These ten seconds are less than the
            # server goes on serving when it is told to stop, so that requests have left before it does.
            interval=Duration.seconds(5),
            timeout=Duration.seconds(4),
            healthy_threshold_count=2,
            unhealthy_threshold_count=2,
        ),
    )


def scale(service: ecs.BaseService, targets: elbv2.ApplicationTargetGroup) -> None:
    """Keep each task's load where MIN_TASKS to MAX_TASKS of them can."""
    tasks = service.auto_scale_task_count(min_capacity=MIN_TASKS, max_capacity=MAX_TASKS)
    tasks.scale_on_cpu_utilization(
        "Cpu",
        target_utilization_percent=CPU_PERCENT,
        scale_out_cooldown=Duration.minutes(1),  # as long as a task takes to start and to show
        scale_in_cooldown=Duration.minutes(5),
    )
    tasks.scale_on_request_count(
        "Requests",
        requests_per_target=REQUESTS_PER_TASK,
        target_group=targets,
        scale_out_cooldown=Duration.minutes(1),
        scale_in_cooldown=Duration.minutes(5),
    )


def service_url(balancer: elbv2.ApplicationLoadBalancer, certificate_arn: str | None) -> str:
    """Where the service is reached. With a certificate a browser warns until a name of the certificate's leads here."""
    return f"{'https' if certificate_arn else 'http'}://{balancer.load_balancer_dns_name}/"


def web_alarms(
    stack: Stack,
    balancer: elbv2.ApplicationLoadBalancer,
    targets: elbv2.ApplicationTargetGroup,
    service: ecs.BaseService,
    *,
    lesson: str,
) -> list[cloudwatch.Alarm]:
    """What somebody should hear of: no task serves, one is not ready, answers fail, the CPU is exhausted."""
    minute, five_minutes = Duration.minutes(1), Duration.minutes(5)

    def alarm(name: str, metric: cloudwatch.IMetric, **limits: Any) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            stack,
            f"{name}Alarm",
            metric=metric,
            alarm_description=f"{stack.stack_name}: {name}. What to do: docs/{lesson}.md, 'Watch it'.",
            **{
                "comparison_operator": AT_LEAST,
                "treat_missing_data": cloudwatch.TreatMissingData.NOT_BREACHING,
                **limits,
            },
        )

    return [
        alarm(
            "NoTargets",
            targets.metrics.healthy_host_count(period=minute, statistic="Maximum"),
            threshold=1,
            evaluation_periods=3,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,  # without any target there are no data
        ),
        alarm(
            "UnhealthyTargets",
            # Each node of the load balancer counts for itself, and the least that one counts may be none.
            # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
            targets.metrics.unhealthy_host_count(period=minute, statistic="Maximum"),
            threshold=1,
            evaluation_periods=5,  # a task that starts is unhealthy for less
        ),
        alarm(
            "ServerErrors",
            targets.metrics.http_code_target(
                elbv2.HttpCodeTarget.TARGET_5XX_COUNT, period=five_minutes, statistic="Sum"
            ),
            threshold=5,  # one may be a robot's odd request; a fault in the code is more
            evaluation_periods=1,
        ),
        alarm(
            "BalancerErrors",
            balancer.metrics.http_code_elb(elbv2.HttpCodeElb.ELB_5XX_COUNT, period=five_minutes, statistic="Sum"),
            threshold=5,
            evaluation_periods=1,
        ),
        alarm(
            "Cpu",
            service.metric_cpu_utilization(period=five_minutes, statistic="Average"),
            threshold=90,  # scaling holds CPU_PERCENT: it has come to its end
            evaluation_periods=3,
        ),
    ]
