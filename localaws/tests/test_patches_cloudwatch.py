"""Tests of the patches that store metrics and evaluate alarms. Each test fails if a patch does not work."""

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from conftest import Client
from helpers import create_function, policy, wait_for
from ministack.core import lambda_runtime
from ministack.services import cloudwatch, cloudwatch_logs, lambda_svc
from ministack.services.cloudformation import provisioners

from localaws.patches import cloudwatch_metrics
from localaws.patches.cloudwatch import FILL_VALUE, accept_metric_math_alarms
from localaws.patches.cloudwatch_alarms import evaluate
from localaws.patches.cloudwatch_metrics import Metric, store, store_highest, store_metrics_in_logs

PRINT_METRICS = """
import json, time
def handler(event, context):
    metric = {"Namespace": "Test", "Dimensions": [["service"]], "Metrics": [{"Name": "Made", "Unit": "Count"}]}
    metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [metric]}
    print(json.dumps({"_aws": metadata, "service": "s", "Made": 2}))
    return 1 / event
"""


def sum_of(client: Client, namespace: str, name: str, dimensions: Mapping[str, str]) -> float | None:
    """Return the sum of the metric's values in the last hour, or None if there is no value."""
    now = datetime.now(UTC)
    answer = client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
        Period=7200,
        Statistics=["Sum"],
    )
    points = answer["Datapoints"]
    return sum(point["Sum"] for point in points) if points else None


# -- store_values_by_minute


