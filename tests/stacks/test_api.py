"""What the API stack means to be; the snapshot beside it says what it is to the letter."""

import json
import re
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template as Synthesized
from aws_cdk.aws_logs import RetentionDays

from stacks.api import ApiStack
from tests.support.apps import properties_of, templates
from tests.support.folders import ROOT
from tools.templates import NO_BUNDLING, resources

SANDBOX = templates("sandbox")["api"]
PRODUCTION = templates("production")["api"]
OPENAPI = json.loads((ROOT / "lambda_src" / "api" / "openapi.json").read_text())
both = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])
Template = dict[str, Any]


def methods(template: Template) -> dict[tuple[str, str], dict[str, Any]]:
    """The properties of every method, by path and HTTP method."""
    parents = resources(template, "AWS::ApiGateway::Resource")

    def path(reference: Any) -> str:
        if "Fn::GetAtt" in reference:
            return ""
        own = parents[reference["Ref"]]["Properties"]
        return f"{path(own['ParentId'])}/{own['PathPart']}"

    found = [method["Properties"] for method in resources(template, "AWS::ApiGateway::Method").values()]
    return {(path(method["ResourceId"]), method["HttpMethod"]): method for method in found}


OPERATIONS = {
    (path, method.upper()): operation
    for path, item in OPENAPI["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
}


# -- the contract


@both
def test_the_ids_of_stores_never_change(template: Template) -> None:
    """Another id is another resource: CloudFormation would delete this one, or leave it behind with its data."""
    assert set(resources(template, "AWS::DynamoDB::Table")) == {"Notes5BB3582F"}
    assert set(resources(template, "AWS::S3::Bucket")) == {"AccessLogsBucket83982689"}


@both
def test_the_id_of_the_api_never_changes(template: Template) -> None:
    """It is in the URL: another one breaks every client. The key's is in their settings."""
    assert set(resources(template, "AWS::ApiGateway::RestApi")) == {"ApiF70053CD"}
    assert set(resources(template, "AWS::ApiGateway::ApiKey")) == {"Key961B73FD"}


@both
def test_the_outputs_are_what_the_smoke_tests_and_lessons_use(template: Template) -> None:
    assert set(template["Outputs"]) == {"ApiUrl", "ApiKeyId", "TableName"}


@both
def test_every_operation_of_the_document_is_deployed_and_no_other(template: Template) -> None:
    deployed = {key: method for key, method in methods(template).items() if key[1] not in ("ANY", "OPTIONS")}
    assert {key: method["OperationName"] for key, method in deployed.items()} == {
        key: operation["operationId"] for key, operation in OPERATIONS.items()
    }


@both
def test_every_path_answers_other_methods_and_browsers(template: Template) -> None:
    for path in OPENAPI["paths"]:
        assert methods(template)[path, "ANY"]["ApiKeyRequired"] is True  # 405 with Allow, from the function
        preflight = methods(template)[path, "OPTIONS"]
        assert preflight["Integration"]["PassthroughBehavior"] == "NEVER", "or a body that is not JSON makes it a 500"
        assert not preflight["ApiKeyRequired"], "a browser sends no key with it"
        (answer,) = preflight["Integration"]["IntegrationResponses"]
        headers = answer["ResponseParameters"]
        allowed = headers["method.response.header.Access-Control-Allow-Methods"].strip("'").split(",")
        assert {*allowed} == {"OPTIONS", *(method for of, method in OPERATIONS if of == path)}
        assert headers["method.response.header.Access-Control-Allow-Origin"] == "'*'"
    assert "PATCH" in allowed


@both
def test_all_but_the_health_check_needs_a_key(template: Template) -> None:
    open_to_all = {
        key for key, method in methods(template).items() if not method.get("ApiKeyRequired") and key[1] != "OPTIONS"
    }
    assert open_to_all == {("/v1/health", "GET")}
    assert open_to_all == {key for key, operation in OPERATIONS.items() if operation.get("security") == []}


@both
def test_bodies_are_held_against_the_schemas_of_the_document(template: Template) -> None:
    (validator,) = resources(template, "AWS::ApiGateway::RequestValidator")
    assert properties_of(template, "AWS::ApiGateway::RequestValidator")["ValidateRequestBody"] is True
    models = resources(template, "AWS::ApiGateway::Model")
    for key, operation in OPERATIONS.items():
        method = methods(template)[key]
        content = operation.get("requestBody", {}).get("content", {})
        assert method.get("RequestValidatorId") == ({"Ref": validator} if content else None)
        for media_type, body in content.items():
            schema = dict(models[method["RequestModels"][media_type]["Ref"]]["Properties"]["Schema"])
            assert schema.pop("$schema").endswith("draft-04/schema#")
            assert schema == OPENAPI["components"]["schemas"][body["schema"]["$ref"].rsplit("/", 1)[1]]


DRAFT_4 = {
    *("type", "properties", "required", "additionalProperties", "description"),
    *("minLength", "maxLength", "items", "maxItems", "uniqueItems"),
}


@both
def test_the_gateways_schemas_use_what_json_schema_draft_4_knows(template: Template) -> None:
    """API Gateway refuses a model with other keywords, and OpenAPI 3.1 has many."""

    def keywords(schema: Any) -> set[str]:
        inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
        return {*schema} | {keyword for one in inner for keyword in keywords(one)}

    for model in resources(template, "AWS::ApiGateway::Model").values():
        assert keywords(model["Properties"]["Schema"]) <= DRAFT_4 | {"$schema"}


@both
def test_the_gateways_own_errors_are_problems_too(template: Template) -> None:
    found = {}
    for one in resources(template, "AWS::ApiGateway::GatewayResponse").values():
        properties = one["Properties"]
        text = properties["ResponseTemplates"]["application/json"]
        assert "$context.error" not in text, "the gateway's own words may hold quotes of the client's"
        problem = json.loads(text)
        assert problem["type"] == "about:blank"
        assert problem["request_id"] == "$context.requestId"
        assert problem["title"]
        assert problem["detail"]
        assert str(problem.get("status")) == properties.get("StatusCode", "None")
        headers = properties["ResponseParameters"]
        assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"
        found[properties["ResponseType"]] = properties.get("StatusCode")
        if properties.get("StatusCode") == "429":
            assert re.fullmatch("'[0-9]+'", headers["gatewayresponse.header.Retry-After"])
    assert (
        found.items()
        >= {
            "MISSING_AUTHENTICATION_TOKEN": "404",
            "INVALID_API_KEY": "403",
            "THROTTLED": "429",
            "QUOTA_EXCEEDED": "429",
            "BAD_REQUEST_BODY": "422",
            "REQUEST_TOO_LARGE": "413",
            "DEFAULT_4XX": None,
            "DEFAULT_5XX": None,
        }.items()
    )


# -- limits


@both
def test_keys_and_all_together_have_a_rate_and_keys_a_quota(template: Template) -> None:
    plan = properties_of(template, "AWS::ApiGateway::UsagePlan")
    assert plan["Throttle"] == {"RateLimit": 10, "BurstLimit": 10}
    assert plan["Quota"] == {"Limit": 10_000, "Period": "DAY"}
    (stage,) = resources(template, "AWS::ApiGateway::Stage")
    assert [one["Stage"] for one in plan["ApiStages"]] == [{"Ref": stage}]
    settings = {
        (one["ResourcePath"], one["HttpMethod"]): one
        for one in properties_of(template, "AWS::ApiGateway::Stage")["MethodSettings"]
    }
    every = settings.pop(("/*", "*"))
    assert (every["ThrottlingRateLimit"], every["ThrottlingBurstLimit"]) == (50, 100)
    for (path, name), method in methods(template).items():
        if not method["ApiKeyRequired"]:
            own = settings.pop((f"/{path.replace('/', '~1')}", name))
            limits = own["ThrottlingRateLimit"], own["ThrottlingBurstLimit"]
            assert limits == (0.2, 20), f"anybody may call {name} {path}, and it is billed"
    assert settings == {}


@both
def test_the_function_answers_before_the_gateway_gives_up(template: Template) -> None:
    function = properties_of(template, "AWS::Lambda::Function", "Function")
    for key, method in methods(template).items():
        if key[1] != "OPTIONS":
            assert function["Timeout"] < method["Integration"]["TimeoutInMillis"] / 1000 <= 29


# -- rights


@both
def test_the_function_may_do_what_it_does_and_no_more(template: Template) -> None:
    policy = properties_of(template, "AWS::IAM::Policy", "RoleDefaultPolicy")["PolicyDocument"]
    allowed = {
        (action, json.dumps(statement["Resource"]))
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    table = {"Fn::GetAtt": ["Notes5BB3582F", "Arn"]}
    index = json.dumps({"Fn::Join": ["", [table, "/index/newest"]]})
    logs = json.dumps({"Fn::GetAtt": ["Logs6819BB44", "Arn"]})
    assert allowed == {
        *((f"dynamodb:{verb}Item", json.dumps(table)) for verb in ("Get", "Put", "Update", "Delete")),
        ("dynamodb:Query", index),
        ("logs:CreateLogStream", logs),
        ("logs:PutLogEvents", logs),
        ("xray:PutTraceSegments", '"*"'),
        ("xray:PutTelemetryRecords", '"*"'),
    }


@both
def test_this_api_alone_may_invoke_the_function(template: Template) -> None:
    permission = properties_of(template, "AWS::Lambda::Permission")
    assert permission["Principal"] == "apigateway.amazonaws.com"
    parts = permission["SourceArn"]["Fn::Join"][1]
    assert {"Ref": "ApiF70053CD"} in parts
    assert parts[-1] == "/*/*/*"


# -- watching


@both
def test_nothing_of_the_accounts_is_touched(template: Template) -> None:
    """The role with which API Gateway writes to CloudWatch Logs is one for all APIs of an account."""
    assert resources(template, "AWS::ApiGateway::Account") == {}
    for settings in properties_of(template, "AWS::ApiGateway::Stage")["MethodSettings"]:
        assert "LoggingLevel" not in settings, "it could not be deployed without that role"


@both
def test_every_request_is_in_the_access_log_as_a_line_of_json(template: Template) -> None:
    setting = properties_of(template, "AWS::ApiGateway::Stage")["AccessLogSetting"]
    stream = properties_of(template, "AWS::KinesisFirehose::DeliveryStream")
    assert setting["DestinationArn"] == {"Fn::GetAtt": ["AccessLogs", "Arn"]}
    assert stream["DeliveryStreamName"].startswith("amazon-apigateway-"), "API Gateway writes to no other"
    line = setting["Format"]
    assert line.endswith("}\n"), "Firehose puts one behind the other"
    assert line.count("\n") == 1, "API Gateway takes one line"
    filled = json.loads(re.sub(r"\$context\.[A-Za-z.]+", "-", line))
    assert {"request_id", "status", "api_key_id", "milliseconds", "error"} <= {*filled}
    for free in ("userAgent", "path", "protocol", "caller", "requestOverride", "queryString"):
        assert f"$context.{free}" not in line, f"{free} could hold a quote"
        assert f"$context.identity.{free}" not in line, f"{free} could hold a quote"


@both
def test_access_logs_are_kept_as_long_as_other_logs(template: Template) -> None:
    bucket = properties_of(template, "AWS::S3::Bucket")
    kept = properties_of(template, "AWS::Logs::LogGroup", "Logs")["RetentionInDays"]
    assert [rule["ExpirationInDays"] for rule in bucket["LifecycleConfiguration"]["Rules"]] == [kept]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (policy,) = resources(template, "AWS::S3::BucketPolicy").values()
    denied = policy["Properties"]["PolicyDocument"]["Statement"][0]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_access_logs_are_kept_for_ever_where_other_logs_are() -> None:
    stack = ApiStack(
        cdk.App(context=NO_BUNDLING),
        "endless",
        retain_data=False,
        log_retention=RetentionDays.INFINITE,
        allowed_origin="*",
    )
    (bucket,) = resources(dict(Synthesized.from_stack(stack).to_json()), "AWS::S3::Bucket").values()
    (rule,) = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert "ExpirationInDays" not in rule


def test_on_destroy_the_access_log_ends_before_its_bucket_is_emptied() -> None:
    (emptying,) = resources(SANDBOX, "Custom::S3AutoDeleteObjects")
    (stream,) = resources(SANDBOX, "AWS::KinesisFirehose::DeliveryStream").values()
    assert emptying in stream["DependsOn"]


@both
def test_a_new_stream_can_write_at_once(template: Template) -> None:
    (stream,) = resources(template, "AWS::KinesisFirehose::DeliveryStream").values()
    (policy,) = [name for name in resources(template, "AWS::IAM::Policy") if name.startswith("AccessLogsRole")]
    assert policy in stream["DependsOn"]


@both
def test_requests_are_traced_and_measured(template: Template) -> None:
    stage = properties_of(template, "AWS::ApiGateway::Stage")
    assert stage["TracingEnabled"] is True
    unmeasured = {settings["HttpMethod"] for settings in stage["MethodSettings"] if not settings.get("MetricsEnabled")}
    assert unmeasured == {"OPTIONS"}, "five metrics of each method cost $1.50 a month"
    assert properties_of(template, "AWS::Lambda::Function", "Function")["TracingConfig"] == {"Mode": "Active"}


def test_in_the_sandbox_errors_set_off_an_alarm() -> None:
    """Throttled functions are errors for the client, too. The rest costs more than the whole example."""
    (alarm,) = resources(SANDBOX, "AWS::CloudWatch::Alarm").values()
    assert alarm["Properties"]["MetricName"] == "5XXError"
    assert resources(SANDBOX, "AWS::CloudWatch::Dashboard") == {}


def test_in_production_errors_slowness_and_throttles_do() -> None:
    template = PRODUCTION
    alarms = {
        alarm["Properties"]["MetricName"]: alarm["Properties"]
        for alarm in resources(template, "AWS::CloudWatch::Alarm").values()
    }
    assert {*alarms} == {"5XXError", "Latency", "Throttles"}
    assert alarms["Latency"]["ExtendedStatistic"] == "p99"
    name = properties_of(template, "AWS::ApiGateway::RestApi")["Name"]
    for metric in ("5XXError", "Latency"):
        (stage,) = resources(template, "AWS::ApiGateway::Stage")
        assert {one["Name"]: one["Value"] for one in alarms[metric]["Dimensions"]} == {
            "ApiName": name,
            "Stage": {"Ref": stage},
        }
    assert name == "compute-api", "a name that another deployment has, too, would mix their metrics"


def test_the_dashboard_shows_alarms_requests_function_and_table() -> None:
    body = properties_of(PRODUCTION, "AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else "x" for part in body)
    titles = [widget["properties"]["title"] for widget in json.loads(text)["widgets"]]
    assert titles == ["Alarms", "Requests", "Milliseconds", "Function", "Table"]


# -- the table


@both
def test_the_keys_are_made_for_what_is_asked(template: Template) -> None:
    table = properties_of(template, "AWS::DynamoDB::Table")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["KeySchema"] == [
        {"AttributeName": "collection", "KeyType": "HASH"},
        {"AttributeName": "created", "KeyType": "RANGE"},
    ]
    assert "body" not in index["Projection"]["NonKeyAttributes"], "a page of bodies would fill a response"
