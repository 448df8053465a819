"""The metrics of each URL, and the alarms of the cron stack."""

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from stacks._alarms import metric_alarm
from stacks._functions import METRICS_NAMESPACE

METRICS = ("Up", "Milliseconds", "CertificateDaysLeft")
"""Metrics that the function can write for a URL. Each costs $0.30 a month. The alarms only need `Up`. The results table
always contains all three values."""
FIVE_MINUTES = Duration.minutes(5)
LESS_THAN = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD


def add_alarms(
    stack: Stack, function: lambda_.Function, dead_letters: sqs.Queue, urls: Sequence[str], longest_gap: Duration
) -> list[cloudwatch.Alarm]:
    """Return an alarm for each site that is down, and alarms on errors, on dead letters and on missed runs."""
    return [
        *(_site_down(stack, url) for url in urls),
        metric_alarm(stack, "Errors", function.metric_errors(period=FIVE_MINUTES, statistic="Sum"), stem="cron"),
        metric_alarm(
            stack,
            "DeadLettersVisible",
            dead_letters.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum"),
            stem="cron",
        ),
        _missed_run(stack, urls[0], longest_gap),
    ]


def _up_metric(stack: Stack, url: str, statistic: str, period: Duration) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=METRICS_NAMESPACE,
        metric_name=METRICS[0],
        dimensions_map={"service": stack.stack_name, "url": url},
        statistic=statistic,
        period=period,
    )


def _site_down(stack: Stack, url: str) -> cloudwatch.Alarm:
    # Each site has its own alarm, so the alarm contains the URL. A single alarm for all sites would need an additional
    # metric and cost more.
    return cloudwatch.Alarm(
        stack,
        f"SiteDown {url}",
        metric=_up_metric(stack, url, "Minimum", FIVE_MINUTES),
        threshold=1,
        comparison_operator=LESS_THAN,
        evaluation_periods=1,
        # There are no data between two runs. The alarm keeps its state until the next run.
        treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
        alarm_description=f"{url} is down. {stack.stack_name}: SiteDown. What to do: docs/cron.md, 'Watch it'.",
    )


def _missed_run(stack: Stack, url: str, longest_gap: Duration) -> cloudwatch.Alarm:
    # A run stores a result for every URL, or it fails. So the results of a single URL show whether a run happened.
    runs = _up_metric(stack, url, "SampleCount", Duration.seconds(max(longest_gap.to_seconds(), 300)))
    # FILL replaces missing data with zeros. Without FILL, CloudWatch would also examine earlier periods if data are
    # missing. The alarm would start only when all of these periods are empty, which is too late.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    filled = cloudwatch.MathExpression(
        expression="FILL(runs, 0)",
        using_metrics={"runs": runs},
        period=runs.period,
        label="runs that stored a result",
    )
    return metric_alarm(
        stack,
        "MissedRun",
        filled,
        stem="cron",
        comparison_operator=LESS_THAN,
        periods=2,  # one period may be empty, because a run may start late in its window
        treat_missing_data=cloudwatch.TreatMissingData.BREACHING,  # before the first run, FILL has no effect
    )
