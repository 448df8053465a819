"""The patch of CloudWatch."""

from typing import Any

from ministack.services.cloudformation import provisioners


def accept_metric_math_alarms() -> None:
    """Treat an alarm on a metric math expression as an alarm on the first metric of the alarm.

    Stock engine: rejects the alarm ("metric math is not supported"), so the stack fails.
    AWS: evaluates the expression. The patched engine ignores the expression. For FILL(metric, value), the result is the
    same: if newer values are missing, an alarm on AWS also reads values that are older than its evaluation periods, and
    FILL prevents this. The engine never reads such old values.
    Upstream issue: ministack excludes expressions on purpose, https://github.com/ministackorg/ministack/pull/265
    """
    stock_record = provisioners._cw_metric_alarm_record
    provisioners._cw_metric_alarm_record = lambda name, properties: stock_record(name, _single_metric_alarm(properties))


def _single_metric_alarm(properties: Any) -> Any:
    metrics = [query["MetricStat"] for query in properties.get("Metrics", []) if "MetricStat" in query]
    if not metrics:
        return properties
    other_properties = {name: value for name, value in properties.items() if name != "Metrics"}
    return {**other_properties, **metrics[0]["Metric"], "Period": metrics[0]["Period"], "Statistic": metrics[0]["Stat"]}