def test_a_metric_keeps_its_newest_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the memory grows, because nearly every invocation of a function has another duration."""
    monkeypatch.setattr(cloudwatch, "_metrics", type(cloudwatch._metrics)())
    monkeypatch.setattr(cloudwatch_metrics, "MAX_POINTS", 10)
    monkeypatch.setattr(cloudwatch_metrics, "_EXTRA_POINTS", 2)
    for value in range(30):
        store(Metric("Test", "Milliseconds", {}), value)
    assert_newest_values_of_30()


def test_a_metric_keeps_its_newest_points_of_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_evict_old_metrics", "record_metric", "_store_datum"):
        monkeypatch.setattr(cloudwatch, name, getattr(cloudwatch, name))
    monkeypatch.setattr(cloudwatch_metrics, "MAX_POINTS", 10)
    monkeypatch.setattr(cloudwatch_metrics, "_EXTRA_POINTS", 2)
    cloudwatch_metrics.store_values_by_minute()
    for value in range(30):
        datum = {"MetricName": "Letters", "Value": value, "Dimensions": [{"Name": "service", "Value": "s"}]}
        request = json.dumps({"Namespace": "Test", "MetricData": [datum]}).encode()
        headers = {"x-amz-target": "GraniteServiceVersion20100801.PutMetricData"}
        status, *_ = asyncio.run(cloudwatch.handle_request("POST", "/", headers, request, {}))
        assert status == 200
    assert_newest_values_of_30()


def assert_newest_values_of_30() -> None:
    """Fail if the only metric does not have 10 to 12 of the values from 0 to 29, and these are the newest."""
    ((_, points),) = cloudwatch._metrics.items()
    values = [point["Value"] for point in points]
    assert values == list(range(30 - len(values), 30))
    assert 10 <= len(values) <= 12


# -- store_metrics_of_functions and store_metrics_in_logs


def invoke_synchronously_and_asynchronously(client: Client) -> dict[str, float | None]:
    """Invoke a function that fails for the event 0 once in each way. Return the sums of its metrics."""
    functions = client("lambda")
    client("logs").create_log_group(logGroupName="measured")
    create_function(
        client, "measured", {"index.py": PRINT_METRICS}, actions="*", LoggingConfig={"LogGroup": "measured"}
    )
    functions.put_function_event_invoke_config(FunctionName="measured", MaximumRetryAttempts=0)
    functions.invoke(FunctionName="measured", Payload="1")
    functions.invoke(FunctionName="measured", InvocationType="Event", Payload="0")
    wait_for(lambda: len(client("logs").describe_log_streams(logGroupName="measured")["logStreams"]) == 2)
    functions.put_function_concurrency(FunctionName="measured", ReservedConcurrentExecutions=0)
    with pytest.raises(functions.exceptions.TooManyRequestsException):
        functions.invoke(FunctionName="measured", Payload="1")
    dimensions = {"FunctionName": "measured"}
    sums = {name: sum_of(client, "AWS/Lambda", name, dimensions) for name in ("Invocations", "Errors", "Throttles")}
    return {**sums, "Made": sum_of(client, "Test", "Made", {"service": "s"})}


def test_each_invocation_is_counted_and_its_log_becomes_metrics(stock: Client, patched: Client) -> None:
    # The client sends the throttled request three times.
    stock_sums = {"Invocations": 8, "Errors": 3, "Throttles": 6, "Made": None}
    assert invoke_synchronously_and_asynchronously(stock) == stock_sums
    assert invoke_synchronously_and_asynchronously(patched) == {
        "Invocations": 2,
        "Errors": 1,
        "Throttles": 3,
        "Made": 4,
    }


def test_a_version_has_its_own_metrics(patched: Client) -> None:
    create_function(patched, "versioned", {"index.py": "def handler(event, context): pass"})
    patched("lambda").publish_version(FunctionName="versioned")
    patched("lambda").invoke(FunctionName="versioned", Qualifier="1")
    for dimensions in ({"FunctionName": "versioned"}, {"FunctionName": "versioned", "Resource": "versioned:1"}):
        assert sum_of(patched, "AWS/Lambda", "Invocations", dimensions) == 1


def test_all_functions_together_have_metrics_without_a_dimension(patched: Client) -> None:
    before = sum_of(patched, "AWS/Lambda", "Invocations", {}) or 0
    for name in ("first", "second"):
        create_function(patched, name, {"index.py": "def handler(event, context): pass"})
        patched("lambda").publish_version(FunctionName=name)
        patched("lambda").invoke(FunctionName=name, Qualifier="1")
    assert sum_of(patched, "AWS/Lambda", "Invocations", {}) == before + 2


def only_value_without_dimensions(client: Client) -> float | None:
    """Store a value of a metric with a dimension, and a value of a metric without. Return the sum of the latter."""
    for value, dimensions in ((1, [{"Name": "service", "Value": "s"}]), (2, [])):
        datum = {"MetricName": "Letters", "Value": value, "Dimensions": dimensions}
        client("cloudwatch").put_metric_data(Namespace="Apart", MetricData=[datum])
    return sum_of(client, "Apart", "Letters", {})


def test_a_metric_without_dimensions_has_its_own_values(stock: Client, patched: Client) -> None:
    assert only_value_without_dimensions(stock) == 3
    assert only_value_without_dimensions(patched) == 2


def test_the_duration_does_not_contain_the_wait_for_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_acquire_execution_slot", "_emit_lambda_metrics"):
        monkeypatch.setattr(lambda_svc, name, getattr(lambda_svc, name))
    worker = lambda_runtime.Worker
    monkeypatch.setattr(worker, "invoke", lambda *_: time.sleep(0.1))

    def wait_and_run(*_: Any) -> Any:
        time.sleep(0.5)
        worker.invoke(None)
        return {}

    monkeypatch.setattr(lambda_svc, "_execute_function_dispatch", wait_and_run)
    cloudwatch_metrics.store_metrics_of_functions()
    name = "arn:aws:lambda:us-east-1:000000000000:function:timed"
    lambda_svc._execute_function_dispatch({}, {"FunctionName": "timed", "FunctionArn": name}, None)
    (point,) = cloudwatch._metrics["AWS/Lambda", "Duration", "FunctionName=timed"]
    assert 100 <= point["Value"] < 500


# -- store_metrics_of_apis


def request_api(client: Client) -> dict[str, float | None]:
    """Send a request to an API, and another request to a path that does not exist. Return the sums of its metrics."""
    gateway = client("apigateway")
    api = gateway.create_rest_api(name="counted")["id"]
    (root,) = gateway.get_resources(restApiId=api)["items"]
    method = {"restApiId": api, "resourceId": root["id"], "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE")
    gateway.put_integration(**method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    gateway.put_method_response(**method, statusCode="200")
    gateway.put_integration_response(**method, statusCode="200")
    gateway.create_deployment(restApiId=api, stageName="live")
    url = f"{client('s3').meta.endpoint_url}/_aws/execute-api/{api}/live"
    statuses = [requests.get(f"{url}/{path}", timeout=30).status_code for path in ("", "missing")]
    assert statuses == [200, 403]
    names = ("Count", "4XXError", "5XXError")
    api = {"ApiName": "counted"}
    sums = {name: sum_of(client, "AWS/ApiGateway", name, {**api, "Stage": "live"}) for name in names}
    assert sums == {name: sum_of(client, "AWS/ApiGateway", name, api) for name in names}
    return sums


def test_each_request_to_an_api_is_counted(stock: Client, patched: Client) -> None:
    assert request_api(stock) == {"Count": None, "4XXError": None, "5XXError": None}
    assert request_api(patched) == {"Count": 2, "4XXError": 1, "5XXError": 0}


# -- evaluate_alarms


def fill_watched_queue(client: Client) -> str:
    """Send a message to a queue that has an alarm. Return the URL of a second queue that receives the alarm."""
    queues, topics = client("sqs"), client("sns")
    watched = queues.create_queue(QueueName="watched")["QueueUrl"]
    allow_topic = policy({"Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"})
    alarms = queues.create_queue(QueueName="alarms", Attributes={"Policy": allow_topic})["QueueUrl"]
    topic = topics.create_topic(Name="alarms")["TopicArn"]
    topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:000000000000:alarms")
    client("cloudwatch").put_metric_alarm(
        AlarmName="watched",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": "watched"}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[topic],
    )
    queues.send_message(QueueUrl=watched, MessageBody="a letter")
    return str(alarms)


def test_a_message_in_a_queue_starts_the_alarm(stock: Client, patched: Client) -> None:
    fill_watched_queue(stock)
    url = fill_watched_queue(patched)
    (message,) = wait_for(lambda: patched("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages"))
    alarm = json.loads(json.loads(message["Body"])["Message"])
    assert (alarm["AlarmName"], alarm["NewStateValue"]) == ("watched", "ALARM")
    states = [
        client("cloudwatch").describe_alarms(AlarmNames=["watched"])["MetricAlarms"] for client in (stock, patched)
    ]
    assert [alarms[0]["StateValue"] for alarms in states] == ["INSUFFICIENT_DATA", "ALARM"]


# -- These tests call the functions of ministack in this process, so they can choose times.


@pytest.fixture(autouse=True)
def stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without metrics and alarm history in this process."""
    monkeypatch.setattr(cloudwatch, "_metrics", type(cloudwatch._metrics)())
    monkeypatch.setattr(cloudwatch, "_alarm_history", type(cloudwatch._alarm_history)())
    monkeypatch.setattr(cloudwatch_metrics, "_newest_minutes", {})


