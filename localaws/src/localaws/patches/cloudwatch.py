"""Mends of CloudWatch."""

from typing import Any

from ministack.services.cloudformation import provisioners


def take_alarms_on_expressions() -> None:
    """Take an alarm on a metric expression for one on the metric in it: the engine refuses expressions.

    What is filled in for missing data makes no difference here, since the engine looks no further back than it says.
    """
    record = provisioners._cw_metric_alarm_record
    provisioners._cw_metric_alarm_record = lambda name, properties: record(name, _on_its_metric(properties))


def _on_its_metric(alarm: Any) -> Any:
    metrics = [one["MetricStat"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
    if not metrics:
        return alarm
    plain = {name: value for name, value in alarm.items() if name != "Metrics"}
    return {**plain, **metrics[0]["Metric"], "Period": metrics[0]["Period"], "Statistic": metrics[0]["Stat"]}
