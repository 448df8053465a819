"""The metrics and alarms of the deployed examples, read from CloudWatch."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from os.path import commonprefix
from typing import Any, Generic, TypeVar

from console.account import Account
from console.examples import Example

METRICS_NAMESPACE = "ComputeExamples"
"""The namespace of the metrics that the functions write."""
LAMBDA_METRICS = ("Invocations", "Errors", "Throttles", "Duration")
"""The metrics of each function that the page shows. AWS has more."""
MAX_METRICS = 3_000
"""The console reads at most this number of names of metrics in a namespace. A large account has more functions."""
MINUTES = 60
"""The time that a chart shows. Each minute has one bar."""
MAX_CHARTS = {True: 500, False: 48}
"""The page shows at most this number of charts: for the local AWS (True), and for a real account (False).

On AWS, each read of a metric costs $0.00001. https://aws.amazon.com/cloudwatch/pricing/
"""
MAX_ALARMS = 100
"""The page shows at most this number of alarms of a stack."""
STATISTICS: Mapping[str, str] = {
    "Duration": "Average",
    "Milliseconds": "Average",
    "Up": "Average",
    "CertificateDaysLeft": "Minimum",
    "ConcurrentExecutions": "Maximum",
}
"""The statistic of a metric for each minute. Any other metric is a count, so its values are added."""
WORDS = {"Average": "average of each minute", "Maximum": "highest of each minute", "Minimum": "lowest of each minute"}
"""What the values of a chart are, by statistic."""
UNITS: Mapping[str, str] = {
    "Duration": "ms",
    "Milliseconds": "ms",
    "Latency": "ms",
    "Bytes": "bytes",
    "CertificateDaysLeft": "days",
}
"""The unit of the values of a metric. Any other metric is a number of events, or a part between 0 and 1."""
SECONDS_BETWEEN_READS = {True: 5.0, False: 60.0}
"""The pause between two reads of the metrics: in the local AWS (True), and in a real account, where reading costs."""

_GENERATED_PART = re.compile(r"(Alarm)?[0-9A-F]{8}-[0-9A-Za-z]+$")
"""The end of a name that CloudFormation has made from the id in the template."""
_HASH = re.compile(r"([0-9a-f]{32})?[0-9A-F]{8}$")
"""The end of a logical id that CDK has made."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Bar:
    """The value of a metric in one minute."""

    minute: int
    """The position: 0 is the oldest minute of the chart."""
    value: float
    height: float
    """The height as a part of the highest value, between 0 and 1."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A metric in the last hour."""

    example: str
    name: str
    part: str
    """The function or the site that the metric is about. It is empty if the metric is about the whole example."""
    namespace: str
    about: str
    """The dimensions of the metric."""
    statistic: str
    bars: Sequence[Bar]

    @property
    def title(self) -> str:
        """The metric, and what it is about, such as `Invocations of Function`."""
        return f"{self.name} of {self.part}" if self.part else self.name

    @property
    def values(self) -> str:
        """What each value is."""
        return WORDS.get(self.statistic, "sum of each minute")

    @property
    def summary(self) -> str:
        """The chart in words."""
        if not self.bars:
            return "no value in the last hour"
        values = [bar.value for bar in self.bars]
        lowest, highest, newest = (number(value) for value in (min(values), max(values), values[-1]))
        unit = f" {UNITS[self.name]}" if self.name in UNITS else ""
        if lowest == highest:
            return f"always {lowest}{unit}"
        return f"{len(values)} values, {lowest} to {highest}{unit}, the newest {newest}{unit}"


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """An alarm of a stack."""

    example: str
    name: str
    """The name in the code, such as `Errors`. The alarm of a site also has its URL: `SiteDown https://example.com`."""
    state: str
    """OK, ALARM or INSUFFICIENT_DATA."""
    description: str


class _Cached(Generic[T]):
    """Keeps the last answer of `read` for some seconds, for all open pages."""

    def __init__(self, read: Callable[[Mapping[str, Example]], T], seconds: float) -> None:
        self._read, self._seconds = read, seconds
        self._lock = threading.Lock()
        self._last: tuple[float, tuple[str, ...], T] | None = None

    def __call__(self, examples: Mapping[str, Example]) -> T:
        with self._lock:
            stacks = tuple(example.stack for example in examples.values())
            if self._last and self._last[1] == stacks and time.monotonic() < self._last[0] + self._seconds:
                return self._last[2]
            answer = self._read(examples)
            self._last = (time.monotonic(), stacks, answer)
            return answer


class Metrics:
    """Reads charts and alarms. `charts` and `alarms` may raise AccountError and the errors of boto3."""

    def __init__(self, account: Account) -> None:
        """`account` is the account with the stacks."""
        self._account = account
        seconds = SECONDS_BETWEEN_READS[account.is_local]
        self.charts: Callable[[Mapping[str, Example]], list[Chart]] = _Cached(self._read_charts, seconds)
        """Returns the charts of the examples, at most MAX_CHARTS."""
        self.alarms: Callable[[Mapping[str, Example]], list[Alarm]] = _Cached(self._read_alarms, min(seconds, 30))
        """Returns the alarms of the examples."""

    def _read_charts(self, examples: Mapping[str, Example]) -> list[Chart]:
        client = self._account.client("cloudwatch")
        found = []
        for metric in (*_metrics(client, METRICS_NAMESPACE), *_metrics(client, "AWS/Lambda")):
            stem = _example_of(metric, examples)
            if stem:
                found.append((stem, metric))
        found.sort(key=lambda one: _is_of_helper(one[1], examples[one[0]]))
        return _charts(client, found[: MAX_CHARTS[self._account.is_local]], examples)

    def _read_alarms(self, examples: Mapping[str, Example]) -> list[Alarm]:
        client = self._account.client("cloudwatch")
        found = []
        for stem, example in examples.items():
            answer = client.describe_alarms(AlarmNamePrefix=f"{example.stack}-", MaxRecords=MAX_ALARMS)
            for alarm in (*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())):
                name, description = _alarm_name(alarm, example), alarm.get("AlarmDescription", "")
                found.append(Alarm(example=stem, name=name, state=alarm["StateValue"], description=description))
        return sorted(found, key=lambda alarm: alarm.state != "ALARM")  # the alarms that need somebody come first


