"""Patches of CloudWatch."""

from typing import Any

from ministack.services.cloudformation import provisioners


def accept_metric_math_alarms() -> None:
    """Treat an alarm on a metric math expression as an alarm on the first metric in the expression.

    Stock engine: rejects the alarm ("metric math is not supported"), so the stack fails.
    AWS: evaluates the expression. FILL(metric, value) makes no difference here, because the engine never looks back
    further than the evaluation periods.
    Upstream issue: a deliberate limit, https://github.com/ministackorg/ministack/pull/265
    """
    alarm_record = provisioners._cw_metric_alarm_record
    provisioners._cw_metric_alarm_record = lambda name, properties: alarm_record(name, _single_metric_alarm(properties))


def _single_metric_alarm(properties: Any) -> Any:
    metrics = [query["MetricStat"] for query in properties.get("Metrics", []) if "MetricStat" in query]
    if not metrics:
        return properties
    plain = {name: value for name, value in properties.items() if name != "Metrics"}
    return {**plain, **metrics[0]["Metric"], "Period": metrics[0]["Period"], "Statistic": metrics[0]["Stat"]}
