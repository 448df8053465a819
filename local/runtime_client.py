"""Runs a function's handler: asks for the next event, calls the handler with it, and sends the result, again and again.

On a machine without a container tool, this program runs in place of the image of the function_image example. The image
runs awslambdaric instead, AWS's runtime interface client. That package works only on Linux.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

    AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001 python -m local.runtime_client thumbnail.handler.handler
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from http.client import HTTPConnection
from importlib import import_module
from types import SimpleNamespace
from typing import Any

Handler = Callable[[Any, Any], Any]


def main(handler_name: str) -> None:
    """Import the handler, and process events until the runtime API ends."""
    try:
        module, _, name = handler_name.rpartition(".")
        handler: Handler = getattr(import_module(module), name)
    except Exception as error:  # noqa: BLE001 - Lambda receives every error of the function's code
        _post("init/error", _description(error))
        sys.exit(1)
    while True:
        _process_next_event(handler)


def _process_next_event(handler: Handler) -> None:
    headers, body = _request("GET", "invocation/next")
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id") or ""
    try:
        result = json.dumps(handler(json.loads(body), _context(headers)))
    except Exception as error:  # noqa: BLE001 - Lambda receives every error of the function's code
        _post(f"invocation/{request_id}/error", _description(error))
    else:
        _request("POST", f"invocation/{request_id}/response", result)


def _context(headers: Any) -> SimpleNamespace:
    return SimpleNamespace(
        aws_request_id=headers["Lambda-Runtime-Aws-Request-Id"],
        invoked_function_arn=headers["Lambda-Runtime-Invoked-Function-Arn"],
        function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        memory_limit_in_mb=int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]),
    )


def _description(error: Exception) -> dict[str, Any]:
    traceback.print_exception(error)
    return {"errorMessage": str(error), "errorType": type(error).__name__}


def _post(path: str, content: dict[str, Any]) -> None:
    _request("POST", path, json.dumps(content))


def _request(method: str, path: str, body: str | None = None) -> tuple[Any, bytes]:
    connection = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])  # without a time limit: the next event may be far
    try:
        connection.request(method, f"/2018-06-01/runtime/{path}", body)
        answer = connection.getresponse()
        if answer.status >= 400:  # noqa: PLR2004 - the first status of an error
            sys.exit(1)
        return answer.headers, answer.read()
    finally:
        connection.close()


if __name__ == "__main__":
    main(sys.argv[1])
