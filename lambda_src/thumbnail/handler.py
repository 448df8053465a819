"""Settles each change that S3 reports: brings the changed picture to a final state (made, rejected or removed)."""

import os
from typing import Any

import botocore.session
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from thumbnail.events import parse_changes
from thumbnail.limits import Limits
from thumbnail.metrics import metrics, write_metrics, write_zeros
from thumbnail.settle import settle
from thumbnail.store import Store
from thumbnail.tracing import trace_handler
from thumbnail.uploads import Uploads

logger = Logger()

# Three tries (7 s each) take less time than the timeout of the function (30 s). So the log shows an error of AWS.
_aws = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
# boto3 would add the modules for uploads of large files and for resources, which need a tenth of the import time.
_session = botocore.session.get_session()
s3: Any = _session.create_client("s3", config=_aws)
dynamodb: Any = _session.create_client("dynamodb", config=_aws)
uploads, limits = Uploads(s3), Limits.from_environment(os.environ)
store = Store(s3, dynamodb, thumbnails=os.environ["THUMBNAILS_BUCKET"], table=os.environ["METADATA_TABLE"])


@logger.inject_lambda_context(clear_state=True)
@trace_handler
@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Settle every change in the event. The item of a bad picture says why it is rejected; Lambda does not retry it.

    If AWS fails, this function raises the error after it has tried all changes. Lambda then retries the event, and
    finally sends it to the dead-letter queue. Settling a change twice gives the same result as settling it once.
    """
    write_zeros()
    failures: list[Exception] = []
    for change in parse_changes(event):
        logger.append_keys(image_key=change.key, kind=change.kind, sequencer=change.sequencer)
        try:
            result = settle(change, uploads, store, limits)
            logger.info(result.outcome, item=result.item)
            write_metrics(result)
        except Exception as error:  # a failure of one change must not stop the other changes
            logger.exception("failed; Lambda will retry")
            failures.append(error)
    if failures:
        raise failures[0] if len(failures) == 1 else ExceptionGroup("not all changes were settled", failures)
