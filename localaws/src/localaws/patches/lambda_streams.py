"""Patches of functions that a DynamoDB stream invokes."""

import threading
from typing import Any

from ministack.services import lambda_svc


class _Polling(threading.local):
    active = False


_polling = _Polling()
"""Whether the present thread reads streams of DynamoDB."""


def retry_failed_records() -> None:
    """Invoke a function again if its answer says that records of the stream have failed.

    Stock engine: ignores the answer, so the failed records are lost.
    AWS: with ReportBatchItemFailures, invokes the function again from the first failed record on.
    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    With this patch, the engine invokes the function again with all records of the batch.
    Upstream issue: none known.
    """
    stock_poll, stock_execute = lambda_svc._poll_dynamodb_streams, lambda_svc._execute_function

    def poll() -> Any:
        _polling.active = True
        try:
            return stock_poll()
        finally:
            _polling.active = False

    def execute(function: Any, event: Any, *arguments: Any, **options: Any) -> Any:
        result = stock_execute(function, event, *arguments, **options)
        body = result.get("body")
        if _polling.active and isinstance(body, dict) and body.get("batchItemFailures") and _reports_failures(event):
            return {**result, "error": True, "body": {"errorType": "BatchItemFailures", "errorMessage": str(body)}}
        return result

    lambda_svc._poll_dynamodb_streams, lambda_svc._execute_function = poll, execute


def _reports_failures(event: Any) -> bool:
    stream = event["Records"][0]["eventSourceARN"]
    return any(
        "ReportBatchItemFailures" in mapping["FunctionResponseTypes"]
        for _, _, mapping in lambda_svc._iter_all_esms()
        if mapping.get("EventSourceArn") == stream
    )
