"""The REST API in API Gateway: its stage, its routes from the OpenAPI document, and an API key with limits."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_kinesisfirehose as firehose

from stacks._bundling import LAMBDA_SRC
from stacks._nag import acknowledge
from stacks.api_access import Access
from stacks.api_access_logs import access_log_format

STAGE = "live"
KEY_RATE, KEY_BURST = 10, 10
"""Limits of one API key: requests a second on average, and requests at once. One person's program needs no more. A new
account can run only ten functions at once. With higher limits, a client could get a 500 instead of a 429."""
KEY_QUOTA = 10_000
"""Limit of one API key: requests a day. docs/api.md has the cost of a stolen key."""
STAGE_RATE, STAGE_BURST = 50, 100
"""Limits of one method, for all clients together: requests a second on average, and requests at once. They allow five
busy clients. A request takes 20 ms, so a single instance of the function can answer 50 requests a second."""
KEYLESS_RATE, KEYLESS_BURST = 0.2, 20
"""Limits of one method without an API key, for all clients together: requests a second on average, and requests at
once. A monitor can call /v1/health every five seconds, and browsers can send OPTIONS requests before their first call.
docs/api.md has the cost if strangers always use all four methods without a key up to the limit."""
OPENAPI: Mapping[str, Any] = json.loads((LAMBDA_SRC / "api" / "openapi.json").read_text(encoding="utf-8"))


def rest_api(stack: Stack, id_: str, access_logs: firehose.CfnDeliveryStream) -> apigateway.RestApi:
    """Return the API without routes. Its stage has limits, traces and the access log."""
    api = apigateway.RestApi(
        stack,
        id_,
        rest_api_name=stack.stack_name,  # CloudWatch stores the metrics by this name, so each stack needs another one
        description=OPENAPI["info"]["title"],
        endpoint_types=[apigateway.EndpointType.REGIONAL],  # EDGE would add a CDN, which has nothing to cache here
        cloud_watch_role=False,  # add_access_logs() explains why
        deploy_options=apigateway.StageOptions(
            stage_name=STAGE,
            throttling_rate_limit=STAGE_RATE,
            throttling_burst_limit=STAGE_BURST,
            method_options={
                method: apigateway.MethodDeploymentOptions(
                    throttling_rate_limit=KEYLESS_RATE,
                    throttling_burst_limit=KEYLESS_BURST,
                    metrics_enabled=metrics,
                )
                for method, metrics in _keyless_methods()
            },
            metrics_enabled=True,
            tracing_enabled=True,
            access_log_destination=apigateway.FirehoseLogDestination(access_logs),
            access_log_format=apigateway.AccessLogFormat.custom(access_log_format()),
        ),
    )
    api.node.try_remove_child("Endpoint")  # CDK adds this output, but the stack has an output of its own
    stage = api.deployment_stage
    acknowledge(
        api,
        "AwsSolutions-APIG2",
        "The methods with a request body validate it. The other methods have nothing to validate.",
    )
    acknowledge(
        stage,
        "AwsSolutions-APIG3",
        "A web application firewall costs at least $5 a month. docs/api.md says when to add it.",
    )
    acknowledge(
        stage,
        "AwsSolutions-APIG6",
        "Execution logs need a role in the account's settings. Traces contain the same facts.",
    )
    return api


def add_routes(api: apigateway.RestApi, accesses: Mapping[str, Access], allowed_origin: str) -> None:
    """Add every path and method of the OpenAPI document. The functions answer all other methods with 405.

    The keys of `accesses` are the names of the security schemes in the document.
    """
    integrations = {
        name: apigateway.LambdaIntegration(
            access.function,
            scope_permission_to_method=False,  # one permission for the API, not one for each method
            timeout=Duration.seconds(29),  # the maximum without a quota increase; the function's timeout is shorter
        )
        for name, access in accesses.items()
    }
    model = _add_model(api, "JsonObject")
    validator = api.add_request_validator("Body", validate_request_body=True)
    for path, item in OPENAPI["paths"].items():
        resource = api.root.resource_for_path(path)
        _add_preflight(resource, [*(method.upper() for method, _ in _operations(item)), "OPTIONS"], allowed_origin)
        for method, operation in _operations(item):
            scheme = _security_scheme(operation)
            content = operation.get("requestBody", {}).get("content", {})
            endpoint = resource.add_method(
                method.upper(),
                integrations[scheme or "ApiKey"],
                operation_name=operation["operationId"],
                request_models=dict.fromkeys(content, model),
                request_validator=validator if content else None,
                **(accesses[scheme].method_options if scheme else {}),
            )
            _acknowledge_all(endpoint, accesses[scheme or "ApiKey"])
        scheme = _scheme_of_path(item)
        endpoint = resource.add_method("ANY", integrations[scheme], **accesses[scheme].method_options)
        _acknowledge_all(endpoint, accesses[scheme])


def add_key(api: apigateway.RestApi) -> apigateway.ApiKey:
    """Return an API key. Its usage plan limits the rate and the requests a day."""
    plan = api.add_usage_plan(
        "UsagePlan",
        throttle=apigateway.ThrottleSettings(rate_limit=KEY_RATE, burst_limit=KEY_BURST),
        quota=apigateway.QuotaSettings(limit=KEY_QUOTA, period=apigateway.Period.DAY),
    )
    plan.add_api_stage(stage=api.deployment_stage)
    # api.add_api_key() would connect the key directly with the stage, as API Gateway did before it had usage plans.
    key = apigateway.ApiKey(Stack.of(api), "Key")
    plan.add_api_key(key)
    return key


def _add_preflight(resource: apigateway.IResource, methods: list[str], allowed_origin: str) -> None:
    preflight = resource.add_cors_preflight(
        allow_origins=[allowed_origin],
        allow_methods=methods,
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "X-Api-Key"],
        max_age=Duration.hours(2),  # browsers keep the answer for at most two hours
    )
    # API Gateway itself answers an OPTIONS request, with a "mock integration" that only supports JSON bodies. Browsers
    # send no body here. If a client sends a body of another type, API Gateway answers 415. Without this line, it would
    # answer 500.
    cast("apigateway.CfnMethod", preflight.node.default_child).add_property_override(
        "Integration.PassthroughBehavior", "NEVER"
    )


def _add_model(api: apigateway.RestApi, name: str) -> apigateway.IModel:
    # The function validates the members of the object, because API Gateway's error cannot name a wrong member:
    # docs/decisions.md, "Bodies are validated twice".
    stack = Stack.of(api)
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "object"}
    model = apigateway.CfnModel(
        stack, name, rest_api_id=api.rest_api_id, content_type="application/json", schema=schema
    )
    deployment = cast("apigateway.Deployment", api.latest_deployment)
    deployment.node.add_dependency(model)
    deployment.add_to_logical_id(schema)  # only a new deployment brings a changed schema to the stage
    return apigateway.Model.from_model_name(stack, f"{name}Model", model.ref)


def _keyless_methods() -> Iterator[tuple[str, bool]]:
    """Yield the path of each method that needs no API key, and whether API Gateway writes metrics for this method."""
    for path, item in OPENAPI["paths"].items():
        yield f"{path}/OPTIONS", False
        for name, operation in _operations(item):
            if operation.get("security") == []:
                yield f"{path}/{name.upper()}", True


def _security_scheme(operation: Mapping[str, Any]) -> str | None:
    """Return the name of the operation's security scheme, or None if everybody may call the operation."""
    return next((name for scheme in operation.get("security", OPENAPI["security"]) for name in scheme), None)


def _scheme_of_path(item: Mapping[str, Any]) -> str:
    """Return the security scheme for the methods that a path does not have."""
    return next((scheme for _, operation in _operations(item) if (scheme := _security_scheme(operation))), "ApiKey")


def _acknowledge_all(endpoint: apigateway.Method, access: Access) -> None:
    for rule, reason in access.acknowledged.items():
        acknowledge(endpoint, rule, reason)


def _operations(item: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((name, operation) for name, operation in item.items() if isinstance(operation, dict))
