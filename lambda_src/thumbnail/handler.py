"""Keeps thumbnails and metadata true to the uploads bucket: one S3 event in, one settled key out."""

import os
import time
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from thumbnail.events import Change, changes
from thumbnail.imaging import Rejected, Thumbnail
from thumbnail.limits import Limits
from thumbnail.store import LookAgainError, Removed, Store, Superseded, Upload

logger = Logger()
metrics = Metrics()
tracer = Tracer(patch_modules=["botocore"])

limits = Limits(
    max_edge=int(os.environ["MAX_EDGE"]),
    max_bytes=int(os.environ["MAX_BYTES"]),
    max_pixels=int(os.environ["MAX_PIXELS"]),
    max_decoding_bytes=int(os.environ["MAX_DECODING_BYTES"]),
)

# Three tries of 5 s end before the function's 30 s do, so that a slow AWS is an error in the log and not a time-out.
_aws = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
store = Store(
    boto3.client("s3", config=_aws),
    boto3.client("dynamodb", config=_aws),
    thumbnails=os.environ["THUMBNAILS_BUCKET"],
    table=os.environ["METADATA_TABLE"],
)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Settle every change of the event.

    What is wrong with a picture is recorded in its item. What AWS failed at is raised after all changes were tried, so
    that Lambda retries the event and at last dead-letters it; what had succeeded is settled again to the same end.
    """
    for outcome in ("Made", "Rejected"):
        metrics.add_metric(outcome, MetricUnit.Count, 0)  # a graph then reads zero where it would have a gap
    failures: list[Exception] = []
    for change in changes(event):
        logger.append_keys(image_key=change.key, kind=change.kind, sequencer=change.sequencer)
        try:
            settle(change)
        except Exception as error:  # whatever it is, the event's other changes come first
            logger.exception("failed; Lambda will retry")
            failures.append(error)
    if failures:
        raise failures[0] if len(failures) == 1 else ExceptionGroup("not all changes were settled", failures)


@tracer.capture_method(capture_response=False)
def settle(change: Change) -> None:
    """Bring thumbnail and item of one key up to its upload. Raises botocore's errors for what AWS failed at."""
    try:
        try:
            _settle(change)
        except LookAgainError:
            _settle(change)  # and should it change once more meanwhile, Lambda's retry looks again
    except Superseded:
        logger.info("superseded by a later event")


def _settle(change: Change) -> None:
    sequencer = store.sequencer(change)
    try:
        _keep(change, sequencer)
    except Removed:
        store.forget(change, sequencer)
        logger.info("removed")


def _keep(change: Change, sequencer: str) -> None:
    started = time.perf_counter()
    with store.upload(change) as upload:
        item, thumbnail = describe(change.key, upload)
    store.keep(change, sequencer, upload, item, thumbnail)
    logger.info(item["status"], item=item)
    metrics.add_metric("Made" if thumbnail else "Rejected", MetricUnit.Count, 1)
    metrics.add_metric("Milliseconds", MetricUnit.Milliseconds, (time.perf_counter() - started) * 1000)
    metrics.add_metric("Bytes", MetricUnit.Bytes, upload.size)


@tracer.capture_method(capture_response=False)
def describe(key: str, upload: Upload) -> tuple[dict[str, Any], Thumbnail | None]:
    """The metadata of an upload, and its thumbnail unless the picture is rejected (status and reason say so)."""
    item: dict[str, Any] = {
        "name": key.rstrip("/").rsplit("/", 1)[-1],
        "size_bytes": upload.size,
        "created_at": upload.created,
        "etag": upload.etag,
        "version_id": upload.version,
    }
    try:
        thumbnail = _thumbnail(key, upload)
    except Rejected as rejected:
        logger.debug("rejected", exc_info=rejected)
        return {**item, "status": "rejected", "reason": str(rejected)}, None
    made = {
        "status": "made",
        "format": thumbnail.source_format,
        "width": thumbnail.source_width,
        "height": thumbnail.source_height,
        "thumbnail_bytes": len(thumbnail.data),
        "thumbnail_width": thumbnail.width,
        "thumbnail_height": thumbnail.height,
    }
    return {**item, **made}, thumbnail


def _thumbnail(key: str, upload: Upload) -> Thumbnail:
    limits.check_size(key, upload.size)
    if upload.body is None:
        raise Rejected("The file is in an archive; its thumbnail is made when it is restored.")
    return limits.thumbnail(upload.body.read())
