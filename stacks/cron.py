"""A schedule invokes a function. The function checks web sites and writes a result for each of them to DynamoDB."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack, TimeZone
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
from stacks._stores import dead_letter_queue, on_demand_table, removal_policy
from stacks.cron_watch import METRICS, add_alarms

TIMEOUT_SECONDS = 10
"""Time limit for the check of one site. Visitors do not wait longer for a page."""
FUNCTION_SECONDS = 60
"""Time limit of the function. It checks all sites at the same time, which needs TIMEOUT_SECONDS at most. It then tries
three times to write to the table. If the table does not answer, the three tries need 18 seconds. The sum is 28 seconds.
The limit is a little more than twice this sum, because a slow start also needs some time."""
MEMORY_MB = 512
"""The function waits most of the time. But for 50 sites at once, it needs 50 TLS handshakes and 50 connections to
DynamoDB. We measured that one vCPU needs a second for all of them. 512 MB give 0.29 of a vCPU. With much less CPU, a
slow TLS handshake in the function would look like a slow site.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
KEEP_DAYS = 90
"""Days for which the table keeps a result, long enough to count how often a site was down in the last month. CloudWatch
keeps metrics for 15 months."""


class CronStack(Stack):
    """A schedule, a function, a table for its results, a dead-letter queue for failed runs, and alarms."""

    def __init__(  # noqa: PLR0913 - each setting is a keyword argument
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK uses this name
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
        **stack_parameters: Any,
    ) -> None:
        """Add the resources of the example.

        `schedule` is a rate(...) or cron(...) expression. `longest_gap` is the longest time between two runs.
        `watch_closely` adds two metrics for each URL, which no alarm needs.
        """
        description = "Lambda: a schedule checks web sites and writes the results to DynamoDB"
        super().__init__(scope, id, description=description, **stack_parameters)
        removal = removal_policy(retain_data=retain_data)
        max_age = _max_age(schedule, longest_gap)

        results = on_demand_table(
            self,
            "Results",
            partition_key="url",
            sort_key="scheduled_at",
            time_to_live_attribute="expires_at",
            retain_data=retain_data,
            why_no_recovery="The results in a sandbox are only experiments, so nobody needs to restore them.",
        )
        dead_letters = dead_letter_queue(self, "DeadLetters", removal=removal)
        function = python_function(
            self,
            "Function",
            "cron",
            memory_size=MEMORY_MB,
            timeout=Duration.seconds(FUNCTION_SECONDS),
            # Lambda retries a failed run after one minute, and again after two more minutes. So a short outage of
            # DynamoDB loses no result. The three attempts can take one minute each (FUNCTION_SECONDS). So Lambda must
            # keep the run for at least six minutes: three for the attempts, and three for the waits between them.
            retry_attempts=2,
            max_event_age=_clamp(max_age, Duration.minutes(6), Duration.hours(6)),
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
        # A rate(...) schedule runs as soon as it exists. So the role must have its permissions before, and the function
        # must have its dead-letter queue.
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
        # Without this call, CDK would also allow the role to invoke every version and alias of the function.
        role=role.without_policy_updates(),
        dead_letter_queue=dead_letters,
        max_event_age=max_age,
        retry_attempts=185,  # the maximum; max_event_age ends the retries earlier
        input=scheduler.ScheduleTargetInput.from_object(
            # Scheduler may deliver a run twice. The function can detect this, because both events have the same
            # scheduled time. Their execution ids would be different.
            {"scheduled_at": scheduler.ContextAttribute.scheduled_time, "urls": list(urls)}
        ),
    )


def _is_cron(schedule: str) -> bool:
    return schedule.startswith("cron(")


def _max_age(schedule: str, longest_gap: Duration) -> Duration:
    """Return the time for which a run may be retried. After the next run, a retry would be pointless."""
    # A cron(...) schedule may run every hour by day, and not at night. Its longest gap is the night. Retries must not
    # continue for so long during the day, so the maximum is one hour.
    return _clamp(longest_gap, Duration.minutes(1), Duration.hours(1) if _is_cron(schedule) else Duration.days(1))


def _clamp(duration: Duration, shortest: Duration, longest: Duration) -> Duration:
    return Duration.seconds(max(shortest.to_seconds(), min(duration.to_seconds(), longest.to_seconds())))


def _window(schedule: str, longest_gap: Duration) -> scheduler.TimeWindow:
    # Many schedules in the world run at the full hour. So each run of a rate(...) schedule may start a little later,
    # which spreads the load on AWS and on the sites. The window is a twelfth of the time between two runs, and at most
    # five minutes. A cron(...) schedule names an exact time, so there is no flexible window.
    minutes = 0 if _is_cron(schedule) else min(5, int(longest_gap.to_minutes()) // 12)
    return scheduler.TimeWindow.flexible(Duration.minutes(minutes)) if minutes else scheduler.TimeWindow.off()
