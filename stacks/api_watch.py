"""Alarms and a dashboard for the API."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_

from stacks._alarms import metric_alarm

FIVE_MINUTES = Duration.minutes(5)
FULL_WIDTH = 24
"""A row of a dashboard has 24 columns."""


def add_alarms(
    stack: Stack, api: apigateway.RestApi, function: lambda_.Function, *, early_warnings: bool
) -> list[cloudwatch.Alarm]:
    """Return an alarm on server errors. `early_warnings` adds alarms on high latency and on throttles.

    The first two alarms watch the stage, so they watch all functions. docs/decisions.md says why only `function`, that
    of version 1, has an alarm on throttles.
    """
    stage = api.deployment_stage
    server_errors = stage.metric_server_error(period=FIVE_MINUTES, statistic="Sum")
    alarms = [metric_alarm(stack, "ServerErrors", server_errors, stem="api")]
    if early_warnings:
        latency = metric_alarm(
            stack,
            "Latency",
            stage.metric_latency(period=FIVE_MINUTES, statistic="p99"),
            stem="api",
            # Milliseconds. In a period with few requests, the 99th percentile is the slowest request, which usually had
            # a cold start. This takes two seconds. CloudWatch can ignore such periods, but then a p99 alarm needs 1,000
            # requests in each period.
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
            threshold=3000,
            periods=3,
        )
        throttles = function.metric_throttles(period=FIVE_MINUTES, statistic="Sum")
        alarms += [latency, metric_alarm(stack, "Throttles", throttles, stem="api")]
    return alarms


def add_dashboard(  # noqa: PLR0913, PLR0917 - the resources that the dashboard shows
    stack: Stack,
    id_: str,
    api: apigateway.RestApi,
    functions: Mapping[str, lambda_.Function],
    tables: Mapping[str, dynamodb.Table],
    alarms: Sequence[cloudwatch.Alarm],
) -> None:
    """Add a dashboard. It shows the alarms first, then requests and latency, then the functions and the tables.

    The keys of `functions` and `tables` are the titles of their graphs.
    """
    stage = api.deployment_stage
    alarm_states = cloudwatch.AlarmStatusWidget(alarms=list(alarms), title="Alarms", width=FULL_WIDTH, height=3)
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
        stage.metric_integration_latency(statistic="p99", label="p99 of the functions"),
    )
    invocations = [
        _graph(
            title,
            function.metric_errors(statistic="Sum", label="errors"),
            function.metric_throttles(statistic="Sum", label="throttles"),
            function.metric("ConcurrentExecutions", statistic="Maximum", label="at once"),
            width=FULL_WIDTH // len(functions),
        )
        for title, function in functions.items()
    ]
    capacities = [
        _graph(
            title,
            table.metric_consumed_read_capacity_units(label="read units"),
            table.metric_consumed_write_capacity_units(label="write units"),
        )
        for title, table in tables.items()
    ]
    cloudwatch.Dashboard(
        stack,
        id_,
        default_interval=Duration.hours(3),
        widgets=[[alarm_states], [requests, latency], invocations, capacities],
    )


def _graph(title: str, *metrics: cloudwatch.IMetric, width: int = FULL_WIDTH // 2) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=width, period=FIVE_MINUTES)
