"""Traces of events. Powertools' Tracer uses the X-Ray SDK, which this module loads only for a sampled event.

X-Ray samples one event each second, and 5 % of the others. All other events do not need the SDK:
docs/decisions.md, "The X-Ray SDK is loaded for sampled requests only".
"""

import os
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

from aws_lambda_powertools import Tracer
from aws_lambda_powertools.tracing import tracer as powertools_tracer

P = ParamSpec("P")
R = TypeVar("R")


def trace_handler(handler: Callable[P, R]) -> Callable[P, R]:
    """Return a handler that writes a trace of each sampled event: errors, a cold start, and all calls to AWS."""
    traced = cache(lambda: _tracer().capture_lambda_handler(handler, capture_response=False))

    @wraps(handler)
    def run(*args: P.args, **kwargs: P.kwargs) -> Any:
        if _is_sampled():
            return traced()(*args, **kwargs)
        # Otherwise the first sampled event would count as a cold start, even if it is a later event.
        powertools_tracer.is_cold_start = False
        return handler(*args, **kwargs)

    return run


def trace_function(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that has a part of its own in the trace of a sampled event."""
    traced = cache(lambda: _tracer().capture_method(capture_response=False)(function))

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> Any:
        return (traced() if _is_sampled() else function)(*args, **kwargs)

    return run


@cache
def _tracer() -> Tracer:
    # The constructor loads the SDK. The SDK then changes the class of all clients, also of the existing ones.
    return Tracer(patch_modules=["botocore"])


def _is_sampled() -> bool:
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    return "Sampled=1" in os.environ.get("_X_AMZN_TRACE_ID", "")