def _alarm_name(alarm: Mapping[str, Any], example: Example) -> str:
    name = _GENERATED_PART.sub("", alarm["AlarmName"].removeprefix(f"{example.stack}-"))
    site = next((each["Value"] for each in alarm.get("Dimensions", ()) if each["Name"] == "url"), "")
    # CloudFormation leaves out the special characters of the URL in the name.
    return f"{name.removesuffix(re.sub(r'[^0-9A-Za-z]', '', site))} {site}".strip()


def number(value: float) -> str:
    """Return a number with at most two decimals, such as `1,200` or `0.25`."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _metrics(client: Any, namespace: str) -> Iterator[Mapping[str, Any]]:
    """Yield the metrics of a namespace that had a value in the last three hours."""
    pages = client.get_paginator("list_metrics").paginate(
        Namespace=namespace, RecentlyActive="PT3H", PaginationConfig={"MaxItems": MAX_METRICS}
    )
    for page in pages:
        for metric in page["Metrics"]:
            # A metric of Lambda exists several times: for the function, and for each version of it.
            is_of_function = len(metric["Dimensions"]) == 1 and metric["MetricName"] in LAMBDA_METRICS
            if namespace == METRICS_NAMESPACE or is_of_function:
                yield metric


def _example_of(metric: Mapping[str, Any], examples: Mapping[str, Example]) -> str | None:
    # A dimension is the name of the stack, or a name that CloudFormation has made from it, such as that of a function.
    values = [dimension["Value"] for dimension in metric["Dimensions"]]
    for stem, example in examples.items():
        if any(value == example.stack or value.startswith(f"{example.stack}-") for value in values):
            return stem
    return None


def _function_of(metric: Mapping[str, Any], example: Example) -> str:
    """Return the logical id of the function that a metric is about, or nothing for another metric.

    CloudFormation makes the name of a function from the name of the stack and the beginning of the logical id.
    """
    name = _dimension(metric, "FunctionName").removeprefix(f"{example.stack}-")
    ids = example.resources("AWS::Lambda::Function")
    if not name:
        return ""
    return max(ids, key=lambda each: len(commonprefix([name, each])), default=name)  # noqa: RUF071 - these are no paths


def _is_of_helper(metric: Mapping[str, Any], example: Example) -> bool:
    """Whether a metric is about a function that CDK has added. The code of an example's own function has its name."""
    function = example.resources("AWS::Lambda::Function").get(_function_of(metric, example), {})
    return bool(function) and not str(function["Properties"].get("Handler", "")).startswith(f"{example.stem}.")


def _dimension(metric: Mapping[str, Any], name: str) -> str:
    return next((str(each["Value"]) for each in metric["Dimensions"] if each["Name"] == name), "")


def _charts(
    client: Any, metrics: Sequence[tuple[str, Mapping[str, Any]]], examples: Mapping[str, Example]
) -> list[Chart]:
    if not metrics:
        return []
    end = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    start = end - timedelta(minutes=MINUTES)
    queries = [
        {
            "Id": f"m{index}",
            "MetricStat": {
                "Metric": {key: metric[key] for key in ("Namespace", "MetricName", "Dimensions")},
                "Period": 60,
                "Stat": STATISTICS.get(metric["MetricName"], "Sum"),
            },
        }
        for index, (_, metric) in enumerate(metrics)
    ]
    answer = client.get_metric_data(
        MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending", MaxDatapoints=10_000
    )
    results = {result["Id"]: result for result in answer["MetricDataResults"]}
    return [
        _chart(examples[stem], metric, results.get(f"m{index}", {}), start)
        for index, (stem, metric) in enumerate(metrics)
    ]


def _chart(example: Example, metric: Mapping[str, Any], result: Mapping[str, Any], start: datetime) -> Chart:
    values = {
        int((at - start).total_seconds() // 60): float(value)
        for at, value in zip(result.get("Timestamps", ()), result.get("Values", ()), strict=True)
    }
    highest = max((abs(value) for value in values.values()), default=0.0) or 1.0
    bars = [Bar(minute=at, value=value, height=abs(value) / highest) for at, value in sorted(values.items())]
    return Chart(
        example=example.stem,
        name=metric["MetricName"],
        part=_HASH.sub("", _function_of(metric, example)) or _dimension(metric, "url"),
        namespace=metric["Namespace"],
        about=", ".join(f"{each['Name']}: {each['Value']}" for each in metric["Dimensions"]),
        statistic=STATISTICS.get(metric["MetricName"], "Sum"),
        bars=[bar for bar in bars if 0 <= bar.minute < MINUTES],
    )
