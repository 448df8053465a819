"""Patches of API Gateway, and of the engine's HTTP server."""

from typing import Any

import ministack.app
from ministack.services import apigateway_v1

from localaws.patches.cloudformation import call_after_provisioning


def treat_loopback_as_tls() -> None:
    """Let a request pass as encrypted, although the engine serves plain HTTP.

    Stock engine: a bucket policy with `aws:SecureTransport: false` in a Deny statement refuses every request.
    AWS: serves HTTPS, so the condition is true only for unencrypted requests. The engine listens on 127.0.0.1 alone,
    and nobody can listen in there.
    Upstream issue: none known.
    """
    pin = ministack.app.pin_request_origin
    ministack.app.pin_request_origin = lambda address, _secure: pin(address, secure_transport=True)


def validate_request_bodies() -> None:
    """Validate a request's body against the model of its content type.

    Stock engine: ignores the request validators of a template. With one, it applies the JSON model to any content type.
    AWS: validates a body only if the method has a validator and a model for the content type.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
    Upstream issue: none known.
    """
    call_after_provisioning("AWS::ApiGateway::RequestValidator", _store_validator)
    call_after_provisioning("AWS::ApiGateway::Method", _store_validator_of_method)
    check = apigateway_v1._check_request_validation
    apigateway_v1._check_request_validation = lambda method, api, request, headers, *rest: check(
        _keep_models_of_content_type(method, headers), api, request, headers, *rest
    )


def _keep_models_of_content_type(method: Any, headers: Any) -> Any:
    sent = (apigateway_v1._header_ci(headers, "content-type") or "application/json").split(";")[0].strip()
    models = method.get("requestModels") or {}
    return {**method, "requestModels": {kind: model for kind, model in models.items() if kind == sent}}


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
    """Put the API key of a request, and its id, into the function's event.

    Stock engine: leaves both out.
    AWS: sets `requestContext.identity.apiKey` and `apiKeyId`.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
    Upstream issue: none known.
    """
    build = apigateway_v1._build_lambda_event_v1

    def build_with_key(*arguments: Any, **options: Any) -> Any:
        event = build(*arguments, **options)
        key = apigateway_v1._resolve_api_key(apigateway_v1._api_key_from_request(event["headers"]))
        if key:
            event["requestContext"]["identity"].update(apiKeyId=key["id"], apiKey=key["value"])
        return event

    apigateway_v1._build_lambda_event_v1 = build_with_key