METRIC = Metric("Test", "Runs", {"service": "s"})


def stored(metric: Metric = METRIC) -> list[tuple[int, float, float]]:
    """Return the minute, the value and the number of values of each point of the metric."""
    key = (metric.namespace, metric.name, cloudwatch._dims_key(metric.dimensions))
    points = cloudwatch._metrics.get(key, [])
    return [(point["Timestamp"], point["Value"], point["Count"]) for point in points]


def test_equal_values_of_a_minute_are_stored_once() -> None:
    for when, value in ((60, 1), (119.9, 1), (100, 2), (120, 1)):
        store(METRIC, value, when)
    assert stored() == [(60, 1, 2), (60, 2, 1), (120, 1, 1)]


def test_the_highest_value_of_a_minute_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for now, value in ((60, 0), (61, 3), (62, 2), (120, 1)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        store_highest(METRIC, value)
    assert stored() == [(60, 3, 1), (120, 1, 1)]


def embedded(**changes: Any) -> dict[str, Any]:
    """Return a line with an embedded metric. Arguments replace parts of the metric's directive, or are values."""
    values = {name: changes.pop(name) for name in [*changes] if name not in ("Namespace", "Dimensions", "Metrics")}
    metrics = [{"Name": "Runs", "Unit": "Count"}]
    directive = {"Namespace": "Test", "Dimensions": [["service"]], "Metrics": metrics, **changes}
    return {"_aws": {"Timestamp": 61000, "CloudWatchMetrics": [directive]}, "service": "s", "Runs": 3, **values}


@pytest.mark.parametrize(
    ("line", "points"),
    [
        (embedded(), [(60, 3, 1)]),
        (embedded(Runs=[3, 3, 5]), [(60, 3, 2), (60, 5, 1)]),
        (embedded(Dimensions=[["other"], ["service"]], other="o"), [(60, 3, 1)]),
        (embedded(Dimensions=[["missing"]]), []),
        (embedded(Runs="three"), []),
        (embedded(Metrics=[{"Name": "Runs"}, {"Name": "missing"}]), []),
        ({"_aws": {"Timestamp": 1, "CloudWatchMetrics": None}}, []),
        ({"CloudWatchMetrics": []}, []),
        ('text with "CloudWatchMetrics"', []),
    ],
)
def test_only_lines_in_the_embedded_metric_format_become_metrics(
    line: Any, points: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloudwatch_logs, "_append_log_events", lambda *_: None)
    store_metrics_in_logs()
    message = line if isinstance(line, str) else json.dumps(line)
    cloudwatch_logs._append_log_events({}, [{"message": message}, {"message": "START"}])
    assert stored() == points


def test_the_value_of_a_dimension_must_be_a_string(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudwatch_logs, "_append_log_events", lambda *_: None)
    store_metrics_in_logs()
    cloudwatch_logs._append_log_events({}, [{"message": json.dumps(embedded(service=5))}])
    assert [*cloudwatch._metrics.items()] == []


def test_a_line_with_two_sets_of_dimensions_becomes_two_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudwatch_logs, "_append_log_events", lambda *_: None)
    store_metrics_in_logs()
    message = json.dumps(embedded(Dimensions=[[], ["service"]]))
    cloudwatch_logs._append_log_events({}, [{"message": message}])
    assert stored() == stored(Metric("Test", "Runs", {})) == [(60, 3, 1)]


