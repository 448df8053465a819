"""The errors of a failing AWS, and the repetition of requests that may succeed later."""

import threading
import traceback

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own class: the request could not reach AWS
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.parsers import ResponseParserError
from tenacity import (
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_delay,
    stop_when_event_set,
    wait_random_exponential,
)
from urllib3.exceptions import HTTPError

REPEAT_SECONDS = 180
"""A child repeats a request for this time, because botocore's own repetition is not enough. botocore does not repeat a
request whose body breaks off. It also stops repeating requests if more than about 30 % of them fail:
https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""
MAX_PAUSE_SECONDS = 20
"""Maximum pause between two attempts. It is the same as botocore's."""
SERVER_ERROR = 500
"""HTTP statuses from this number are errors of the server, and S3's "slow down" is one of them."""

_TEMPORARY_CODES = {"RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete", "TooManyRequestsException"}
"""Errors with a status 4xx that botocore repeats, too. S3 calls an upload that stops in the middle RequestTimeout."""

AWS_ERRORS = (BotoCoreError, ClientError, HTTPError, ResponseParserError)
"""The errors of a request if AWS fails or refuses it. Two of them are not from botocore.exceptions. If the body of an
error answer breaks off, the error is urllib3's. If an answer cannot be parsed, the error is the parser's."""
_TEMPORARY_ERRORS = (
    ConnectionError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    HTTPError,
    IncompleteReadError,
    ResponseParserError,
)


def is_temporary(error: BaseException) -> bool:
    """Whether the same request may succeed later. AWS would refuse most requests with a status 4xx again."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response["Error"]["Code"] in _TEMPORARY_CODES or bool(status >= SERVER_ERROR)
    return isinstance(error, _TEMPORARY_ERRORS)


def repetition(stopping: threading.Event) -> Retrying:
    """Return a function that calls its first argument with the other arguments, and repeats a call that fails.

    It repeats a call only after a temporary error, for about REPEAT_SECONDS, and not if the job has to stop. Then it
    raises the error of the last call. Several threads may use it at the same time.
    """
    return Retrying(
        retry=retry_if_exception(is_temporary),
        wait=wait_random_exponential(max=MAX_PAUSE_SECONDS),
        stop=stop_after_delay(REPEAT_SECONDS) | stop_when_event_set(stopping),
        sleep=sleep_using_event(stopping),
        reraise=True,
    )


def describe(error: Exception) -> dict[str, str]:
    """Return the reason of a failure for a line of JSON. If AWS did not cause the error, the traceback is added."""
    if isinstance(error, AWS_ERRORS):
        return {"reason": str(error) or repr(error)}
    return {"reason": f"unexpected error: {error!r}", "traceback": "".join(traceback.format_exception(error))}
