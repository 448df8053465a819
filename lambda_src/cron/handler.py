"""Checks every URL of a list at the same time, and stores one result for each. The schedule invokes it."""

import os
from dataclasses import asdict
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from cron.events import MAX_URLS, parse_run
from cron.metrics import write_metrics
from cron.settle import settle_all
from cron.store import Store

logger = Logger()
tracer = Tracer(patch_modules=["botocore"])
TIMEOUT_SECONDS = float(os.environ["TIMEOUT_SECONDS"])
ALLOW_PRIVATE = os.environ["ALLOW_PRIVATE"] == "true"
METRICS = os.environ["METRICS"].split(",")

# A check and then three tries of 5 s end before the function's time does, so a slow AWS is an error in the log.
_aws = Config(
    connect_timeout=2,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=MAX_URLS,  # one for each thread
)
_dynamodb = boto3.client("dynamodb", config=_aws)
store = Store(_dynamodb, table=os.environ["RESULTS_TABLE"], keep_days=int(os.environ["KEEP_DAYS"]))


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Check all URLs of a run. Return how many were checked, how many results are new, and how many sites are down.

    A site's fault is its result. When AWS fails, the error is raised after all URLs were tried. Lambda then retries the
    run (stored results stay), and finally sends it to the dead-letter queue. Raises ValueError if the event has no run.
    """
    run = parse_run(event)
    logger.append_keys(scheduled_at=run.scheduled_at)
    counts = {"checked": len(run.urls), "stored": 0, "down": 0}
    failures: list[Exception] = []
    for url, settled in settle_all(run, store, timeout=TIMEOUT_SECONDS, allow_private=ALLOW_PRIVATE):
        try:
            result, is_new = settled.result()
        except Exception as error:  # one failure must not stop the run's other URLs
            logger.exception("failed; Lambda will retry", url=url)
            failures.append(error)
            continue
        logger.info("up" if result.up else "down", result=asdict(result), stored=is_new)
        counts["down"] += not result.up
        if is_new:  # a run that is delivered twice is counted once
            counts["stored"] += 1
            write_metrics(result, METRICS)
    if failures:
        raise failures[0] if len(failures) == 1 else ExceptionGroup("not all results were stored", failures)
    return counts
