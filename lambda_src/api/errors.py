"""The answers to requests that fail. Every exception becomes a problem document."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from botocore.exceptions import BotoCoreError, ClientError

from api import answers, contract
from api.problems import Problem
from api.request import Request

logger = Logger(child=True)
router = Router()  # type: ignore[no-untyped-call]


@router.exception_handler(NotFoundError)  # type: ignore[untyped-decorator]
def no_route(_error: NotFoundError) -> Response[str]:
    """Answer 405 when the path has other methods, and 404 when the path does not exist."""
    request = Request(router.current_event.raw_event)
    methods = contract.allowed_methods(request.path)
    # The router does not match an id with unusual characters. No note has such an id, so the answer is 404.
    if not methods or request.method in methods:
        return _answer(Problem(404, "There is no such resource."))
    allowed = ", ".join([*methods, "OPTIONS"])
    return _answer(Problem(405, f"This resource knows {allowed}.", headers={"Allow": allowed}))


@router.exception_handler(Problem)  # type: ignore[untyped-decorator]
def refused(error: Problem) -> Response[str]:
    """Answer a bad request. The client must correct it, so the log level is INFO."""
    logger.info("request refused", status=error.status, detail=str(error))
    return _answer(error)


@router.exception_handler([ClientError, BotoCoreError])  # type: ignore[untyped-decorator]
def aws_failed(error: ClientError | BotoCoreError) -> Response[str]:
    """Answer 503 when DynamoDB fails. The client may try again; an alarm counts the 5xx."""
    logger.error("AWS failed", exc_info=error)
    return _answer(Problem(503, "The notes cannot be reached now; try again.", headers={"Retry-After": "1"}))


@router.exception_handler(Exception)  # type: ignore[untyped-decorator]
def unexpected(error: Exception) -> Response[str]:
    """Answer 500 when the code has a bug. The log has the details under the request_id of the answer."""
    logger.error("unexpected error", exc_info=error)
    return _answer(Problem(500, "The service has a bug; it is in its log under the request_id."))


def _answer(error: Problem) -> Response[str]:
    return answers.problem_answer(error, Request(router.current_event.raw_event).id)
