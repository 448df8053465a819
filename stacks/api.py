"""API Gateway in front of a function in front of a table: a versioned REST API for notes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks._alarms import alarm_topic, notify
from stacks._bundling import ARCHITECTURE, LAMBDA_SRC, RUNTIME, bundled
from stacks._helpers import log_cdk_helpers
from stacks._nag import accept
from stacks._stores import keep_policy

STAGE = "live"
MEMORY_MB = 512
"""A third of a vCPU: a request waits for DynamoDB more than it computes."""
KEY_RATE, KEY_BURST = 10, 20
"""Requests a second of one API key, on average and at once: a person's program, not a crowd."""
KEY_QUOTA = 10_000
"""Requests a day of one API key: a key that gets out costs ten cents a day at most."""
STAGE_RATE, STAGE_BURST = 50, 100
"""Requests a second of all keys together, for each method: five busy clients. At 20 ms each they take one function."""
HEALTH_RATE, HEALTH_BURST = 1, 5
"""Requests a second of everybody: the health check needs no key, and strangers shall not make it cost $15 a month."""
OPENAPI: Mapping[str, Any] = json.loads((LAMBDA_SRC / "api" / "openapi.json").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class GatewayError:
    """What the gateway says by itself, in the shape of the function's problems (RFC 9457)."""

    response: apigateway.ResponseType
    status: int
    title: str
    detail: str
    retry_after: int | None = None
    """Seconds."""


_TYPE = apigateway.ResponseType
GATEWAY_ERRORS = (
    # The gateway's own 403 for what does not exist would send a client looking for its credentials.
    GatewayError(_TYPE.MISSING_AUTHENTICATION_TOKEN, 404, "Not Found", "There is no such resource."),
    GatewayError(_TYPE.INVALID_API_KEY, 403, "Forbidden", "Send a valid API key in the header X-Api-Key."),
    GatewayError(_TYPE.ACCESS_DENIED, 403, "Forbidden", "Send a valid API key in the header X-Api-Key."),
    GatewayError(_TYPE.THROTTLED, 429, "Too Many Requests", "Over the rate of this API key; slow down.", 1),
    GatewayError(_TYPE.QUOTA_EXCEEDED, 429, "Too Many Requests", "Today's quota of this API key is used up.", 3600),
    GatewayError(_TYPE.BAD_REQUEST_PARAMETERS, 400, "Bad Request", "A parameter or header cannot be understood."),
    GatewayError(_TYPE.BAD_REQUEST_BODY, 422, "Unprocessable Content", "The body is not what the schema asks for."),
    GatewayError(_TYPE.REQUEST_TOO_LARGE, 413, "Content Too Large", "The body is larger than any note can be."),
    GatewayError(_TYPE.INTEGRATION_TIMEOUT, 504, "Gateway Timeout", "The service did not answer in time.", 1),
    GatewayError(_TYPE.INTEGRATION_FAILURE, 504, "Gateway Timeout", "The service could not be reached.", 1),
)


class ApiStack(Stack):
    """Gateway (keys, rates, schema, access log) -> function -> table; alarms and a dashboard watch them."""

    def __init__(  # noqa: PLR0913 - every choice of the example, by name
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        allowed_origin: str,
        alarm_email: str | None = None,
        **stack: Any,
    ) -> None:
        super().__init__(scope, id, **stack)
        self._removal = RemovalPolicy.RETAIN if retain_data else RemovalPolicy.DESTROY

        notes = self._table("Notes", recovery=retain_data)
        log_group = logs.LogGroup(self, "Logs", retention=log_retention, removal_policy=self._removal)
        function = self._function("Function", log_group=log_group, notes=notes, allowed_origin=allowed_origin)
        access_logs = self._access_logs("AccessLogs", keep_for=log_group)
        api = self._api("Api", access_logs)
        self._routes(api, function, allowed_origin)
        self._problems(api, allowed_origin)
        key = self._key(api)

        alarms = self._alarms(api, function)
        notify(alarms, alarm_topic(self, alarm_email))
        self._dashboard("Dashboard", api, function, notes, alarms)
        log_cdk_helpers(self, retention=log_retention)

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
        # One partition in the order of creation, so that a page is one query. It takes 1,000 writes a second, and is
        # without bodies, so that each is small.
        table.add_global_secondary_index(
            index_name="newest",
            partition_key=dynamodb.Attribute(name="collection", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="created", type=dynamodb.AttributeType.STRING),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=["title", "tags", "created_at", "updated_at", "version"],
        )
        if not recovery:
            accept(table, "AwsSolutions-DDB3", "The sandbox's notes are for trying out.")
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
        accept(role, "AwsSolutions-IAM5[Resource::*]", "X-Ray's actions know no resources.")
        return lambda_.Function(
            self,
            id_,
            code=bundled("api"),
            handler="api.handler.handler",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            memory_size=MEMORY_MB,
            timeout=Duration.seconds(10),  # three tries of DynamoDB's; and the gateway gives up after 29
            tracing=lambda_.Tracing.ACTIVE,
            role=role,
            log_group=log_group,
            environment={
                "NOTES_TABLE": notes.table_name,
                "ALLOWED_ORIGIN": allowed_origin,
                "POWERTOOLS_SERVICE_NAME": self.stack_name,
            },
        )

    def _access_logs(self, id_: str, *, keep_for: logs.LogGroup) -> firehose.CfnDeliveryStream:
        # Not to CloudWatch Logs: that needs a role in the settings of API Gateway that are the account's, one for all
        # APIs of a region, which the last stack to set it overwrites. Firehose needs none.
        bucket = s3.Bucket(
            self,
            f"{id_}Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(_days(keep_for)),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
            removal_policy=self._removal,
            auto_delete_objects=self._removal is RemovalPolicy.DESTROY,
        )
        keep_policy(bucket, self._removal)
        accept(
            bucket,
            "AwsSolutions-S1",
            "It holds access logs; a log of who reads them is CloudTrail's.",
        )
        role = iam.Role(
            self,
            f"{id_}Role",
            assumed_by=iam.ServicePrincipal(
                "firehose.amazonaws.com", conditions={"StringEquals": {"sts:ExternalId": self.account}}
            ),
        )
        # https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
        for actions, resource in (
            (["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], bucket.arn_for_objects("*")),
            (["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], bucket.bucket_arn),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
        cfn_bucket = cast("s3.CfnBucket", bucket.node.default_child)
        accept(
            role,
            f"AwsSolutions-IAM5[Resource::<{self.get_logical_id(cfn_bucket)}.Arn>/*]",
            "Firehose names the objects by the hour.",
        )
        stream = firehose.CfnDeliveryStream(
            self,
            id_,
            delivery_stream_name=f"amazon-apigateway-{self.stack_name}",  # API Gateway may write to no other name
            delivery_stream_type="DirectPut",
            delivery_stream_encryption_configuration_input=(
                firehose.CfnDeliveryStream.DeliveryStreamEncryptionConfigurationInputProperty(
                    key_type="AWS_OWNED_CMK"  # the one that is free
                )
            ),
            extended_s3_destination_configuration=(
                firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty(
                    bucket_arn=bucket.bucket_arn,
                    role_arn=role.role_arn,
                    buffering_hints=firehose.CfnDeliveryStream.BufferingHintsProperty(
                        interval_in_seconds=60,  # a minute is as long as one waits to see a request
                        size_in_m_bs=5,
                    ),
                    compression_format="GZIP",
                )
            ),
        )
        # Firehose checks its rights when it is made. And in a stack's deletion it goes before its bucket is emptied,
        # or it would write there once more.
        stream.node.add_dependency(role, bucket)
        return stream

    def _api(self, id_: str, access_logs: firehose.CfnDeliveryStream) -> apigateway.RestApi:
        api = apigateway.RestApi(
            self,
            id_,
            rest_api_name=self.stack_name,  # metrics go by this name: two deployments must not share it
            description=OPENAPI["info"]["title"],
            endpoint_types=[apigateway.EndpointType.REGIONAL],  # EDGE adds a CDN that caches nothing here
            cloud_watch_role=False,  # see _access_logs
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=STAGE_RATE,
                throttling_burst_limit=STAGE_BURST,
                method_options={
                    "/v1/health/GET": apigateway.MethodDeploymentOptions(
                        throttling_rate_limit=HEALTH_RATE,
                        throttling_burst_limit=HEALTH_BURST,
                        metrics_enabled=True,
                    )
                },
                metrics_enabled=True,
                tracing_enabled=True,
                access_log_destination=apigateway.FirehoseLogDestination(access_logs),
                access_log_format=apigateway.AccessLogFormat.custom(_access_log_format()),
            ),
        )
        api.node.try_remove_child("Endpoint")  # an output of CDK's with a name of its own
        stage = api.deployment_stage
        accept(api, "AwsSolutions-APIG2", "Bodies are validated by the methods that take one; the others have nothing.")
        accept(stage, "AwsSolutions-APIG3", "A WAF costs $5 a month and more; docs/api.md tells when it pays.")
        accept(stage, "AwsSolutions-APIG6", "Execution logs need a role that is the account's; traces show the same.")
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
            resource.add_cors_preflight(
                allow_origins=[allowed_origin],
                allow_methods=[*(method.upper() for method, _ in _operations(item)), "OPTIONS"],
                allow_headers=["Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "X-Api-Key"],
                max_age=Duration.hours(2),  # the longest that a browser keeps it
            )
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
            accept(endpoint, "AwsSolutions-APIG4", reason)
            accept(endpoint, "AwsSolutions-COG4", reason)

    def _model(self, api: apigateway.RestApi, name: str) -> apigateway.IModel:
        schema = {"$schema": "http://json-schema.org/draft-04/schema#", **OPENAPI["components"]["schemas"][name]}
        model = apigateway.CfnModel(
            self, name, rest_api_id=api.rest_api_id, content_type="application/json", schema=schema
        )
        deployment = cast("apigateway.Deployment", api.latest_deployment)
        deployment.node.add_dependency(model)
        deployment.add_to_logical_id(schema)  # or a changed schema would not be deployed to the stage
        return apigateway.Model.from_model_name(self, f"{name}Model", model.ref)

    def _problems(self, api: apigateway.RestApi, allowed_origin: str) -> None:
        """The gateway's own errors in the shape of the function's."""
        problem = {
            "Content-Type": "'application/problem+json'",
            "Access-Control-Allow-Origin": f"'{allowed_origin}'",  # or a browser would not show them to the page
            "Access-Control-Expose-Headers": "'Retry-After'",
        }
        for error in GATEWAY_ERRORS:
            retry = {"Retry-After": f"'{error.retry_after}'"} if error.retry_after else {}
            api.add_gateway_response(
                error.response.response_type.title().replace("_", ""),
                type=error.response,
                status_code=str(error.status),
                response_headers={**problem, **retry},
                templates={"application/json": _problem(error.title, f'"{error.detail}"', error.status)},
            )
        # Whatever else there is keeps its own status, which the template cannot know.
        for response, title in ((_TYPE.DEFAULT_4_XX, "Bad Request"), (_TYPE.DEFAULT_5_XX, "Internal Server Error")):
            api.add_gateway_response(
                response.response_type.title().replace("_", ""),
                type=response,
                response_headers=problem,
                templates={"application/json": _problem(title, "$context.error.messageString")},
            )

    def _key(self, api: apigateway.RestApi) -> apigateway.IApiKey:
        plan = api.add_usage_plan(
            "UsagePlan",
            throttle=apigateway.ThrottleSettings(rate_limit=KEY_RATE, burst_limit=KEY_BURST),
            quota=apigateway.QuotaSettings(limit=KEY_QUOTA, period=apigateway.Period.DAY),
        )
        plan.add_api_stage(stage=api.deployment_stage)
        key = api.add_api_key("Key")
        plan.add_api_key(key)
        return key

    def _alarms(self, api: apigateway.RestApi, function: lambda_.Function) -> list[cloudwatch.Alarm]:
        stage, five_minutes = api.deployment_stage, Duration.minutes(5)
        watched = {
            # Name: metric, threshold, periods in a row
            "ServerErrors": (stage.metric_server_error(period=five_minutes, statistic="Sum"), 1, 1),
            # Two seconds are a cold start; a quarter of an hour of them is none.
            "Latency": (stage.metric_latency(period=five_minutes, statistic="p99"), 2000, 3),
            "Throttles": (function.metric_throttles(period=five_minutes, statistic="Sum"), 1, 1),
        }
        return [
            metric.create_alarm(
                self,
                f"{name}Alarm",
                threshold=threshold,
                evaluation_periods=periods,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,  # no requests, no data
                alarm_description=f"{self.stack_name}: {name}. What to do: docs/api.md, 'Watch it'.",
            )
            for name, (metric, threshold, periods) in watched.items()
        ]

    def _dashboard(
        self,
        id_: str,
        api: apigateway.RestApi,
        function: lambda_.Function,
        notes: dynamodb.Table,
        alarms: list[cloudwatch.Alarm],
    ) -> None:
        stage = api.deployment_stage

        def graph(title: str, *metrics: cloudwatch.IMetric, width: int = 12) -> cloudwatch.GraphWidget:
            return cloudwatch.GraphWidget(title=title, left=list(metrics), width=width, period=Duration.minutes(5))

        cloudwatch.Dashboard(
            self,
            id_,
            default_interval=Duration.hours(3),
            widgets=[
                [cloudwatch.AlarmStatusWidget(alarms=list(alarms), title="Alarms", width=24, height=3)],
                [
                    graph(
                        "Requests",
                        stage.metric_count(statistic="Sum", label="all"),
                        stage.metric_client_error(statistic="Sum", label="4xx, throttled ones among them"),
                        stage.metric_server_error(statistic="Sum", label="5xx"),
                    ),
                    graph(
                        "Milliseconds",
                        stage.metric_latency(statistic="p50", label="p50"),
                        stage.metric_latency(statistic="p99", label="p99"),
                        stage.metric_integration_latency(statistic="p99", label="p99 of the function"),
                    ),
                ],
                [
                    graph(
                        "Function",
                        function.metric_errors(statistic="Sum", label="errors"),
                        function.metric_throttles(statistic="Sum", label="throttles"),
                        function.metric("ConcurrentExecutions", statistic="Maximum", label="at once"),
                    ),
                    graph(
                        "Table",
                        notes.metric_consumed_read_capacity_units(label="read units"),
                        notes.metric_consumed_write_capacity_units(label="write units"),
                    ),
                ],
            ],
        )


def _days(group: logs.LogGroup) -> float:
    return cast("logs.CfnLogGroup", group.node.default_child).retention_in_days or 1


def _operations(item: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((name, operation) for name, operation in item.items() if isinstance(operation, dict))


def _problem(title: str, detail: str, status: int | None = None) -> str:
    members = [f'"title":"{title}"', f'"detail":{detail}', '"request_id":"$context.requestId"']
    if status:
        members.insert(1, f'"status":{status}')
    return '{"type":"about:blank",' + ",".join(members) + "}"


def _access_log_format() -> str:
    # Nothing that a client writes freely, such as its User-Agent: the gateway puts values in as they are, and a quote
    # would break the line. Numbers are quoted, for a value that is missing is a hyphen.
    fields = {
        "time": "requestTimeEpoch",
        "request_id": "requestId",
        "trace_id": "xrayTraceId",
        "source_ip": "identity.sourceIp",
        "api_key_id": "identity.apiKeyId",
        "method": "httpMethod",
        "resource": "resourcePath",
        "status": "status",
        "milliseconds": "responseLatency",
        "function_milliseconds": "integration.latency",
        "bytes": "responseLength",
        "error": "error.responseType",
    }
    return json.dumps({name: f"$context.{variable}" for name, variable in fields.items()}, separators=(",", ":")) + "\n"
