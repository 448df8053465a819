"""Alarms and a dashboard for the API."""

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_

from stacks._alarms import metric_alarm

FIVE_MINUTES = Duration.minutes(5)


def add_alarms(
    stack: Stack, api: apigateway.RestApi, function: lambda_.Function, *, early: bool
) -> list[cloudwatch.Alarm]:
    """Return an alarm on server errors. `early` adds two on latency and throttles, which may lead to errors."""
    stage = api.deployment_stage
    server_errors = stage.metric_server_error(period=FIVE_MINUTES, statistic="Sum")
    alarms = [metric_alarm(stack, "ServerErrors", server_errors, stem="api")]
    if early:
        latency = metric_alarm(
            stack,
            "Latency",
            stage.metric_latency(period=FIVE_MINUTES, statistic="p99"),
            stem="api",
            # Milliseconds. A cold start takes two seconds, too, but cold starts do not last a quarter of an hour.
            threshold=2000,
            periods=3,
            # The 99th percentile of a few requests is the slowest of them, which usually had a cold start.
            evaluate_low_sample_count_percentile="ignore",
        )
        throttles = function.metric_throttles(period=FIVE_MINUTES, statistic="Sum")
        alarms += [latency, metric_alarm(stack, "Throttles", throttles, stem="api")]
    return alarms


def add_dashboard(  # noqa: PLR0913, PLR0917 - everything that it shows
    stack: Stack,
    id_: str,
    api: apigateway.RestApi,
    function: lambda_.Function,
    notes: dynamodb.Table,
    alarms: Sequence[cloudwatch.Alarm],
) -> None:
    """Add a dashboard: the alarms first, then requests and latency, then the function and the table."""
    stage = api.deployment_stage
    state = cloudwatch.AlarmStatusWidget(alarms=list(alarms), title="Alarms", width=24, height=3)
    requests = _graph(
        "Requests",
        stage.metric_count(statistic="Sum", label="all"),
        stage.metric_client_error(statistic="Sum", label="4xx, throttled ones among them"),
        stage.metric_server_error(statistic="Sum", label="5xx"),
    )
    latency = _graph(
        "Milliseconds",
        stage.metric_latency(statistic="p50", label="p50"),
        stage.metric_latency(statistic="p99", label="p99"),
        stage.metric_integration_latency(statistic="p99", label="p99 of the function"),
    )
    invocations = _graph(
        "Function",
        function.metric_errors(statistic="Sum", label="errors"),
        function.metric_throttles(statistic="Sum", label="throttles"),
        function.metric("ConcurrentExecutions", statistic="Maximum", label="at once"),
    )
    capacity = _graph(
        "Table",
        notes.metric_consumed_read_capacity_units(label="read units"),
        notes.metric_consumed_write_capacity_units(label="write units"),
    )
    cloudwatch.Dashboard(
        stack,
        id_,
        default_interval=Duration.hours(3),
        widgets=[[state], [requests, latency], [invocations, capacity]],
    )


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=12, period=FIVE_MINUTES)
