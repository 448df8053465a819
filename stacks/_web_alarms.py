"""The alarms of the web examples."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2

from stacks._alarms import metric_alarm

MINUTE, FIVE_MINUTES = Duration.minutes(1), Duration.minutes(5)


def add_web_alarms(
    balancer: elbv2.ApplicationLoadBalancer,
    target_group: elbv2.ApplicationTargetGroup,
    service: ecs.BaseService,
    *,
    stem: str,
) -> list[cloudwatch.Alarm]:
    """Return alarms on missing or unhealthy tasks, on error responses, and on a CPU near its limit."""
    stack = Stack.of(service)
    # Each node of the load balancer reports its own count. The maximum of the healthy counts is 0 only if no node finds
    # a healthy task. The maximum of the unhealthy counts also shows a problem that only one node finds.
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
    healthy = target_group.metrics.healthy_host_count(period=MINUTE, statistic="Maximum")
    unhealthy = target_group.metrics.unhealthy_host_count(period=MINUTE, statistic="Maximum")
    task_errors = target_group.metrics.http_code_target(
        elbv2.HttpCodeTarget.TARGET_5XX_COUNT, period=FIVE_MINUTES, statistic="Sum"
    )
    balancer_errors = balancer.metrics.http_code_elb(
        elbv2.HttpCodeElb.ELB_5XX_COUNT, period=FIVE_MINUTES, statistic="Sum"
    )
    cpu = service.metric_cpu_utilization(period=FIVE_MINUTES, statistic="Average")
    return [
        metric_alarm(
            stack,
            "NoTargets",
            healthy,
            stem=stem,
            periods=3,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,  # a load balancer without targets reports no data
        ),
        # A task may be unhealthy while it starts, but for less than five minutes.
        metric_alarm(stack, "UnhealthyTargets", unhealthy, stem=stem, periods=5),
        # A single error may come from the strange request of a robot. A bug causes more errors.
        metric_alarm(stack, "ServerErrors", task_errors, stem=stem, threshold=5),
        metric_alarm(stack, "BalancerErrors", balancer_errors, stem=stem, threshold=5),
        # Scaling keeps the CPU near CPU_PERCENT. A higher CPU means that the maximum number of tasks already runs.
        metric_alarm(stack, "Cpu", cpu, stem=stem, threshold=90, periods=3),
    ]
