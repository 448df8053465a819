"""Checks all URLs of a run at the same time, and stores one result for each URL. A schedule invokes this function."""

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

# A check and three tries of 5 s end before the function's timeout. So the log shows an error of AWS, not a timeout.
_aws = Config(
    connect_timeout=2,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=MAX_URLS,  # one connection for each thread
)
_dynamodb = boto3.client("dynamodb", config=_aws)
store = Store(_dynamodb, table=os.environ["RESULTS_TABLE"], keep_days=int(os.environ["KEEP_DAYS"]))


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Check all URLs of a run. Return the numbers of checked URLs, of newly stored results and of sites that are down.

    If a site fails, its result says so. If AWS fails, the error is raised after all URLs were tried. Lambda retries the
    run (stored results stay), and finally sends it to the dead-letter queue. An invalid event raises ValueError.
    """
    run = parse_run(event)
    logger.append_keys(scheduled_at=run.scheduled_at)
    counts = {"checked": len(run.urls), "stored": 0, "down": 0}
    failures: list[Exception] = []
    for url, future in settle_all(run, store, timeout=TIMEOUT_SECONDS, allow_private=ALLOW_PRIVATE):
        try:
            result, is_new = future.result()
        except Exception as error:  # a failure with one URL must not affect the other URLs
            logger.exception("failed; Lambda will retry", url=url)
            failures.append(error)
            continue
        logger.info("up" if result.up else "down", result=asdict(result), stored=is_new)
        counts["down"] += not result.up
        if is_new:  # if a run is delivered twice, its metrics are written once
            counts["stored"] += 1
            write_metrics(result, METRICS)
    if failures:
        raise failures[0] if len(failures) == 1 else ExceptionGroup("not all results were stored", failures)
    return counts
