"""Writes metrics about one URL."""

from collections.abc import Collection

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from cron.check import Result


def write_metrics(result: Result, wanted: Collection[str]) -> None:
    """Write those metrics of a result that are wanted and known, with the URL as a dimension."""
    known = {"Up": (MetricUnit.Count, int(result.up))}
    if result.up:  # the time of an error page, or of waiting in vain, would distort the average
        known["Milliseconds"] = (MetricUnit.Milliseconds, result.milliseconds)
    if result.certificate_days_left is not None:
        known["CertificateDaysLeft"] = (MetricUnit.Count, result.certificate_days_left)
    metrics = EphemeralMetrics()
    metrics.add_dimension("url", result.url)
    for name in wanted:
        if name in known:
            metrics.add_metric(name, *known[name])
    metrics.flush_metrics()
