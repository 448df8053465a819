"""The answers to requests that fail: this module turns every exception into a problem document (RFC 9457)."""

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from api import answers
from api.answers import Answer
from api.problems import Problem
from api.request import Request

logger = Logger(child=True)


def answer(error: Exception, request: Request) -> Answer:
    """Return the answer to a request that raised this error. The log has the reason, with the id of the request."""
    return answers.problem_answer(_problem(error), request.id)


def _problem(error: Exception) -> Problem:
    match error:
        case Problem():  # the API refuses the request, but the service itself works, so the log level is INFO
            logger.info("request refused", status=error.status, detail=str(error))
            return error
        case ClientError() | BotoCoreError():  # DynamoDB fails. An alarm counts the answers with a 5xx status.
            logger.error("AWS failed", exc_info=error)
            return Problem(503, "The notes cannot be reached now. Try again later.", headers={"Retry-After": "1"})
        case _:
            logger.error("unexpected error", exc_info=error)
            return Problem(500, "The service has a bug. Its log has the reason under this request_id.")
