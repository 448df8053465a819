"""API Gateway in front of a function in front of a table: a versioned REST API for notes."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks._alarms import alarm_topic, notify
from stacks._bundling import ARCHITECTURE, LAMBDA_SRC, RUNTIME, bundled_code
from stacks._cdk_helpers import add_helper_log_groups
from stacks._nag import acknowledge
from stacks.api_access_logs import access_log_format, add_access_logs
from stacks.api_problems import add_problems
from stacks.api_watch import add_alarms, add_dashboard

STAGE = "live"
MEMORY_MB = 512
"""A third of a vCPU: a request waits for DynamoDB more than it computes."""
KEY_RATE, KEY_BURST = 10, 10
"""Requests a second of one API key, on average and at once: a person's program, not a crowd. And a new account runs ten
functions at once: a request more would be answered 500 or 503 instead of 429."""
KEY_QUOTA = 10_000
"""Requests a day of one API key. Should it get out, those cost ten cents, or $5 if each wrote the largest note."""
STAGE_RATE, STAGE_BURST = 50, 100
"""Requests a second of all keys together, for each method: five busy clients. At 20 ms each they take one function."""
KEYLESS_RATE, KEYLESS_BURST = 0.2, 20
"""Requests a second of everybody, for each method that needs no key: a monitor that looks every five seconds, a page
that asks before its first request. Kept up for a month by a stranger, all four cost $20."""
OPENAPI: Mapping[str, Any] = json.loads((LAMBDA_SRC / "api" / "openapi.json").read_text(encoding="utf-8"))


class ApiStack(Stack):
    """Gateway (keys, rates, schema, access log) -> function -> table, which alarms and a dashboard watch."""

    def __init__(  # noqa: PLR0913 - every choice of the example, by name
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        allowed_origin: str,
        watch_closely: bool = False,
        alarm_email: str | None = None,
        **stack: Any,
    ) -> None:
        """`watch_closely` adds alarms on slowness and throttles, and the dashboard."""
        super().__init__(scope, id, **stack)
        self._removal = RemovalPolicy.RETAIN if retain_data else RemovalPolicy.DESTROY

        notes = self._table("Notes", recovery=retain_data)
        log_group = logs.LogGroup(self, "Logs", retention=log_retention, removal_policy=self._removal)
        function = self._function("Function", log_group=log_group, notes=notes, allowed_origin=allowed_origin)
        access_logs = add_access_logs(self, "AccessLogs", keep_as=log_group, removal=self._removal)
        api = self._api("Api", access_logs)
        self._routes(api, function, allowed_origin)
        add_problems(api, allowed_origin)
        key = self._key(api)

        alarms = add_alarms(self, api, function, early=watch_closely)
        notify(alarms, alarm_topic(self, alarm_email))
        if watch_closely:
            add_dashboard(self, "Dashboard", api, function, notes, alarms)
        add_helper_log_groups(self, retention=log_retention)

        CfnOutput(self, "ApiUrl", value=api.url)
        CfnOutput(self, "ApiKeyId", value=key.key_id)
        CfnOutput(self, "TableName", value=notes.table_name)

    def _table(self, id_: str, *, recovery: bool) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            id_,
            # Notes are spread over all partitions by their ids, which are random.
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="expires_at",  # of the idempotency keys; notes have none
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=recovery
            ),
            deletion_protection=recovery,
            removal_policy=self._removal,
        )
        # One partition in the order of creation, so that a page is one query. It takes 1,000 write units a second, and
        # is without bodies, so that a note needs one.
        table.add_global_secondary_index(
            index_name="newest",
            partition_key=dynamodb.Attribute(name="collection", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="created", type=dynamodb.AttributeType.STRING),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=["title", "tags", "created_at", "updated_at", "version"],
        )
        if not recovery:
            acknowledge(table, "AwsSolutions-DDB3", "The sandbox's notes are for trying out.")
        return table

    def _function(
        self, id_: str, *, log_group: logs.LogGroup, notes: dynamodb.Table, allowed_origin: str
    ) -> lambda_.Function:
        # Not CDK's default role: its managed policy lets the function create log groups, and one that is created
        # again while the stack is being deleted stays behind for ever.
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        # By hand, for grant_read_write_data allows to scan, too.
        for actions, resource in (
            (["GetItem", "PutItem", "UpdateItem", "DeleteItem"], notes.table_arn),
            (["Query"], f"{notes.table_arn}/index/newest"),
        ):
            role.add_to_policy(
                iam.PolicyStatement(actions=[f"dynamodb:{action}" for action in actions], resources=[resource])
            )
        acknowledge(role, "AwsSolutions-IAM5[Resource::*]", "X-Ray's actions know no resources.")
        return lambda_.Function(
            self,
            id_,
            code=bundled_code("api"),
            handler="api.handler.handler",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            memory_size=MEMORY_MB,
            timeout=Duration.seconds(20),  # two calls of two tries each; and the gateway gives up after 29
            tracing=lambda_.Tracing.ACTIVE,
            role=role,
            log_group=log_group,
            environment={
                "NOTES_TABLE": notes.table_name,
                "ALLOWED_ORIGIN": allowed_origin,
                "POWERTOOLS_SERVICE_NAME": self.stack_name,
            },
        )

    def _api(self, id_: str, access_logs: firehose.CfnDeliveryStream) -> apigateway.RestApi:
        api = apigateway.RestApi(
            self,
            id_,
            rest_api_name=self.stack_name,  # metrics go by this name: two deployments must not share it
            description=OPENAPI["info"]["title"],
            endpoint_types=[apigateway.EndpointType.REGIONAL],  # EDGE adds a CDN that caches nothing here
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
        api.node.try_remove_child("Endpoint")  # an output of CDK's with a name of its own
        stage = api.deployment_stage
        acknowledge(
            api, "AwsSolutions-APIG2", "Bodies are validated by the methods that take one; the others have nothing."
        )
        acknowledge(stage, "AwsSolutions-APIG3", "A WAF costs $5 a month and more; docs/api.md tells when it pays.")
        acknowledge(
            stage, "AwsSolutions-APIG6", "Execution logs need a role that is the account's; traces show the same."
        )
        return api

    def _routes(self, api: apigateway.RestApi, function: lambda_.Function, allowed_origin: str) -> None:
        """Every path and method of the OpenAPI document, and what is answered with 405."""
        integration = apigateway.LambdaIntegration(
            function,
            scope_permission_to_method=False,  # one permission for the API instead of a dozen
            timeout=Duration.seconds(29),  # the most there is without asking; the function ends sooner
        )
        models = {name: self._model(api, name) for name in ("NoteInput", "NotePatch")}
        validator = api.add_request_validator("Body", validate_request_body=True)
        for path, item in OPENAPI["paths"].items():
            resource = api.root.resource_for_path(path)
            preflight = resource.add_cors_preflight(
                allow_origins=[allowed_origin],
                allow_methods=[*(method.upper() for method, _ in _operations(item)), "OPTIONS"],
                allow_headers=["Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "X-Api-Key"],
                max_age=Duration.hours(2),  # the longest that a browser keeps it
            )
            _refuse_other_types(preflight)
            for method, operation in _operations(item):
                content = operation.get("requestBody", {}).get("content", {})
                resource.add_method(
                    method.upper(),
                    integration,
                    operation_name=operation["operationId"],
                    api_key_required=operation.get("security", OPENAPI["security"]) != [],
                    request_models={
                        media_type: models[body["schema"]["$ref"].rsplit("/", 1)[1]]
                        for media_type, body in content.items()
                    },
                    request_validator=validator if content else None,
                )
            resource.add_method("ANY", integration, api_key_required=True)
        for endpoint in api.methods:
            reason = "An API key tells clients apart; who they are is for an authorizer to say (docs/api.md)."
            if endpoint.http_method != "OPTIONS":  # cdk-nag does not ask who sends those
                acknowledge(endpoint, "AwsSolutions-APIG4", reason)
                acknowledge(endpoint, "AwsSolutions-COG4", reason)

    def _model(self, api: apigateway.RestApi, name: str) -> apigateway.IModel:
        schema = {"$schema": "http://json-schema.org/draft-04/schema#", **OPENAPI["components"]["schemas"][name]}
        model = apigateway.CfnModel(
            self, name, rest_api_id=api.rest_api_id, content_type="application/json", schema=schema
        )
        deployment = cast("apigateway.Deployment", api.latest_deployment)
        deployment.node.add_dependency(model)
        # Or a changed schema would not be deployed to the stage.
        deployment.add_to_logical_id(schema)
        return apigateway.Model.from_model_name(self, f"{name}Model", model.ref)

    def _key(self, api: apigateway.RestApi) -> apigateway.IApiKey:
        plan = api.add_usage_plan(
            "UsagePlan",
            throttle=apigateway.ThrottleSettings(rate_limit=KEY_RATE, burst_limit=KEY_BURST),
            quota=apigateway.QuotaSettings(limit=KEY_QUOTA, period=apigateway.Period.DAY),
        )
        plan.add_api_stage(stage=api.deployment_stage)
        # Not add_api_key, which ties a key to a stage in the way of before there were usage plans.
        key = apigateway.ApiKey(self, "Key")
        plan.add_api_key(key)
        return key


def _refuse_other_types(preflight: apigateway.Method) -> None:
    # CDK's mock knows JSON alone, and what a browser sends has no body. Anything else would make it fail with a 500.
    cast("apigateway.CfnMethod", preflight.node.default_child).add_property_override(
        "Integration.PassthroughBehavior", "NEVER"
    )


def _keyless_methods() -> Iterator[tuple[str, bool]]:
    """What anybody may call, and whether its metrics are worth their price."""
    for path, item in OPENAPI["paths"].items():
        yield f"{path}/OPTIONS", False
        for name, operation in _operations(item):
            if operation.get("security") == []:
                yield f"{path}/{name.upper()}", True


def _operations(item: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((name, operation) for name, operation in item.items() if isinstance(operation, dict))
