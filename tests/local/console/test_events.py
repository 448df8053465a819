"""These tests open the page of all events: log lines, metrics and alarms."""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from console.examples import Example
from console.logs import LineFilter, LogLine, Logs
from console.metrics import METRICS_NAMESPACE, Bar, Chart, Metrics, number
from stacks import _functions
from tests.local.console.conftest import OpenPage
from tests.support.browser import needs_browser
from tests.support.deployment import Deployment


def line(text: str, *, example: str = "cron") -> LogLine:
    return LogLine(id="1", example=example, group="group", stream="stream", timestamp=1_795_895_027_215, text=text)


EMBEDDED_METRICS = json.dumps(
    {"_aws": {"CloudWatchMetrics": [{"Metrics": [{"Name": "Up"}, {"Name": "Bytes"}]}]}, "Up": [1.0], "Bytes": [2, 3]}
)


@pytest.mark.parametrize(
    ("text", "level", "message"),
    [
        ('{"level": "INFO", "message": "up", "status": 200}', "INFO", "up"),
        ('{"level": "warn", "message": "slow"}', "WARNING", "slow"),
        ('{"status": 200}', "INFO", '{"status": 200}'),
        ('{"level": "odd", "message": ""}', "INFO", '{"level": "odd", "message": ""}'),
        ("[ERROR] ValueError: x", "ERROR", "[ERROR] ValueError: x"),
        ("plain text", "INFO", "plain text"),
        ("{broken", "INFO", "{broken"),
        ("START RequestId: 1 Version: $LATEST", "", "START RequestId: 1 Version: $LATEST"),
        (EMBEDDED_METRICS, "INFO", "metrics: Up 1, Bytes 2, 3"),
        ('{"_aws": {}}', "INFO", "metrics: "),
        ("{" * 10 + '"a": 1', "INFO", "{" * 10 + '"a": 1'),
    ],
)
def test_a_line_has_a_level_and_a_message(text: str, level: str, message: str) -> None:
    assert (line(text).level, line(text).message) == (level, message)


def test_the_other_fields_of_a_line_are_details() -> None:
    details = line('{"level": "INFO", "message": "up", "status": 200, "who": {"a": "ü"}}').details
    assert details == [("status", "200"), ("who", '{"a": "ü"}'), ("log group", "group"), ("log stream", "stream")]


@pytest.mark.parametrize(
    ("query", "accepted"),
    [
        ({}, True),
        ({"example": "cron"}, True),
        ({"example": "api"}, False),
        ({"level": "WARNING"}, True),
        ({"level": "ERROR"}, False),
        ({"level": "unknown"}, True),
        ({"text": "SLOW"}, True),
        ({"text": "fast"}, False),
    ],
)
def test_a_filter_accepts_the_lines_that_a_person_wants(query: Mapping[str, str], *, accepted: bool) -> None:
    assert LineFilter.from_query(query).accepts(line('{"level": "WARNING", "message": "slow"}')) is accepted


@pytest.mark.parametrize(
    ("query", "accepted"),
    [({}, False), ({"lambda_lines": "yes"}, True), ({"lambda_lines": "yes", "level": "INFO"}, False)],
)
def test_the_lines_of_lambda_itself_are_shown_only_if_a_person_asks(query: dict[str, str], *, accepted: bool) -> None:
    assert LineFilter.from_query(query).accepts(line("END RequestId: 1")) is accepted


def example(stem: str) -> Example:
    return Example(
        stem=stem,
        stack=f"compute-{stem}",
        status="CREATE_COMPLETE",
        changed_at="1",
        description="",
        outputs={},
        template={
            "Resources": {
                "Function1A2B3C4D": {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {"Handler": f"{stem}.handler.handler"},
                },
                "CustomS3AutoDeleteObjects1A2B3C4D": {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {"Handler": "index.handler"},
                },
            }
        },
    )


