"""Traces of requests. Powertools' Tracer uses the X-Ray SDK, which this module loads only for a sampled request.

X-Ray samples one request each second, and 5 % of the others. All other requests, also the first one after a cold
start, do not need the SDK: docs/decisions.md, "The X-Ray SDK is loaded for sampled requests only".
"""

import os
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from aws_lambda_powertools import Tracer
from aws_lambda_powertools.tracing import tracer as powertools_tracer

Handler = Callable[[dict[str, Any], Any], Any]


def trace_if_sampled(handler: Handler) -> Handler:
    """Return a handler that writes a trace of each sampled request: errors, a cold start, and all calls to AWS.

    Lambda says in an environment variable whether a request is sampled.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """

    @cache
    def traced() -> Handler:
        # The constructor loads the SDK. The SDK then changes the class of all clients, also of the existing ones.
        return Tracer(patch_modules=["botocore"]).capture_lambda_handler(handler, capture_response=False)

    @wraps(handler)
    def run(event: dict[str, Any], context: Any) -> Any:
        if "Sampled=1" in os.environ.get("_X_AMZN_TRACE_ID", ""):
            return traced()(event, context)
        # Otherwise the first sampled request would count as a cold start, even if it is a later request.
        powertools_tracer.is_cold_start = False
        return handler(event, context)

    return run
