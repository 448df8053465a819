"""The patch of CloudWatch."""

import re
from typing import Any

from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

_FILL = re.compile(r"\s*FILL\(\s*(?P<metric>\w+)\s*,\s*(?P<value>-?\d+(?:\.\d+)?)\s*\)\s*")
"""The only expression that the patched engine evaluates. The value must be a number, so REPEAT and LINEAR are none."""
FILL_VALUE = "_fill_value"
"""The key of ministack's record of an alarm for the value that replaces missing values."""


def accept_metric_math_alarms() -> None:
    """Accept an alarm on a metric math expression, and evaluate the expression FILL(metric, number).

    Stock engine: rejects the alarm ("metric math is not supported"), so the stack fails.
    AWS: evaluates the expression. In FILL(metric, number), the number replaces each missing value. The patched engine
    does not evaluate other expressions: it treats the alarm as an alarm on its first metric, and logs a warning.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    Upstream issue: ministack excludes expressions on purpose, https://github.com/ministackorg/ministack/pull/265
    """
    stock_record = provisioners._cw_metric_alarm_record

    def record(name: str, properties: Any) -> Any:
        single_metric_properties, fill_value = _single_metric_alarm(name, properties)
        alarm = stock_record(name, single_metric_properties)
        return alarm if fill_value is None else {**alarm, FILL_VALUE: fill_value}

    provisioners._cw_metric_alarm_record = record


def _single_metric_alarm(name: str, properties: Any) -> tuple[Any, float | None]:
    # Return the properties of an alarm on one metric, and the value that replaces missing values.
    queries = properties.get("Metrics", [])
    metrics = {query.get("Id"): query["MetricStat"] for query in queries if "MetricStat" in query}
    if not metrics:
        return properties, None
    metric, fill_value = next(iter(metrics.values())), None
    expressions = [query["Expression"] for query in queries if "Expression" in query]
    fill = _FILL.fullmatch(expressions[0]) if len(expressions) == 1 else None
    if fill and fill["metric"] in metrics:
        metric, fill_value = metrics[fill["metric"]], float(fill["value"])
    elif expressions:
        text = "the local AWS cannot evaluate the expression of the alarm %s, so it uses only the metric %s: %s"
        cloudwatch.logger.warning(text, name, metric["Metric"]["MetricName"], "; ".join(expressions))
    other_properties = {key: value for key, value in properties.items() if key != "Metrics"}
    statistic = {"Period": metric["Period"], "Statistic": metric["Stat"]}
    return {**other_properties, **metric["Metric"], **statistic}, fill_value
