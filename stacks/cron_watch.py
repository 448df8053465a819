"""The metrics of each URL, and the alarms of the cron stack."""

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from stacks._alarms import metric_alarm
from stacks._functions import METRICS_NAMESPACE

METRICS = ("Up", "Milliseconds", "CertificateDaysLeft")
"""The metrics that the function can write for a URL, at $0.30 a month each. The alarms need the first. The results
table has all three values in any case."""
FIVE_MINUTES = Duration.minutes(5)
BELOW = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD


def add_alarms(
    stack: Stack, function: lambda_.Function, dead_letters: sqs.Queue, urls: Sequence[str], period: Duration
) -> list[cloudwatch.Alarm]:
    """Return alarms on each site that is down, on errors, on dead letters, and on runs that do not happen."""
    return [
        *(_site_down(stack, url) for url in urls),
        metric_alarm(stack, "Errors", function.metric_errors(period=FIVE_MINUTES, statistic="Sum"), stem="cron"),
        metric_alarm(
            stack,
            "DeadLettersVisible",
            dead_letters.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum"),
            stem="cron",
        ),
        _missed_run(stack, urls[0], period),
    ]


def _up(stack: Stack, url: str, statistic: str, period: Duration) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=METRICS_NAMESPACE,
        metric_name=METRICS[0],
        dimensions_map={"service": stack.stack_name, "url": url},
        statistic=statistic,
        period=period,
    )


def _site_down(stack: Stack, url: str) -> cloudwatch.Alarm:
    # Each site has its own alarm, which names it. One alarm for all sites would need another metric, and cost more.
    return cloudwatch.Alarm(
        stack,
        f"SiteDown {url}",
        metric=_up(stack, url, "Minimum", FIVE_MINUTES),
        threshold=1,
        comparison_operator=BELOW,
        evaluation_periods=1,
        # There are no data between two runs: the alarm stays as the last run left it.
        treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
        alarm_description=f"{url} is down. {stack.stack_name}: SiteDown. What to do: docs/cron.md, 'Watch it'.",
    )


def _missed_run(stack: Stack, url: str, period: Duration) -> cloudwatch.Alarm:
    # A run either stores a result for every URL or is an error. So the results of one URL show whether a run happened.
    runs = _up(stack, url, "SampleCount", Duration.seconds(max(period.to_seconds(), 300)))
    # FILL turns missing data into zeros. Without it the alarm would stay silent for too long: for missing data,
    # CloudWatch also looks at periods before the last two, and treats them as breaching only when all are empty.
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
        comparison_operator=BELOW,
        periods=2,  # one may be empty: a run that starts late in its window leaves such a gap
        treat_missing_data=cloudwatch.TreatMissingData.BREACHING,  # before the first run there is nothing to fill
    )
