"""Patches that store metrics. The patch that evaluates alarms is in cloudwatch_alarms.py.

A metric has a namespace, a name and *dimensions*, which are names with values. CloudWatch stores the values of each
minute together.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ministack.core import lambda_runtime
from ministack.core.responses import get_account_id, get_region
from ministack.services import apigateway_v1, cloudwatch, cloudwatch_logs, lambda_svc, sqs

MAX_POINTS = 5_000
"""A metric keeps this number of points. A busy function has hundreds of different durations in each minute."""
_EXTRA_POINTS = 500
"""A metric may have this number of additional points. So the list is not copied for each point."""
_lock = threading.Lock()
"""Protects the stored values, because many threads store them."""
_newest_minutes: dict[tuple[Any, ...], tuple[int, dict[float, dict[str, Any]]]] = {}
"""The newest minute of each metric, and the points of this minute by their value."""


class Metric(NamedTuple):
    """A metric, with the unit of its values."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    unit: str = "Count"


class _Times(threading.local):
    invocation: float | None = None


_times = _Times()
"""The seconds that the present thread's last invocation took in its environment."""


def store_values_by_minute() -> None:
    """Store equal values of a minute once, together with their number. Delete all but the newest 5,000 to 5,500 points.

    Points that a client stores with PutMetricData have the same limit.

    Stock engine: stores each value of a service as a point of its own. With each invocation of a function, the memory
    grows and each request to CloudWatch becomes slower. A value is lost if a request removes old values meanwhile.
    AWS: stores the values of each minute together. The time of these values is the beginning of the minute. AWS keeps
    them for 15 days.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/publishingMetrics.html
    Upstream issue: none known.
    """
    stock_evict, stock_store_datum = cloudwatch._evict_old_metrics, cloudwatch._store_datum

    def evict() -> None:
        with _lock:
            stock_evict()

    def store_datum(namespace: str, name: str, dimensions: Any, *rest: Any) -> None:
        with _lock:
            stock_store_datum(namespace, name, dimensions, *rest)
            _delete_old_points((namespace, name, cloudwatch._dims_key(dimensions)))

    def record(namespace: str, name: str, value: float, unit: str = "None", dimensions: Any = None) -> None:
        store(Metric(namespace, name, dict(dimensions or {}), unit), value)

    cloudwatch._evict_old_metrics, cloudwatch.record_metric, cloudwatch._store_datum = evict, record, store_datum


def store(metric: Metric, value: float, when: float | None = None) -> None:
    """Store a value of a metric. `when` is the time in seconds since 1970, and by default the present time."""
    with _lock:
        points, minute = _points_of_minute(metric, when)
        if value in points:
            points[value]["Count"] += 1
        else:
            points[value] = _add_point(metric, value, minute)


def store_highest(metric: Metric, value: float) -> None:
    """Store the value of a metric that has one value a minute. The highest value of the minute is kept."""
    with _lock:
        points, minute = _points_of_minute(metric, None)
        if not points:
            points[value] = _add_point(metric, value, minute)
        elif value > max(points):
            _, point = points.popitem()
            point["Value"] = float(value)
            points[value] = point


def _points_of_minute(metric: Metric, when: float | None) -> tuple[dict[float, dict[str, Any]], int]:
    # Return the points of the minute by their value, and the beginning of the minute.
    minute = int((time.time() if when is None else when) // 60 * 60)
    key = (get_account_id(), get_region(), metric.namespace, metric.name, cloudwatch._dims_key(metric.dimensions))
    if _newest_minutes.get(key, (None,))[0] != minute:
        _newest_minutes[key] = minute, {}
    return _newest_minutes[key][1], minute


def _add_point(metric: Metric, value: float, minute: int) -> dict[str, Any]:
    point = {
        "Timestamp": minute,
        "Value": float(value),
        "Count": 1.0,
        "Unit": metric.unit,
        "Dimensions": metric.dimensions,
    }
    key = (metric.namespace, metric.name, cloudwatch._dims_key(metric.dimensions))
    cloudwatch._metric_bucket(key).append(point)
    _delete_old_points(key)
    return point


def _delete_old_points(key: tuple[Any, ...]) -> None:
    points = cloudwatch._metrics[key]
    if len(points) > MAX_POINTS + _EXTRA_POINTS:
        cloudwatch._metrics[key] = points[-MAX_POINTS:]  # a new list, because a request may read the old one


def read_metrics_without_dimensions() -> None:
    """Return the values of the metric without dimensions if a request for values names no dimensions.

    Stock engine: returns the values of all metrics with the same name.
    AWS: each combination of dimensions is another metric, and so is a metric without dimensions.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Dimension
    Requests in the old query protocol still get the values of all metrics.
    Upstream issue: none known.
    """
    stock_read = cloudwatch._dims_from_list

    class Dimensions(dict[str, str]):
        def __bool__(self) -> bool:  # ministack asks whether there are dimensions, before it compares them
            return True

    cloudwatch._dims_from_list = lambda dimensions: Dimensions(stock_read(dimensions))


def store_metrics_in_logs() -> None:
    """Store the metrics in the lines of a log that have the embedded metric format.

    Stock engine: stores only the lines.
    AWS: stores the lines, and also the metrics in them. AWS ignores the metrics of a line that breaks the format.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    Upstream issue: none known.
    """
    stock_append = cloudwatch_logs._append_log_events

    def append_and_store(stream: Any, events: list[dict[str, Any]]) -> None:
        stock_append(stream, events)
        for event in events:
            if '"CloudWatchMetrics"' in event["message"]:
                with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):  # the format is wrong
                    for metric, value, when in [*_embedded_metrics(json.loads(event["message"]))]:
                        store(metric, value, when)

    cloudwatch_logs._append_log_events = append_and_store


