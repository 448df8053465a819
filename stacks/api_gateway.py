"""The REST API in API Gateway: its stage, its routes after the OpenAPI document, and the API key with its limits."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_lambda as lambda_

from stacks._bundling import LAMBDA_SRC
from stacks._nag import acknowledge
from stacks.api_access_logs import access_log_format

STAGE = "live"
KEY_RATE, KEY_BURST = 10, 10
"""Requests a second of one API key, on average and at once. This is one person's program. A new account runs ten
functions at once, so one more request would get a 500 or 503 instead of a 429."""
KEY_QUOTA = 10_000
"""Requests a day of one API key. docs/api.md has the cost of a stolen key."""
STAGE_RATE, STAGE_BURST = 50, 100
"""Requests a second of all keys together, for each method: five busy clients. At 20 ms each they use one function."""
KEYLESS_RATE, KEYLESS_BURST = 0.2, 20
"""Requests a second of everybody, for each method that needs no key. This serves a monitor that asks every five
seconds, and a page that asks before its first request. docs/api.md has the cost of a stranger who uses all four."""
OPENAPI: Mapping[str, Any] = json.loads((LAMBDA_SRC / "api" / "openapi.json").read_text(encoding="utf-8"))


def rest_api(stack: Stack, id_: str, access_logs: firehose.CfnDeliveryStream) -> apigateway.RestApi:
    """Return the API, without routes, and its stage with rates, traces and the access log."""
    api = apigateway.RestApi(
        stack,
        id_,
        rest_api_name=stack.stack_name,  # the metrics have this name, so two deployments must not share it
        description=OPENAPI["info"]["title"],
        endpoint_types=[apigateway.EndpointType.REGIONAL],  # EDGE adds a CDN, which would cache nothing here
        cloud_watch_role=False,  # see add_access_logs
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
    api.node.try_remove_child("Endpoint")  # CDK adds an output, with a name of its own
    stage = api.deployment_stage
    acknowledge(
        api, "AwsSolutions-APIG2", "The methods that take a body validate it. The others have nothing to validate."
    )
    acknowledge(stage, "AwsSolutions-APIG3", "A WAF costs at least $5 a month. docs/api.md says when it is worth it.")
    acknowledge(
        stage, "AwsSolutions-APIG6", "Execution logs need a role in the account's settings. Traces show the same."
    )
    return api


def add_routes(api: apigateway.RestApi, function: lambda_.Function, allowed_origin: str) -> None:
    """Add every path and method of the OpenAPI document. The function answers all other methods with 405."""
    integration = apigateway.LambdaIntegration(
        function,
        scope_permission_to_method=False,  # one permission for the API instead of a dozen
        timeout=Duration.seconds(29),  # the maximum without a quota increase; the function ends sooner
    )
    models = {name: _add_model(api, name) for name in ("NoteInput", "NotePatch")}
    validator = api.add_request_validator("Body", validate_request_body=True)
    for path, item in OPENAPI["paths"].items():
        resource = api.root.resource_for_path(path)
        _add_preflight(resource, [*(method.upper() for method, _ in _operations(item)), "OPTIONS"], allowed_origin)
        for method, operation in _operations(item):
            content = operation.get("requestBody", {}).get("content", {})
            resource.add_method(
                method.upper(),
                integration,
                operation_name=operation["operationId"],
                api_key_required=operation.get("security", OPENAPI["security"]) != [],
                request_models={
                    media_type: models[body["schema"]["$ref"].rsplit("/", 1)[1]] for media_type, body in content.items()
                },
                request_validator=validator if content else None,
            )
        resource.add_method("ANY", integration, api_key_required=True)
    for endpoint in api.methods:
        reason = "An API key only tells clients apart. Authentication needs an authorizer (docs/api.md)."
        if endpoint.http_method != "OPTIONS":  # cdk-nag does not check these methods
            acknowledge(endpoint, "AwsSolutions-APIG4", reason)
            acknowledge(endpoint, "AwsSolutions-COG4", reason)


def add_key(api: apigateway.RestApi) -> apigateway.ApiKey:
    """Return an API key. Its usage plan limits the rate and the requests a day."""
    plan = api.add_usage_plan(
        "UsagePlan",
        throttle=apigateway.ThrottleSettings(rate_limit=KEY_RATE, burst_limit=KEY_BURST),
        quota=apigateway.QuotaSettings(limit=KEY_QUOTA, period=apigateway.Period.DAY),
    )
    plan.add_api_stage(stage=api.deployment_stage)
    # api.add_api_key would tie the key to the stage, in the pre-usage-plan way.
    key = apigateway.ApiKey(Stack.of(api), "Key")
    plan.add_api_key(key)
    return key


def _add_preflight(resource: apigateway.IResource, methods: list[str], allowed_origin: str) -> None:
    preflight = resource.add_cors_preflight(
        allow_origins=[allowed_origin],
        allow_methods=methods,
        allow_headers=["Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "X-Api-Key"],
        max_age=Duration.hours(2),  # the longest time that a browser keeps the answer
    )
    # CDK's mock integration only supports JSON, and a browser sends no body. Another type would cause a 500 without
    # this line. With it, API Gateway answers 415.
    cast("apigateway.CfnMethod", preflight.node.default_child).add_property_override(
        "Integration.PassthroughBehavior", "NEVER"
    )


def _add_model(api: apigateway.RestApi, name: str) -> apigateway.IModel:
    stack = Stack.of(api)
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", **OPENAPI["components"]["schemas"][name]}
    model = apigateway.CfnModel(
        stack, name, rest_api_id=api.rest_api_id, content_type="application/json", schema=schema
    )
    deployment = cast("apigateway.Deployment", api.latest_deployment)
    deployment.node.add_dependency(model)
    deployment.add_to_logical_id(schema)  # a changed schema makes a new deployment, which brings it to the stage
    return apigateway.Model.from_model_name(stack, f"{name}Model", model.ref)


def _keyless_methods() -> Iterator[tuple[str, bool]]:
    """Yield the path of each method that needs no key, and whether its metrics are worth their price."""
    for path, item in OPENAPI["paths"].items():
        yield f"{path}/OPTIONS", False
        for name, operation in _operations(item):
            if operation.get("security") == []:
                yield f"{path}/{name.upper()}", True


def _operations(item: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((name, operation) for name, operation in item.items() if isinstance(operation, dict))
