"""Checks every URL of a run at once, and stores one result for each."""

import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from cron.check import Result, check
from cron.events import MAX_URLS, run_of
from cron.store import Store

logger = Logger()
tracer = Tracer(patch_modules=["botocore"])

TIMEOUT_SECONDS = float(os.environ["TIMEOUT_SECONDS"])
ALLOW_PRIVATE = os.environ["ALLOW_PRIVATE"] == "true"
METRICS = os.environ["METRICS"].split(",")

# A check and then three tries of 5 s end before the function's time does, so that a slow AWS is an error in the log.
_aws = Config(
    connect_timeout=2,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=MAX_URLS,  # one for each thread
)
store = Store(
    boto3.client("dynamodb", config=_aws), table=os.environ["RESULTS_TABLE"], keep_days=int(os.environ["KEEP_DAYS"])
)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Check all URLs of the run, and tell how many were checked, how many results stored, and how many sites are down.

    What is wrong with a site is its result. What AWS failed at is raised after all URLs were tried, so that Lambda
    retries the run and at last dead-letters it: then all are checked again, and the results that are there stay.
    Raises ValueError for an event that names no run.
    """
    run = run_of(event)
    logger.append_keys(scheduled_at=run.scheduled_at)
    failures: list[Exception] = []
    results: list[Result] = []
    stored = 0
    with ThreadPoolExecutor(max_workers=len(run.urls)) as pool:
        settling = {pool.submit(settle, run.scheduled_at, url): url for url in run.urls}
        for settled in as_completed(settling):
            try:
                result, is_new = settled.result()
            except Exception as error:  # whatever it is, the run's other URLs come first
                logger.exception("failed; Lambda will retry", url=settling[settled])
                failures.append(error)
                continue
            logger.info("up" if result.up else "down", result=asdict(result), stored=is_new)
            results.append(result)
            if is_new:  # a second delivery is no second run
                stored += 1
                measure(result)
    if failures:
        raise failures[0] if len(failures) == 1 else ExceptionGroup("not all results were stored", failures)
    return {"checked": len(run.urls), "stored": stored, "down": sum(not result.up for result in results)}


def settle(scheduled_at: str, url: str) -> tuple[Result, bool]:
    """Check one URL and store the result; says whether it is the run's first. Raises botocore's errors."""
    result = check(url, timeout=TIMEOUT_SECONDS, allow_private=ALLOW_PRIVATE)
    return result, store.put(scheduled_at, result)


def measure(result: Result) -> None:
    """Write those metrics of one URL that are wanted and known."""
    known = {"Up": (MetricUnit.Count, int(result.up))}
    if result.up:  # how fast an error page comes, or how long was waited in vain, would spoil the average
        known["Milliseconds"] = (MetricUnit.Milliseconds, result.milliseconds)
    if result.certificate_days_left is not None:
        known["CertificateDaysLeft"] = (MetricUnit.Count, result.certificate_days_left)
    of_url = EphemeralMetrics()
    of_url.add_dimension("url", result.url)
    for name in METRICS:
        if name in known:
            of_url.add_metric(name, *known[name])
    of_url.flush_metrics()
