"""The alarms of the web examples."""

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2

from stacks._alarms import alarm_topic, notify

MINUTE, FIVE_MINUTES = Duration.minutes(1), Duration.minutes(5)
AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD


def watch_web_service(
    balancer: elbv2.ApplicationLoadBalancer,
    targets: elbv2.ApplicationTargetGroup,
    service: ecs.BaseService,
    *,
    lesson: str,
    email: str | None,
) -> None:
    """Add the alarms, which send mail if there is an address. Their descriptions name the lesson."""
    stack = Stack.of(service)
    alarms = [
        *_target_alarms(stack, targets, lesson),
        *_error_alarms(stack, balancer, targets, lesson),
        _alarm(
            stack,
            "Cpu",
            service.metric_cpu_utilization(period=FIVE_MINUTES, statistic="Average"),
            lesson,
            threshold=90,  # scaling holds CPU_PERCENT, unless it has reached its limit
            evaluation_periods=3,
        ),
    ]
    notify(alarms, alarm_topic(stack, email))


def _target_alarms(stack: Stack, targets: elbv2.ApplicationTargetGroup, lesson: str) -> list[cloudwatch.Alarm]:
    return [
        _alarm(
            stack,
            "NoTargets",
            targets.metrics.healthy_host_count(period=MINUTE, statistic="Maximum"),
            lesson,
            threshold=1,
            evaluation_periods=3,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,  # without targets there is no data
        ),
        _alarm(
            stack,
            "UnhealthyTargets",
            # Each node of the load balancer reports its own count. The maximum shows a problem that only one node sees.
            # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
            targets.metrics.unhealthy_host_count(period=MINUTE, statistic="Maximum"),
            lesson,
            threshold=1,
            evaluation_periods=5,  # a starting task is unhealthy for less
        ),
    ]


def _error_alarms(
    stack: Stack, balancer: elbv2.ApplicationLoadBalancer, targets: elbv2.ApplicationTargetGroup, lesson: str
) -> list[cloudwatch.Alarm]:
    of_tasks = targets.metrics.http_code_target(
        elbv2.HttpCodeTarget.TARGET_5XX_COUNT, period=FIVE_MINUTES, statistic="Sum"
    )
    of_balancer = balancer.metrics.http_code_elb(elbv2.HttpCodeElb.ELB_5XX_COUNT, period=FIVE_MINUTES, statistic="Sum")
    # A single error may be a robot's strange request. A bug causes more.
    return [
        _alarm(stack, "ServerErrors", of_tasks, lesson, threshold=5, evaluation_periods=1),
        _alarm(stack, "BalancerErrors", of_balancer, lesson, threshold=5, evaluation_periods=1),
    ]


def _alarm(stack: Stack, name: str, metric: cloudwatch.IMetric, lesson: str, **limits: Any) -> cloudwatch.Alarm:
    defaults = {
        "comparison_operator": AT_LEAST,
        "treat_missing_data": cloudwatch.TreatMissingData.NOT_BREACHING,
    }
    return cloudwatch.Alarm(
        stack,
        f"{name}Alarm",
        metric=metric,
        alarm_description=f"{stack.stack_name}: {name}. What to do: docs/{lesson}.md, 'Watch it'.",
        **{**defaults, **limits},
    )