@pytest.mark.parametrize(
    ("expressions", "metric", "fill_value"),
    [
        (["FILL(b, 0)"], "B", 0),
        ([" FILL( a , -2.5 ) "], "A", -2.5),
        (["FILL(a, REPEAT)"], "A", None),
        (["FILL(other, 0)"], "A", None),
        (["a / b"], "A", None),
        (["FILL(a, 0)", "a / b"], "A", None),
        ([], "A", None),
    ],
)
def test_only_an_expression_that_fills_missing_values_is_evaluated(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    expressions: list[str],
    metric: str,
    fill_value: float | None,
) -> None:
    stock_record = provisioners._cw_metric_alarm_record
    monkeypatch.setattr(provisioners, "_cw_metric_alarm_record", stock_record)
    accept_metric_math_alarms()
    metrics = [
        {
            "Id": name,
            "MetricStat": {"Metric": {"Namespace": "N", "MetricName": name.upper()}, "Period": 60, "Stat": "Sum"},
        }
        for name in ("a", "b")
    ]
    queries = [{"Id": f"e{number}", "Expression": text} for number, text in enumerate(expressions)]
    properties = {"ComparisonOperator": "LessThanThreshold", "Threshold": 1, "Metrics": [*queries, *metrics]}
    alarm = provisioners._cw_metric_alarm_record("alarm", properties)
    assert (alarm["MetricName"], alarm.get(FILL_VALUE)) == (metric, fill_value)
    assert len(caplog.messages) == (1 if expressions and fill_value is None else 0)


NOW = 6000
MISSING = None