class FakeService:
    """Answers as CloudFormation, CloudWatch and CloudWatch Logs do. It records the requests for log lines."""

    class exceptions:  # noqa: N801 - the name in boto3
        """The errors of the service."""

        class ResourceNotFoundException(Exception):  # noqa: N818 - the name in boto3
            """The log group does not exist."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.metrics: list[dict[str, Any]] = []
        self.alarms: list[dict[str, Any]] = []

    def get_paginator(self, operation: str) -> "FakeService":
        self.operation = operation
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        if self.operation == "list_metrics":
            yield {"Metrics": [each for each in self.metrics if each["Namespace"] == request["Namespace"]]}
            return
        for kind, name in (("AWS::Logs::LogGroup", "group"), ("AWS::Lambda::Function", "function")):
            yield {
                "StackResourceSummaries": [
                    {"ResourceType": kind, "PhysicalResourceId": name, "LogicalResourceId": "Function"}
                ]
            }

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        if request["logGroupName"] == "/aws/lambda/function":
            raise self.exceptions.ResourceNotFoundException
        self.requests.append(request)
        return {"events": [event for event in self.events if event["timestamp"] >= request["startTime"]]}

    def describe_alarms(self, **request: Any) -> dict[str, Any]:
        return {
            "MetricAlarms": [each for each in self.alarms if each["AlarmName"].startswith(request["AlarmNamePrefix"])]
        }

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        times = [request["StartTime"] + timedelta(minutes=at) for at in (0, 30, 59)]
        return {
            "MetricDataResults": [
                {"Id": query["Id"], "Timestamps": times, "Values": [1.0, 4.0, 0.0]}
                for query in request["MetricDataQueries"]
            ]
        }


class FakeAccount:
    """A real account with one service."""

    is_local = False
    prefix: str | None = "compute"
    seconds_between_reads = 0.0

    def __init__(self, service: FakeService) -> None:
        self.service = service

    def client(self, service: str) -> Any:
        del service
        return self.service

    def url(self, url: str) -> str:
        return url

    def explanation(self, error: Exception) -> str:
        return str(error)


def event(seconds_ago: float, message: str) -> dict[str, Any]:
    return {"timestamp": int((time.time() - seconds_ago) * 1000), "message": message, "logStreamName": "stream"}


def test_a_second_read_asks_only_for_the_last_minutes_and_keeps_the_older_lines() -> None:
    service = FakeService()
    service.events = [event(3000, "old"), event(5, "new"), event(5, "new")]
    logs = Logs(FakeAccount(service))
    examples = {"cron": example("cron")}
    first = logs.lines(examples)
    assert [each.text for each in first] == ["new", "new", "old"]
    assert len({each.id for each in first}) == 3
    service.events = [*service.events[1:], event(1, "newest")]
    second = logs.lines(examples)
    assert [each.text for each in second] == ["newest", "new", "new", "old"]
    assert {each.id for each in first} < {each.id for each in second}
    starts = [time.time() - request["startTime"] / 1000 for request in service.requests]
    assert (starts[0] > 600_000, starts[1] < 200) == (True, True)


def test_the_number_of_lines_in_memory_is_bounded() -> None:
    service = FakeService()
    service.events = [event(1000 - number, str(number)) for number in range(900)]
    logs = Logs(FakeAccount(service))
    lines = logs.lines({"cron": example("cron")})
    assert (len(lines), lines[0].text) == (500, "899")
    service.events.append(event(1, "newest"))
    lines = logs.lines({"cron": example("cron")})
    assert (len(lines), lines[0].text) == (500, "newest")


def metric(name: str, namespace: str = METRICS_NAMESPACE, **dimensions: str) -> dict[str, Any]:
    pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": name, "Dimensions": pairs}


def test_the_charts_are_those_of_the_deployed_examples() -> None:
    service = FakeService()
    service.metrics = [
        metric("Up", service="compute-cron", url="https://x.example"),
        metric("Up", service="other-cron"),
        metric("Duration", "AWS/Lambda", FunctionName="compute-cron-CustomS3AutoDe-abc"),
        metric("Errors", "AWS/Lambda", FunctionName="compute-cron-Function1A2B3C4D-abc"),
        metric("Errors", "AWS/Lambda", FunctionName="compute-cron-Function1A2B3C4D-abc", Resource="live"),
        metric("Unusual", "AWS/Lambda", FunctionName="compute-cron-Function1A2B3C4D-abc"),
    ]
    charts = Metrics(FakeAccount(service)).charts({"cron": example("cron")})
    assert [(chart.title, chart.statistic) for chart in charts] == [
        ("Up of https://x.example", "Average"),
        ("Errors of Function", "Sum"),
        ("Duration of CustomS3AutoDeleteObjects", "Average"),  # CDK's helper functions come last
    ]
    assert [(bar.minute, bar.height) for bar in charts[0].bars] == [(0, 0.25), (30, 1.0), (59, 0.0)]


@pytest.mark.parametrize(
    ("name", "values", "summary"),
    [
        ("Errors", [], "no value in the last hour"),
        ("Errors", [0], "always 0"),
        ("Duration", [2, 2], "always 2 ms"),
        ("Errors", [0, 1200], "2 values, 0 to 1,200, the newest 1,200"),
        ("Duration", [4, 3, 2], "3 values, 2 to 4 ms, the newest 2 ms"),
    ],
)
def test_a_chart_has_a_summary_in_words(name: str, values: list[float], summary: str) -> None:
    bars = [Bar(minute=minute, value=value, height=1) for minute, value in enumerate(values)]
    chart = Chart(example="cron", name=name, part="", namespace="n", about="", statistic="Sum", bars=bars)
    assert chart.summary == summary


def test_the_alarm_of_a_site_has_its_url() -> None:
    service = FakeService()
    site = [{"Name": "service", "Value": "compute-cron"}, {"Name": "url", "Value": "https://x.example/a-b"}]
    service.alarms = [
        {"AlarmName": "compute-cron-ErrorsAlarm0A1B2C3D-xyz", "StateValue": "OK"},
        {"AlarmName": "compute-cron-SiteDownhttpsxexampleab0A1B2C3D-xyz", "StateValue": "OK", "Dimensions": site},
    ]
    alarms = Metrics(FakeAccount(service)).alarms({"cron": example("cron")})
    assert [alarm.name for alarm in alarms] == ["Errors", "SiteDown https://x.example/a-b"]


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (1200, "1,200"), (0.256, "0.26"), (100.0, "100")])
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_the_namespace_is_that_of_the_functions() -> None:
    assert METRICS_NAMESPACE == _functions.METRICS_NAMESPACE


# -- the page


@needs_browser
def test_new_lines_appear_by_themselves_and_as_text(open_page: OpenPage, deployment: Deployment) -> None:
    page = open_page("/events?example=api")
    expect(page.locator(".lines li").first).to_be_visible()
    group = next(
        resource["PhysicalResourceId"]
        for resource in deployment.client("cloudformation").describe_stack_resources(
            StackName=f"{deployment.prefix}-api"
        )["StackResources"]
        if resource["ResourceType"] == "AWS::Logs::LogGroup"
    )
    logs = deployment.client("logs")
    message = json.dumps({"level": "ERROR", "message": "<b onclick=x>hostile</b>", "key": "<i>value</i>"})
    try:
        logs.create_log_stream(logGroupName=group, logStreamName="a test")
        now = int(datetime.now(UTC).timestamp() * 1000)
        events = [{"timestamp": now, "message": message}]
        logs.put_log_events(logGroupName=group, logStreamName="a test", logEvents=events)

        first = page.locator(".lines li", has_text="hostile")
        expect(first.locator(".message")).to_have_text("<b onclick=x>hostile</b>")
        first.locator("summary").click()
        expect(first.locator("dd", has_text="<i>value</i>")).to_be_visible()
        events = [{"timestamp": now + 1, "message": "the next line"}]
        logs.put_log_events(logGroupName=group, logStreamName="a test", logEvents=events)
        expect(page.locator(".lines li", has_text="the next line")).to_be_visible()
        expect(first.locator("details")).to_have_attribute("open", "")  # a new line does not close the details
    finally:
        logs.delete_log_stream(logGroupName=group, logStreamName="a test")


@needs_browser
def test_a_filter_is_a_form_whose_fields_are_in_the_address(open_page: OpenPage) -> None:
    page = open_page("/events")
    page.get_by_label("Example").select_option("cron")
    page.get_by_label("Level").select_option("INFO")
    page.get_by_label("Text").fill('"up" <&+ü')
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No log line fits the filter.")).to_be_visible()
    assert "level=INFO" in page.url
    expect(page.get_by_label("Text")).to_have_value('"up" <&+ü')
    page.get_by_label("Text").fill("stored")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".lines li").first).to_contain_text("cron up")
    assert set(page.locator(".lines b").all_inner_texts()) == {"cron"}


@needs_browser
def test_a_paused_page_shows_no_new_line_until_it_continues(open_page: OpenPage) -> None:
    page = open_page("/events?example=cron")  # the schedule writes a line every three seconds
    newest = page.locator(".lines li").first
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused. New lines wait.")).to_be_visible()
    shown = newest.get_attribute("id")
    page.wait_for_timeout(4000)  # nothing must happen in this time
    assert newest.get_attribute("id") == shown
    page.get_by_role("button", name="Continue").click()
    expect(newest).not_to_have_attribute("id", str(shown))


@needs_browser
def test_the_page_has_the_alarms_and_says_where_traces_are(open_page: OpenPage) -> None:
    page = open_page("/events?example=cron")
    alarm = page.locator("#live-alarms tbody tr", has_text="SiteDown http")
    expect(alarm).to_have_count(1)
    expect(alarm.get_by_role("link", name="What to do")).to_have_attribute("href", "/lessons/cron#watch-it")
    expect(page.locator("#live-metrics")).not_to_be_empty()
    expect(page.get_by_text("The local AWS keeps no traces.")).to_be_visible()


@needs_browser
def test_the_events_of_an_unknown_example_are_not_found(open_page: OpenPage) -> None:
    page = open_page("/lessons/cron")
    answer = page.request.get(page.url.replace("/lessons/cron", "/events?example=%3Cb%3E"))
    assert (answer.status, "<b>" in answer.text().replace("<b>Type", "")) == (404, False)
