"""Errors that API Gateway sends itself. They are RFC 9457 problems, like the errors that the function sends."""

from dataclasses import dataclass

from aws_cdk import aws_apigateway as apigateway


@dataclass(frozen=True, slots=True)
class GatewayError:
    """An error response that API Gateway sends itself, without calling the function.

    AWS lists all types of these responses:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
    """

    response: apigateway.ResponseType
    status: int | None
    """HTTP status. With None, the response keeps the status that API Gateway chooses."""
    title: str
    detail: str
    retry_after: int | None = None
    """The client may try again after this number of seconds."""


_TYPE = apigateway.ResponseType
GATEWAY_ERRORS = (
    # By default, API Gateway answers 403 for a path that does not exist. Users would then suspect their API key.
    # It sends the same error for a request without a signature to a route that needs one. So strangers cannot find out
    # which of these routes exist.
    GatewayError(_TYPE.MISSING_AUTHENTICATION_TOKEN, 404, "Not Found", "There is no such resource."),
    GatewayError(_TYPE.RESOURCE_NOT_FOUND, 404, "Not Found", "There is no such resource."),
    GatewayError(_TYPE.INVALID_API_KEY, 403, "Forbidden", "Send a valid API key in the header X-Api-Key."),
    GatewayError(
        _TYPE.UNAUTHORIZED, 401, "Unauthorized", "Sign in, and send the ID token in the header Authorization."
    ),
    # The next three errors are the answers to signed requests.
    GatewayError(_TYPE.ACCESS_DENIED, 403, "Forbidden", "IAM does not allow this request."),
    GatewayError(_TYPE.INVALID_SIGNATURE, 403, "Forbidden", "The signature of the request is not valid."),
    GatewayError(_TYPE.EXPIRED_TOKEN, 403, "Forbidden", "The signature of the request has expired."),
    GatewayError(_TYPE.WAF_FILTERED, 403, "Forbidden", "The firewall refuses this request."),
    GatewayError(_TYPE.THROTTLED, 429, "Too Many Requests", "Over the rate; slow down.", 1),
    GatewayError(_TYPE.QUOTA_EXCEEDED, 429, "Too Many Requests", "Today's quota of this API key is used up.", 3600),
    GatewayError(_TYPE.BAD_REQUEST_PARAMETERS, 400, "Bad Request", "A parameter or header cannot be understood."),
    GatewayError(_TYPE.BAD_REQUEST_BODY, 422, "Unprocessable Content", "The body is not a JSON object."),
    GatewayError(_TYPE.REQUEST_TOO_LARGE, 413, "Content Too Large", "The body is larger than any note can be."),
    GatewayError(_TYPE.UNSUPPORTED_MEDIA_TYPE, 415, "Unsupported Media Type", "This method takes no such body."),
    GatewayError(_TYPE.INTEGRATION_TIMEOUT, 504, "Gateway Timeout", "The service did not answer in time.", 1),
    GatewayError(_TYPE.INTEGRATION_FAILURE, 503, "Service Unavailable", "The service could not be reached.", 1),
    GatewayError(_TYPE.DEFAULT_4_XX, None, "Client Error", "The request cannot be carried out."),
    # This happens, for example, if the account already runs its maximum number of functions.
    GatewayError(_TYPE.DEFAULT_5_XX, None, "Server Error", "The service failed; nothing is wrong with the request."),
)


def add_problems(api: apigateway.RestApi, allowed_origin: str) -> None:
    """Give the errors of API Gateway the form and the headers of the function's problems."""
    headers = {
        "Content-Type": "'application/problem+json'",
        "Access-Control-Allow-Origin": f"'{allowed_origin}'",  # without it, a web page cannot read the error
        "Access-Control-Expose-Headers": "'Retry-After'",
    }
    for error in GATEWAY_ERRORS:
        retry_header = {"Retry-After": f"'{error.retry_after}'"} if error.retry_after else {}
        challenge = {"WWW-Authenticate": "'Bearer'"} if error.status == 401 else {}  # noqa: PLR2004 - RFC 9110, 11.6.1
        api.add_gateway_response(
            error.response.response_type.title().replace("_", ""),
            type=error.response,
            status_code=str(error.status) if error.status else None,
            response_headers={**headers, **retry_header, **challenge},
            templates={"application/json": _template(error)},
        )


def _template(error: GatewayError) -> str:
    # The template does not contain API Gateway's own message. The message may repeat quotes that the client has sent,
    # and a template cannot escape quotes.
    status = f'"status":{error.status},' if error.status else ""
    return (
        f'{{"type":"about:blank","title":"{error.title}",{status}"detail":"{error.detail}",'
        '"request_id":"$context.requestId"}'
    )
