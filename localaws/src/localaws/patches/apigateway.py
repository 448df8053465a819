"""Patches of API Gateway, and of the engine's HTTP server."""

import json
from http import HTTPStatus
from typing import Any

import ministack.app
from ministack.core.iam_evaluator import AuthError
from ministack.services import apigateway_v1

from localaws.patches.cloudformation import call_after_provisioning

DENIED = "AccessDeniedException"


def treat_loopback_as_tls() -> None:
    """Treat every request as encrypted, although the engine uses plain HTTP.

    Many bucket policies deny a request if it is not encrypted (condition `aws:SecureTransport: false`).

    Stock engine: the policy denies every request, because no request is encrypted.
    AWS: clients use HTTPS, so the policy denies nothing. On 127.0.0.1, HTTP is as safe as HTTPS, because the requests
    do not leave this machine.
    Upstream issue: none known.
    """
    stock_pin = ministack.app.pin_request_origin
    ministack.app.pin_request_origin = lambda address, _secure: stock_pin(address, secure_transport=True)


def validate_request_bodies() -> None:
    """Validate the body of a request with the model (JSON schema) for its content type.

    Stock engine: CloudFormation ignores the request validators in a template, so bodies are not validated. If the API
    sets a validator, the engine uses the JSON model for every content type.
    AWS: validates a body only if the method has a validator and also a model for the content type of the request.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
    Upstream issue: none known.
    """
    call_after_provisioning("AWS::ApiGateway::RequestValidator", _store_validator)
    call_after_provisioning("AWS::ApiGateway::Method", _store_validator_of_method)
    stock_check = apigateway_v1._check_request_validation
    apigateway_v1._check_request_validation = lambda method, api, request, headers, *rest: stock_check(
        _keep_models_of_content_type(method, headers), api, request, headers, *rest
    )


def _keep_models_of_content_type(method: Any, headers: Any) -> Any:
    content_type = (apigateway_v1._header_ci(headers, "content-type") or "application/json").split(";")[0].strip()
    models = method.get("requestModels") or {}
    return {**method, "requestModels": {key: model for key, model in models.items() if key == content_type}}


def _store_validator(properties: Any, validator_id: str) -> None:
    apigateway_v1._request_validators.setdefault(properties["RestApiId"], {})[validator_id] = {
        "id": validator_id,
        "name": properties.get("Name", ""),
        "validateRequestBody": properties.get("ValidateRequestBody", False),
        "validateRequestParameters": properties.get("ValidateRequestParameters", False),
    }


def _store_validator_of_method(properties: Any, _method_id: str) -> None:
    resource = apigateway_v1._resources[properties["RestApiId"]][properties["ResourceId"]]
    method = resource["resourceMethods"][properties["HttpMethod"]]
    method["requestValidatorId"] = properties.get("RequestValidatorId")


def pass_api_key_to_functions() -> None:
    """Put the API key of a request and the id of the key into the event, if the method requires an API key.

    Stock engine: the event that the function receives contains neither the key nor its id.
    AWS: the event contains `requestContext.identity.apiKey` and `requestContext.identity.apiKeyId`. For a method that
    requires no API key, AWS ignores the key in the request, and the event contains neither of them.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
    Upstream issue: none known.
    """
    stock_build = apigateway_v1._build_lambda_event_v1

    def build_event_with_key(*arguments: Any, **options: Any) -> Any:
        event = stock_build(*arguments, **options)
        _, _, _, resource, _, http_method, *_ = arguments
        methods = resource["resourceMethods"]
        if (methods.get(http_method) or methods["ANY"]).get("apiKeyRequired"):
            key = apigateway_v1._resolve_api_key(apigateway_v1._api_key_from_request(event["headers"]))
            event["requestContext"]["identity"].update(apiKeyId=key["id"], apiKey=key["value"])
        return event

    apigateway_v1._build_lambda_event_v1 = build_event_with_key


def accept_only_id_tokens() -> None:
    """Let a Cognito authorizer accept only ID tokens if the method has no authorization scopes.

    Stock engine: the authorizer of such a method accepts every token of the pool, also access tokens.
    AWS: treats the token as an ID token. If the method has scopes, AWS treats it as an access token.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-enable-cognito-user-pool.html
    Upstream issue: none known.
    """
    stock_validate = apigateway_v1._validate_cognito_authorizer

    async def validate(authorizer: Any, method: Any, *request: Any) -> Any:
        claims, error = await stock_validate(authorizer, method, *request)
        expected = "access" if method.get("authorizationScopes") else "id"
        if error is None and claims.get("token_use") != expected:
            return None, apigateway_v1._gw_error("UNAUTHORIZED", "Unauthorized")
        return claims, error

    apigateway_v1._validate_cognito_authorizer = validate


def send_denials_as_gateway_responses() -> None:
    """Send the gateway response ACCESS_DENIED of the API if IAM does not allow a signed request.

    Stock engine: sends an error of its own, so the API cannot choose the body and the headers.
    AWS: sends the gateway response ACCESS_DENIED.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
    Upstream issue: none known.
    """
    apigateway_v1._AUTHENTICATION_GATEWAY_ERRORS[DENIED] = ("ACCESS_DENIED", DENIED)
    stock_enforce = ministack.app._enforce_execute_api

    def enforce(api_id: str, stage: str, *request: Any, **options: Any) -> Any:
        answer = stock_enforce(api_id, stage, *request, **options)
        if answer is None or answer[0] != HTTPStatus.FORBIDDEN:
            return answer
        error = json.loads(answer[2])
        if error.get("__type") != DENIED:
            return answer
        *_, headers, query = request
        denial = AuthError(DENIED, error["message"])
        return apigateway_v1.authentication_error_response(api_id, stage, denial, headers, query) or answer

    ministack.app._enforce_execute_api = enforce


def refuse_unmapped_paths() -> None:
    """Answer 403 for a path of a custom domain that no base path mapping contains.

    Stock engine: passes the request to S3. S3 answers as if the first part of the path was the name of a bucket.
    AWS: answers 403 with the message Forbidden.
    https://repost.aws/knowledge-center/api-gateway-troubleshoot-403-forbidden
    Upstream issue: none known.
    """
    stock_handle = ministack.app._handle_execute_api_request

    async def handle(host: str, *request: Any, **options: Any) -> Any:
        answer = await stock_handle(host, *request, **options)
        if answer is None and apigateway_v1.find_domain_scope(host.partition(":")[0]):
            headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "ForbiddenException"}
            return HTTPStatus.FORBIDDEN, headers, b'{"message":"Forbidden"}'
        return answer

    ministack.app._handle_execute_api_request = handle
