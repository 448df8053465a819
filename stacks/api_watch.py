"""Alarms and a dashboard for the API."""

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_

FIVE_MINUTES = Duration.minutes(5)


def add_alarms(
    stack: Stack, api: apigateway.RestApi, function: lambda_.Function, *, early: bool
) -> list[cloudwatch.Alarm]:
    """Alarms on server errors; with `early` also on slowness and throttled functions, of which some become errors."""
    stage = api.deployment_stage
    watched = {
        # Name: metric, threshold, periods in a row
        "ServerErrors": (stage.metric_server_error(period=FIVE_MINUTES, statistic="Sum"), 1, 1),
    }
    if early:
        # Two seconds are a cold start; a quarter of an hour of them is none.
        watched["Latency"] = (stage.metric_latency(period=FIVE_MINUTES, statistic="p99"), 2000, 3)
        watched["Throttles"] = (function.metric_throttles(period=FIVE_MINUTES, statistic="Sum"), 1, 1)
    return [
        metric.create_alarm(
            stack,
            f"{name}Alarm",
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,  # no requests, no data
            # Of a handful of requests the 99th percentile is the slowest: a cold start, as a rule.
            evaluate_low_sample_count_percentile="ignore" if metric.statistic == "p99" else None,
            alarm_description=f"{stack.stack_name}: {name}. What to do: docs/api.md, 'Watch it'.",
        )
        for name, (metric, threshold, periods) in watched.items()
    ]


def add_dashboard(  # noqa: PLR0913, PLR0917 - all that there is to see
    stack: Stack,
    id_: str,
    api: apigateway.RestApi,
    function: lambda_.Function,
    notes: dynamodb.Table,
    alarms: Sequence[cloudwatch.Alarm],
) -> None:
    """The alarms, and below them requests and time, function and table."""
    stage = api.deployment_stage
    requests = _graph(
        "Requests",
        stage.metric_count(statistic="Sum", label="all"),
        stage.metric_client_error(statistic="Sum", label="4xx, throttled ones among them"),
        stage.metric_server_error(statistic="Sum", label="5xx"),
    )
    milliseconds = _graph(
        "Milliseconds",
        stage.metric_latency(statistic="p50", label="p50"),
        stage.metric_latency(statistic="p99", label="p99"),
        stage.metric_integration_latency(statistic="p99", label="p99 of the function"),
    )
    of_function = _graph(
        "Function",
        function.metric_errors(statistic="Sum", label="errors"),
        function.metric_throttles(statistic="Sum", label="throttles"),
        function.metric("ConcurrentExecutions", statistic="Maximum", label="at once"),
    )
    of_table = _graph(
        "Table",
        notes.metric_consumed_read_capacity_units(label="read units"),
        notes.metric_consumed_write_capacity_units(label="write units"),
    )
    state = cloudwatch.AlarmStatusWidget(alarms=list(alarms), title="Alarms", width=24, height=3)
    cloudwatch.Dashboard(
        stack,
        id_,
        default_interval=Duration.hours(3),
        widgets=[[state], [requests, milliseconds], [of_function, of_table]],
    )


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=12, period=FIVE_MINUTES)
