"""A schedule triggers a function, which checks web sites and writes a result for each to DynamoDB."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack, TimeZone
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks._alarms import alarm_topic, notify
from stacks._bundling import ARCHITECTURE, RUNTIME, bundled_code
from stacks._nag import acknowledge
from stacks._stores import FailuresTo, dead_letter_queue

TIMEOUT_SECONDS = 10
"""A site that takes longer for its first page has no visitors left."""
FUNCTION_SECONDS = 60
"""TIMEOUT_SECONDS, for all sites are checked at once; 18 for three tries to write to a table that does not answer; and
as much again for a slow start."""
MEMORY_MB = 512
"""The function waits, mostly. But 50 sites at once are 50 TLS handshakes and 50 connections to DynamoDB: a second of
work for a whole vCPU, as measured. This is 0.29 of one; with much less, a slow handshake would pass for a slow site.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
KEEP_DAYS = 90
"""A quarter, for the question how often a site was down last month. CloudWatch keeps the metrics for 15 months."""
METRICS_NAMESPACE = "ComputeExamples"
METRICS = ("Up", "Milliseconds", "CertificateDaysLeft")
"""What the function can tell CloudWatch of a URL, at $0.30 a month each. The results have all of it in any case, and
the alarms need the first."""


class CronStack(Stack):
    """Schedule -> function -> results table; what AWS failed at -> dead-letter queue."""

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
        period: Duration,
        allow_private: bool = False,
        watch_closely: bool = False,
        alarm_email: str | None = None,
        **stack: Any,
    ) -> None:
        """`schedule` is a rate(...) or cron(...) expression, and `period` the longest time between two of its runs.

        `watch_closely` adds two metrics for each URL to the one that its alarm needs.
        """
        super().__init__(scope, id, **stack)
        self._removal = RemovalPolicy.RETAIN if retain_data else RemovalPolicy.DESTROY

        # After that, a run has nothing to tell that the next one does not tell better. A cron(...) may run every hour
        # by day and not at night, so its period is no measure.
        by_the_clock = schedule.startswith("cron(")
        patience = _between(Duration.minutes(1), period, Duration.hours(1) if by_the_clock else Duration.days(1))

        results = self._table("Results", recovery=retain_data)
        dead_letters = dead_letter_queue(self, "DeadLetters", removal=self._removal)
        log_group = self._log_group("Logs", log_retention)
        function = self._function(
            "Function",
            log_group=log_group,
            dead_letters=dead_letters,
            # Six minutes at least, for the function is tried again after one and then two more.
            patience=_between(Duration.minutes(6), patience, Duration.hours(6)),
            environment={
                "RESULTS_TABLE": results.table_name,
                "KEEP_DAYS": str(KEEP_DAYS),
                "TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
                "ALLOW_PRIVATE": "true" if allow_private else "false",
                "METRICS": ",".join(METRICS if watch_closely else METRICS[:1]),
            },
        )
        results.grant(function, "dynamodb:PutItem")
        role = self._schedulers_role("SchedulerRole", function, dead_letters)
        fired = scheduler.Schedule(
            self,
            "Schedule",
            schedule=scheduler.ScheduleExpression.expression(schedule, TimeZone.of(time_zone)),
            # Who writes the time of a clock wants that time.
            time_window=scheduler.TimeWindow.off() if by_the_clock else _window(period),
            target=_target(function, urls, role=role, dead_letters=dead_letters, patience=patience),
        )
        # Not before it may invoke the function, and the function knows its dead-letter queue: a rate fires at once.
        fired.node.add_dependency(role, function)
        notify(self._alarms(function, dead_letters, urls, period), alarm_topic(self, alarm_email))

        CfnOutput(self, "FunctionName", value=function.function_name)
        CfnOutput(self, "ResultsTableName", value=results.table_name)
        CfnOutput(self, "ScheduleName", value=fired.schedule_name)
        CfnOutput(self, "DeadLetterQueueUrl", value=dead_letters.queue_url)

    def _table(self, id_: str, *, recovery: bool) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            id_,
            partition_key=dynamodb.Attribute(name="url", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="scheduled_at", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="expires_at",
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=recovery
            ),
            deletion_protection=recovery,
            removal_policy=self._removal,
        )
        if not recovery:
            acknowledge(table, "AwsSolutions-DDB3", "The sandbox's results are of no use once it is gone.")
        return table

    def _log_group(self, id_: str, retention: logs.RetentionDays) -> logs.LogGroup:
        return logs.LogGroup(self, id_, retention=retention, removal_policy=self._removal)

    def _function(
        self,
        id_: str,
        *,
        log_group: logs.LogGroup,
        dead_letters: sqs.Queue,
        patience: Duration,
        environment: dict[str, str],
    ) -> lambda_.Function:
        # Not CDK's default role: its managed policy lets the function create log groups, and one that is created
        # again while the stack is being deleted stays behind for ever.
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        acknowledge(role, "AwsSolutions-IAM5[Resource::*]", "X-Ray's actions know no resources.")
        return lambda_.Function(
            self,
            id_,
            code=bundled_code("cron"),
            handler="cron.handler.handler",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            memory_size=MEMORY_MB,
            timeout=Duration.seconds(FUNCTION_SECONDS),
            retry_attempts=2,  # after one minute, then two: past a throttle or a short outage
            max_event_age=patience,
            on_failure=FailuresTo(dead_letters),
            tracing=lambda_.Tracing.ACTIVE,
            role=role,
            log_group=log_group,
            environment={
                **environment,
                "POWERTOOLS_SERVICE_NAME": self.stack_name,
                "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
            },
        )

    def _schedulers_role(self, id_: str, function: lambda_.Function, dead_letters: sqs.Queue) -> iam.Role:
        role = iam.Role(
            self,
            id_,
            # For this account's schedules: Scheduler must not be talked into using it for somebody else's.
            # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            ),
        )
        for action, resource in (
            ("lambda:InvokeFunction", function.function_arn),
            ("sqs:SendMessage", dead_letters.queue_arn),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[resource]))
        return role

    def _alarms(
        self, function: lambda_.Function, dead_letters: sqs.Queue, urls: Sequence[str], period: Duration
    ) -> list[cloudwatch.Alarm]:
        five_minutes = Duration.minutes(5)
        silent = cloudwatch.TreatMissingData.NOT_BREACHING
        return [
            *(self._site_down(url) for url in urls),
            self._alarm("Errors", function.metric_errors(period=five_minutes, statistic="Sum"), missing=silent),
            self._alarm(
                "DeadLettersVisible",
                dead_letters.metric_approximate_number_of_messages_visible(period=five_minutes, statistic="Maximum"),
                missing=silent,
            ),
            # A run stores a result for each URL or is an error, so that one URL tells of the run.
            self._missed_run(self._up(urls[0], "SampleCount", Duration.seconds(max(period.to_seconds(), 300)))),
        ]

    def _up(self, url: str, statistic: str, period: Duration) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=METRICS_NAMESPACE,
            metric_name=METRICS[0],
            dimensions_map={"service": self.stack_name, "url": url},
            statistic=statistic,
            period=period,
        )

    def _site_down(self, url: str) -> cloudwatch.Alarm:
        # An alarm of each site names it, and with the metric that the site has anyway costs less than a metric of all.
        return self._up(url, "Minimum", Duration.minutes(5)).create_alarm(
            self,
            f"SiteDown {url}",
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=1,
            # Between two runs there are no data: the alarm stays as the last run left it.
            treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
            alarm_description=f"{url} is down. {self._described('SiteDown')}",
        )

    def _missed_run(self, runs: cloudwatch.Metric) -> cloudwatch.Alarm:
        # Filled in, nothing is missing: CloudWatch looks back further than two periods for what is, and an alarm that
        # treats missing data as breaching stays silent until all of that is empty.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
        return cloudwatch.MathExpression(
            expression="FILL(runs, 0)",
            using_metrics={"runs": runs},
            period=runs.period,
            label="runs that stored a result",
        ).create_alarm(
            self,
            "MissedRunAlarm",
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=2,  # one may be empty: a run that comes late in its window leaves such a gap
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,  # before the first run there is nothing to fill
            alarm_description=self._described("MissedRun"),
        )

    def _alarm(self, name: str, metric: cloudwatch.Metric, *, missing: cloudwatch.TreatMissingData) -> cloudwatch.Alarm:
        return metric.create_alarm(
            self,
            f"{name}Alarm",
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=missing,
            alarm_description=self._described(name),
        )

    def _described(self, name: str) -> str:
        return f"{self.stack_name}: {name}. What to do: docs/cron.md, 'Watch it'."


