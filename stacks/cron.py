"""A schedule invokes a function, which checks web sites and writes one result for each to DynamoDB."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack, TimeZone
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks._alarms import alarm_topic, notify
from stacks._functions import METRICS_NAMESPACE, QueueDestination, python_function
from stacks._schedules import scheduler_role
from stacks._stores import dead_letter_queue, on_demand_table
from stacks.cron_watch import METRICS, add_alarms

TIMEOUT_SECONDS = 10
"""A site that takes longer for its first page has lost its visitors."""
FUNCTION_SECONDS = 60
"""The sum of TIMEOUT_SECONDS, because the function checks all sites at once; 18 seconds for three tries to write to a
table that does not answer; and as much again for a slow start."""
MEMORY_MB = 512
"""The function waits most of the time. But 50 sites at once need 50 TLS handshakes and 50 connections to DynamoDB:
a second of work for a whole vCPU, as measured. 512 MB give 0.29 of a vCPU. With much less, a slow handshake would look
like a slow site. https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
KEEP_DAYS = 90
"""A quarter of a year, which answers how often a site was down last month. CloudWatch keeps metrics for 15 months."""


class CronStack(Stack):
    """Schedule -> function -> results table; failed events -> dead-letter queue."""

    def __init__(  # noqa: PLR0913 - every choice of the example, by name
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        urls: Sequence[str],
        schedule: str,
        time_zone: str,
        longest_gap: Duration,
        allow_private: bool = False,
        watch_closely: bool = False,
        alarm_email: str | None = None,
        **stack: Any,
    ) -> None:
        """Deploy the example.

        `schedule` is a rate(...) or cron(...) expression. `longest_gap` is the longest time between two of its runs.
        `watch_closely` adds two metrics for each URL to the one that its alarm needs.
        """
        description = "Lambda: a schedule checks web sites and writes the results to DynamoDB"
        super().__init__(scope, id, description=description, **stack)
        removal = RemovalPolicy.RETAIN if retain_data else RemovalPolicy.DESTROY
        max_age = _max_age(schedule, longest_gap)

        results = on_demand_table(
            self,
            "Results",
            partition_key="url",
            sort_key="scheduled_at",
            time_to_live_attribute="expires_at",
            retain_data=retain_data,
            why_no_recovery="Nobody needs the sandbox's results after it is deleted.",
        )
        dead_letters = dead_letter_queue(self, "DeadLetters", removal=removal)
        function = python_function(
            self,
            "Function",
            "cron",
            memory_size=MEMORY_MB,
            timeout=Duration.seconds(FUNCTION_SECONDS),
            retry_attempts=2,  # after one minute, then two: past a throttle or a short outage
            max_event_age=_clamp(max_age, Duration.minutes(6), Duration.hours(6)),  # six minutes leave time to retry
            on_failure=QueueDestination(dead_letters),
            environment={
                "RESULTS_TABLE": results.table_name,
                "KEEP_DAYS": str(KEEP_DAYS),
                "TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
                "ALLOW_PRIVATE": "true" if allow_private else "false",
                "METRICS": ",".join(METRICS if watch_closely else METRICS[:1]),
                "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
            },
            log_retention=log_retention,
            removal=removal,
        )
        results.grant(function, "dynamodb:PutItem")
        role = scheduler_role(
            self,
            "SchedulerRole",
            grants={"lambda:InvokeFunction": function.function_arn, "sqs:SendMessage": dead_letters.queue_arn},
        )
        timer = scheduler.Schedule(
            self,
            "Schedule",
            schedule=scheduler.ScheduleExpression.expression(schedule, TimeZone.of(time_zone)),
            time_window=_window(schedule, longest_gap),
            target=_invocation(function, urls, role, dead_letters, max_age),
        )
        # A rate(...) schedule runs at once. The role must have its grants by then, and the function its queue.
        timer.node.add_dependency(role, function)
        notify(add_alarms(self, function, dead_letters, urls, longest_gap), alarm_topic(self, alarm_email))

        CfnOutput(self, "FunctionName", value=function.function_name)
        CfnOutput(self, "ResultsTableName", value=results.table_name)
        CfnOutput(self, "ScheduleName", value=timer.schedule_name)
        CfnOutput(self, "DeadLetterQueueUrl", value=dead_letters.queue_url)


def _invocation(
    function: lambda_.Function, urls: Sequence[str], role: iam.Role, dead_letters: sqs.Queue, max_age: Duration
) -> targets.LambdaInvoke:
    return targets.LambdaInvoke(
        function,
        role=role.without_policy_updates(),  # otherwise CDK would also allow every version and alias
        dead_letter_queue=dead_letters,
        max_event_age=max_age,
        retry_attempts=185,  # the maximum: max_event_age ends the retries first
        input=scheduler.ScheduleTargetInput.from_object(
            # Every delivery of a run has the same scheduled time, but each attempt has its own execution id.
            {"scheduled_at": scheduler.ContextAttribute.scheduled_time, "urls": list(urls)}
        ),
    )


def _is_cron(schedule: str) -> bool:
    return schedule.startswith("cron(")


def _max_age(schedule: str, period: Duration) -> Duration:
    """Return how long a run is worth a retry: until the next run, which makes an older one pointless."""
    # A cron(...) schedule may run every hour by day and pause at night. Its longest pause is then too long a time.
    return _clamp(period, Duration.minutes(1), Duration.hours(1) if _is_cron(schedule) else Duration.days(1))


def _clamp(duration: Duration, shortest: Duration, longest: Duration) -> Duration:
    return Duration.seconds(max(shortest.to_seconds(), min(duration.to_seconds(), longest.to_seconds())))


def _window(schedule: str, period: Duration) -> scheduler.TimeWindow:
    # Most schedules run at the full hour. A rate(...) schedule may start later, by a twelfth of its period and at most
    # five minutes, because this spreads the load on AWS and on the sites. A cron(...) schedule names an exact time, so
    # there is no flexible window.
    minutes = 0 if _is_cron(schedule) else min(5, int(period.to_minutes()) // 12)
    return scheduler.TimeWindow.flexible(Duration.minutes(minutes)) if minutes else scheduler.TimeWindow.off()
