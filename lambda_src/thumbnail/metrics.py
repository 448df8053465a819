"""Writes the metrics of the outcomes."""

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from thumbnail.settle import Result

metrics = Metrics()


def write_zeros() -> None:
    """Write zero for both outcomes. Then a graph shows zero instead of a gap."""
    for outcome in ("Made", "Rejected"):
        metrics.add_metric(outcome, MetricUnit.Count, 0)


def write_metrics(result: Result) -> None:
    """Write the metrics of one change, if a picture was made or rejected."""
    if result.item:
        metrics.add_metric(result.outcome.capitalize(), MetricUnit.Count, 1)
        metrics.add_metric("Milliseconds", MetricUnit.Milliseconds, result.milliseconds)
        metrics.add_metric("Bytes", MetricUnit.Bytes, result.item["size_bytes"])
