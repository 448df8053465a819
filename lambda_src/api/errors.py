"""The answers to requests that fail: the functions below turn every exception into a problem document (RFC 9457)."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from botocore.exceptions import BotoCoreError, ClientError

from api import answers, openapi
from api.problems import Problem
from api.request import Request

logger = Logger(child=True)
router = Router()  # type: ignore[no-untyped-call]


@router.exception_handler(NotFoundError)  # type: ignore[untyped-decorator]
def answer_unknown_route(_error: NotFoundError) -> Response[str]:
    """Answer 405 if the path exists but does not have this method, and 404 if the path does not exist."""
    request = Request(router.current_event.raw_event)
    methods = openapi.allowed_methods(request.path)
    # The router does not find a path whose note id has unusual characters. No note has such an id: 404 is right.
    if not methods or request.method in methods:
        return _answer(Problem(404, "There is no such resource."))
    allowed = ", ".join([*methods, "OPTIONS"])
    return _answer(Problem(405, f"This resource knows {allowed}.", headers={"Allow": allowed}))


@router.exception_handler(Problem)  # type: ignore[untyped-decorator]
def answer_problem(problem: Problem) -> Response[str]:
    """Answer a request that the API refuses. The service itself works correctly, so the log level is INFO."""
    logger.info("request refused", status=problem.status, detail=str(problem))
    return _answer(problem)


@router.exception_handler([ClientError, BotoCoreError])  # type: ignore[untyped-decorator]
def answer_aws_failure(error: ClientError | BotoCoreError) -> Response[str]:
    """Answer 503 if DynamoDB fails. The client may try again. An alarm counts the answers with a 5xx status."""
    logger.error("AWS failed", exc_info=error)
    return _answer(Problem(503, "The notes cannot be reached now; try again.", headers={"Retry-After": "1"}))


@router.exception_handler(Exception)  # type: ignore[untyped-decorator]
def answer_bug(error: Exception) -> Response[str]:
    """Answer 500 for any other exception: the code has a bug. The log has the traceback, and the request_id."""
    logger.error("unexpected error", exc_info=error)
    return _answer(Problem(500, "The service has a bug; it is in its log under the request_id."))


def _answer(problem: Problem) -> Response[str]:
    return answers.problem_answer(problem, Request(router.current_event.raw_event).id)
