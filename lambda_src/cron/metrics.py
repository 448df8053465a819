"""Writes the metrics of one URL."""

from collections.abc import Collection

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from cron.check import Result


def write_metrics(result: Result, names: Collection[str]) -> None:
    """Write the metrics with these names, with the URL as a dimension. A metric without a value is omitted."""
    values = {"Up": (MetricUnit.Count, int(result.up))}
    if result.up:  # the duration of a failed check would distort the average
        values["Milliseconds"] = (MetricUnit.Milliseconds, result.milliseconds)
    if result.certificate_days_left is not None:
        values["CertificateDaysLeft"] = (MetricUnit.Count, result.certificate_days_left)
    metrics = EphemeralMetrics()
    metrics.add_dimension("url", result.url)
    for name in names:
        if name in values:
            metrics.add_metric(name, *values[name])
    metrics.flush_metrics()
