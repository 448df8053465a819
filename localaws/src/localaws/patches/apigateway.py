"""Mends of the engine's front door, and of API Gateway."""

from typing import Any

import ministack.app
from ministack.services import apigateway_v1
from ministack.services.cloudformation import provisioners

from localaws.patches.cloudformation import then


def treat_loopback_as_encrypted() -> None:
    """Let requests pass that a policy refuses unless `aws:SecureTransport`.

    The engine serves plain HTTP, on 127.0.0.1 alone: what the policy is about, the wire, is not there.
    """
    pin = ministack.app.pin_request_origin
    ministack.app.pin_request_origin = lambda address, _secure: pin(address, secure_transport=True)


def validate_request_bodies() -> None:
    """Keep the request validators that CloudFormation makes, and hold a body against the model of its type alone.

    The engine validates no body for stacks, and takes the model for application/json where there is none for a type.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
    """
    validators = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RequestValidator"]
    methods = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::Method"]
    for operation in ("create", "update"):
        validators[operation] = then(_keep_validator, validators[operation])
        methods[operation] = then(_keep_choice_of_validator, methods[operation])
    check = apigateway_v1._check_request_validation
    apigateway_v1._check_request_validation = lambda method, api, request, headers, *rest: check(
        _with_models_of(method, headers), api, request, headers, *rest
    )


def _with_models_of(method: Any, headers: Any) -> Any:
    sent = (apigateway_v1._header_ci(headers, "content-type") or "application/json").split(";")[0].strip()
    models = method.get("requestModels") or {}
    return {**method, "requestModels": {kind: model for kind, model in models.items() if kind == sent}}


def _keep_validator(properties: Any, validator_id: str) -> None:
    apigateway_v1._request_validators.setdefault(properties["RestApiId"], {})[validator_id] = {
        "id": validator_id,
        "name": properties.get("Name", ""),
        "validateRequestBody": properties.get("ValidateRequestBody", False),
        "validateRequestParameters": properties.get("ValidateRequestParameters", False),
    }


def _keep_choice_of_validator(properties: Any, _method_id: str) -> None:
    resource = apigateway_v1._resources[properties["RestApiId"]][properties["ResourceId"]]
    method = resource["resourceMethods"][properties["HttpMethod"]]
    method["requestValidatorId"] = properties.get("RequestValidatorId")


def tell_functions_the_api_key() -> None:
    """Say in a function's event which API key a request came with.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
    """
    build = apigateway_v1._build_lambda_event_v1

    def build_with_key(*arguments: Any, **options: Any) -> Any:
        event = build(*arguments, **options)
        key = apigateway_v1._resolve_api_key(apigateway_v1._api_key_from_request(event["headers"]))
        if key:
            event["requestContext"]["identity"].update(apiKeyId=key["id"], apiKey=key["value"])
        return event

    apigateway_v1._build_lambda_event_v1 = build_with_key