def _embedded_metrics(line: Any) -> Iterator[tuple[Metric, float, float]]:
    # Return the metric, the value and the time of each value in the line.
    when = line["_aws"]["Timestamp"] / 1000
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = {name: _text(line[name]) for name in names}
            for metric in directive["Metrics"]:
                values = line[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    unit = metric.get("Unit", "None")
                    yield Metric(directive["Namespace"], metric["Name"], dimensions, unit), float(value), when


def _text(value: Any) -> str:
    # Return the value of a dimension. In the embedded metric format, it must be a string.
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def store_metrics_of_functions() -> None:
    """Store the metrics of each invocation of a function: Invocations, Errors, Duration and ConcurrentExecutions.

    Throttles counts the attempts to invoke the function without free concurrency.

    Stock engine: stores the metrics of requests to Lambda's API and of load balancers. It ignores other invocations,
    such as those by S3. It counts a throttled attempt as an invocation, and in most cases twice.
    AWS: stores the metrics of all invocations. A throttled attempt is no invocation. If a version or an alias is
    invoked, AWS also stores its own metrics, with the dimension Resource. Metrics without a dimension contain the
    values of all functions together.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    With this patch, Duration includes the start of a new environment, which AWS measures separately. The concurrency of
    all functions together is not stored.
    Upstream issue: none known.
    """
    stock_dispatch, stock_acquire = lambda_svc._execute_function_dispatch, lambda_svc._acquire_execution_slot
    stock_invoke = lambda_runtime.Worker.invoke

    def invoke_and_measure(*arguments: Any, **options: Any) -> Any:
        begin = time.monotonic()
        try:
            return stock_invoke(*arguments, **options)
        finally:
            _times.invocation = time.monotonic() - begin

    def dispatch_and_store(function: Any, configuration: Any, *rest: Any) -> Any:
        concurrency = lambda_svc._inflight.get(lambda_svc._inflight_key(configuration), 1)
        begin, _times.invocation = time.monotonic(), None
        result = stock_dispatch(function, configuration, *rest)
        seconds = time.monotonic() - begin if _times.invocation is None else _times.invocation
        for dimensions in _dimensions_of_function(configuration):
            store(Metric("AWS/Lambda", "Invocations", dimensions), 1)
            store(Metric("AWS/Lambda", "Errors", dimensions), 1 if result.get("error") else 0)
            store(Metric("AWS/Lambda", "Throttles", dimensions), 0)
            store(Metric("AWS/Lambda", "Duration", dimensions, "Milliseconds"), round(seconds * 1000))
            if dimensions:
                store(Metric("AWS/Lambda", "ConcurrentExecutions", dimensions), concurrency)
        return result

    def acquire_or_count(function: Any, configuration: Any) -> Any:
        slot, limit = stock_acquire(function, configuration)
        if slot is None:
            for dimensions in _dimensions_of_function(configuration):
                store(Metric("AWS/Lambda", "Throttles", dimensions), 1)
        return slot, limit

    lambda_svc._execute_function_dispatch = dispatch_and_store
    lambda_svc._acquire_execution_slot = acquire_or_count
    lambda_svc._emit_lambda_metrics = lambda *_, **__: None
    lambda_runtime.Worker.invoke = invoke_and_measure


def _dimensions_of_function(configuration: Any) -> Iterator[Mapping[str, str]]:
    name = configuration["FunctionName"]
    yield {}  # the metrics of all functions
    yield {"FunctionName": name}
    qualifier = configuration["FunctionArn"].split(":")[7:]
    if qualifier:
        yield {"FunctionName": name, "Resource": f"{name}:{qualifier[0]}"}


def store_metrics_of_apis() -> None:
    """Store the metrics of each request to a REST API: Count, 4XXError, 5XXError and Latency.

    Stock engine: stores no metrics of APIs.
    AWS: stores these metrics, with the name of the API as their dimension, and again with the name of the stage, too.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
    Upstream issue: none known.
    """
    stock_handle = apigateway_v1._handle_execute_in_scope

    async def handle_and_store(api_id: str, stage: str, *rest: Any) -> Any:
        begin = time.monotonic()
        status, headers, body = await stock_handle(api_id, stage, *rest)
        if stage in apigateway_v1._stages_v1.get(api_id, {}):
            latency = round((time.monotonic() - begin) * 1000)
            api = {"ApiName": apigateway_v1._rest_apis[api_id]["name"]}
            for dimensions in (api, {**api, "Stage": stage}):
                store(Metric("AWS/ApiGateway", "Count", dimensions), 1)
                for name, hundreds in (("4XXError", 4), ("5XXError", 5)):
                    store(Metric("AWS/ApiGateway", name, dimensions), 1 if status // 100 == hundreds else 0)
                store(Metric("AWS/ApiGateway", "Latency", dimensions, "Milliseconds"), latency)
        return status, headers, body

    apigateway_v1._handle_execute_in_scope = handle_and_store


def store_metrics_of_queues() -> None:
    """Store the number of visible messages of each SQS queue of the present account and region.

    AWS counts the messages once a minute. This function stores the highest number of the minute.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    """
    for url, queue in sqs._queues.items():
        visible = sum(message["visible_at"] <= time.time() for message in [*queue["messages"]])
        dimensions = {"QueueName": url.rsplit("/", 1)[-1]}
        store_highest(Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", dimensions), visible)
