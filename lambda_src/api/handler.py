"""The entry point of the notes API: API Gateway sends the requests of both versions to this handler.

Each version has a Lambda function of its own, with the same code, another role and another table. openapi.json names
the operation for the request's path and method. The functions of the operations are in routes.py. errors.py turns
every exception into a problem document, so that a client's mistake never causes a 5xx status.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from api import answers, errors, routes
from api.answers import Answer
from api.request import Request, path_without_base
from api.tracing import trace_if_sampled
from api.versions import deprecation_headers

logger = Logger()


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
@trace_if_sampled
def handler(event: dict[str, Any], _context: LambdaContext) -> Answer:
    """Return the answer to one request of API Gateway (Lambda proxy integration, payload version 1.0)."""
    request = Request({**event, "path": path_without_base(event)})
    try:
        answer = routes.answer(request)
    except Exception as error:  # noqa: BLE001 - the client gets a problem document for every error
        answer = errors.answer(error, request)
    return answers.with_headers(answer, deprecation_headers(request.path))