def _target(
    function: lambda_.Function, urls: Sequence[str], *, role: iam.Role, dead_letters: sqs.Queue, patience: Duration
) -> targets.LambdaInvoke:
    return targets.LambdaInvoke(
        function,
        role=role.without_policy_updates(),  # left to itself, CDK would allow every version and alias, too
        dead_letter_queue=dead_letters,
        max_event_age=patience,
        retry_attempts=185,  # the most there are: the age ends it first
        input=scheduler.ScheduleTargetInput.from_object(
            # This time is the same in every delivery of a run; the execution's id is another for each attempt.
            {"scheduled_at": scheduler.ContextAttribute.scheduled_time, "urls": list(urls)}
        ),
    )


def _between(shortest: Duration, wanted: Duration, longest: Duration) -> Duration:
    return Duration.seconds(max(shortest.to_seconds(), min(wanted.to_seconds(), longest.to_seconds())))


def _window(period: Duration) -> scheduler.TimeWindow:
    # Everybody's schedules fire at the full hour. Ours may come within a twelfth of its period, up to five minutes: AWS
    # has less of a rush to serve, and so have the sites.
    minutes = min(5, int(period.to_minutes()) // 12)
    return scheduler.TimeWindow.flexible(Duration.minutes(minutes)) if minutes else scheduler.TimeWindow.off()