@pytest.mark.parametrize(
    ("values", "options", "state"),
    [
        # The values of the last three minutes, the newest first. The threshold is 5.
        ([5], {}, "ALARM"),
        ([4.9], {}, "OK"),
        ([4, 9], {}, "OK"),
        ([5], {"ComparisonOperator": "GreaterThanThreshold"}, "OK"),
        ([5], {"ComparisonOperator": "LessThanOrEqualToThreshold"}, "ALARM"),
        ([5], {"ComparisonOperator": "LessThanThreshold"}, "OK"),
        ([5, 5, 5], {"EvaluationPeriods": 3}, "ALARM"),
        ([5, 4, 5], {"EvaluationPeriods": 3}, "OK"),
        ([5, 4, 5], {"EvaluationPeriods": 3, "DatapointsToAlarm": 2}, "ALARM"),
        ([3, 3], {"Period": 120}, "ALARM"),
        ([3, 3], {"Period": 120, "Statistic": "Average"}, "OK"),
        ([3, 4], {"Period": 120, "ExtendedStatistic": "p99"}, "OK"),
        ([MISSING, 9], {}, "INSUFFICIENT_DATA"),
        ([MISSING, 9], {"TreatMissingData": "notBreaching"}, "OK"),
        ([MISSING, 9], {"TreatMissingData": "breaching"}, "ALARM"),
        ([MISSING, 9], {"TreatMissingData": "ignore"}, "before"),
        ([MISSING, 9], {FILL_VALUE: 4.0, "TreatMissingData": "breaching"}, "OK"),
        ([MISSING, 9], {FILL_VALUE: 5.0, "TreatMissingData": "notBreaching"}, "ALARM"),
        ([5, MISSING], {"EvaluationPeriods": 2, "TreatMissingData": "breaching"}, "ALARM"),
        ([5, MISSING], {"EvaluationPeriods": 2, "TreatMissingData": "notBreaching"}, "OK"),
        # AWS documents these states, in "Avoiding premature transitions to alarm state".
        ([MISSING, MISSING, 5], {"EvaluationPeriods": 3}, "ALARM"),
        ([5, MISSING, 5], {"EvaluationPeriods": 3}, "ALARM"),
        ([MISSING, 5], {"EvaluationPeriods": 3}, "OK"),
        ([MISSING, 5], {"EvaluationPeriods": 3, "DatapointsToAlarm": 2}, "ALARM"),
        ([5, MISSING, 4], {"EvaluationPeriods": 3, "DatapointsToAlarm": 2}, "OK"),
        ([MISSING, MISSING, 4], {"EvaluationPeriods": 3}, "OK"),
        ([MISSING, MISSING, 5], {"EvaluationPeriods": 3, "TreatMissingData": "ignore"}, "before"),
        ([MISSING, MISSING, 4], {"EvaluationPeriods": 3, "TreatMissingData": "ignore"}, "OK"),
        ([MISSING, MISSING, 5], {"EvaluationPeriods": 3, "TreatMissingData": "notBreaching"}, "OK"),
        ([MISSING, MISSING, 5], {"EvaluationPeriods": 3, "TreatMissingData": "breaching"}, "ALARM"),
        ([MISSING, MISSING], {"TreatMissingData": "breaching"}, "before"),
        ([9], {"Dimensions": [{"Name": "service", "Value": "another"}]}, "before"),
        ([9], {"Dimensions": []}, "before"),
    ],
)
def test_the_values_of_the_last_periods_decide_the_state_of_an_alarm(
    values: list[float | None], options: Mapping[str, Any], state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: NOW + 30)
    for minutes, value in enumerate(values):
        if value is not MISSING:
            store(METRIC, value, NOW - 60 * minutes)
    alarm = {
        "AlarmName": "runs",
        "Namespace": "Test",
        "MetricName": "Runs",
        "Dimensions": [{"Name": "service", "Value": "s"}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 5,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "StateValue": "before",
        **options,
    }
    evaluate(alarm)
    assert alarm["StateValue"] == state
    assert len(cloudwatch._history_entries()) == (state != "before")
