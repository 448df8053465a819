"""These tests check the most important properties of the api stack. test_snapshots.py compares its whole template."""

import json
import re
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template as Synthesized
from aws_cdk.aws_logs import RetentionDays

from config import from_context
from stacks.api import ApiStack
from tests.contracts.reading import referenced_ids
from tests.support.apps import properties_of, stack_name, template_with, templates
from tests.support.folders import ROOT
from tools.templates import NO_BUNDLING, Template, resources

ALLOWED_ORIGIN = f"'{from_context({}).api_allowed_origin}'"
SANDBOX = templates("sandbox")["api"]
PRODUCTION = templates("production")["api"]
OPENAPI = json.loads((ROOT / "lambda_src" / "api" / "openapi.json").read_text())
in_both_profiles = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])


def methods(template: Template) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the properties of every method, by path and HTTP method."""
    parents = resources(template, "AWS::ApiGateway::Resource")

    def path(reference: Any) -> str:
        if "Fn::GetAtt" in reference:
            return ""
        resource = parents[reference["Ref"]]["Properties"]
        return f"{path(resource['ParentId'])}/{resource['PathPart']}"

    all_methods = [method["Properties"] for method in resources(template, "AWS::ApiGateway::Method").values()]
    return {(path(method["ResourceId"]), method["HttpMethod"]): method for method in all_methods}


EXPECTED_ACCESS = {
    ("v1", False): (True, "NONE", False),
    ("v2", False): (False, "COGNITO_USER_POOLS", True),
    ("v2", True): (False, "AWS_IAM", False),
}
"""Whether a route needs an API key, its authorization type, and whether it has an authorizer. The keys are the version,
and whether the route is the export."""


def access_of(method: dict[str, Any]) -> tuple[bool, str, bool]:
    """Return whether a method needs an API key, its authorization type, and whether it has an authorizer."""
    return bool(method.get("ApiKeyRequired")), method["AuthorizationType"], "AuthorizerId" in method


def called_function(method: dict[str, Any]) -> str:
    """Return the logical id of the function that a method invokes."""
    parts = method["Integration"]["Uri"]["Fn::Join"][1]
    return str(next(part["Fn::GetAtt"][0] for part in parts if "Fn::GetAtt" in part))


def dynamodb_actions(template: Template, role: str) -> dict[str, set[str]]:
    """Return the DynamoDB actions that a role has on each table. `role` is its logical id without the hash."""
    actions: dict[str, set[str]] = {}
    for policy in resources(template, "AWS::IAM::Policy").values():
        names = [re.sub("[0-9A-F]{8}$", "", one["Ref"]) for one in policy["Properties"]["Roles"]]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"] if role in names else []:
            found = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if found[0].startswith("dynamodb:"):
                for table in referenced_ids(statement["Resource"]):
                    actions.setdefault(re.sub("(?<=OwnNotes).*", "", table), set()).update(found)
    return actions


OPERATIONS = {
    (path, method.upper()): operation
    for path, item in OPENAPI["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
}


# -- the OpenAPI document


@in_both_profiles
def test_the_deployed_methods_are_the_operations_of_the_openapi_document(template: Template) -> None:
    deployed = {key: method for key, method in methods(template).items() if key[1] not in ("ANY", "OPTIONS")}
    assert {key: method["OperationName"] for key, method in deployed.items()} == {
        key: operation["operationId"] for key, operation in OPERATIONS.items()
    }


@in_both_profiles
def test_every_path_answers_preflights_and_unsupported_methods(template: Template) -> None:
    for path in OPENAPI["paths"]:
        # For an unsupported method, the function answers with 405 and an Allow header.
        assert (
            access_of(methods(template)[path, "ANY"]) == EXPECTED_ACCESS[path.split("/")[1], path.endswith("/export")]
        )
        preflight = methods(template)[path, "OPTIONS"]
        assert preflight["Integration"]["PassthroughBehavior"] == "NEVER", "a body that is not JSON would cause a 500"
        assert not preflight["ApiKeyRequired"], "a browser sends no key with a preflight"
        (answer,) = preflight["Integration"]["IntegrationResponses"]
        headers = answer["ResponseParameters"]
        methods_header = headers["method.response.header.Access-Control-Allow-Methods"]
        expected = {"OPTIONS", *(method for operation_path, method in OPERATIONS if operation_path == path)}
        assert {*methods_header.strip("'").split(",")} == expected
        assert headers["method.response.header.Access-Control-Allow-Origin"] == ALLOWED_ORIGIN
        if path.endswith("{note_id}"):
            assert "PATCH" in methods_header


@in_both_profiles
def test_only_the_health_check_is_open(template: Template) -> None:
    checked = {key: method for key, method in methods(template).items() if key[1] != "OPTIONS"}
    open_routes = {key for key, method in checked.items() if access_of(method) == (False, "NONE", False)}
    assert open_routes == {("/v1/health", "GET")}
    assert open_routes == {key for key, operation in OPERATIONS.items() if operation.get("security") == []}


@in_both_profiles
def test_people_sign_in_to_version_2_and_programs_sign_the_export(template: Template) -> None:
    schemes = {"ApiKey": ("v1", False), "SignedIn": ("v2", False), "Signature": ("v2", True)}
    for key, operation in OPERATIONS.items():
        for scheme in operation.get("security", OPENAPI["security"]):
            assert access_of(methods(template)[key]) == EXPECTED_ACCESS[schemes[next(iter(scheme))]]
    authorizer = properties_of(template, "AWS::ApiGateway::Authorizer")
    assert authorizer["AuthorizerResultTtlInSeconds"] == 0, "a cached result could outlive the token"
    for method in methods(template).values():
        assert "AuthorizationScopes" not in method, "with scopes, API Gateway would ask for another kind of token"


@in_both_profiles
def test_each_version_has_a_function_with_rights_to_its_own_table_only(template: Template) -> None:
    functions = {key: called_function(method) for key, method in methods(template).items() if key[1] != "OPTIONS"}
    expected = {"v1": "Function76856677", "v2": "V2Function", "export": "ExportFunction"}
    for (path, _), function in functions.items():
        assert function.startswith(expected["export" if path == "/v2/export" else path.split("/")[1]])
    allowed = {role: dynamodb_actions(template, role) for role in ("Role", "V2Role", "ExportRole")}
    changes = {f"dynamodb:{action}Item" for action in ("Get", "Put", "Update", "Delete")} | {"dynamodb:Query"}
    assert allowed == {
        "Role": {"Notes5BB3582F": changes},
        "V2Role": {"OwnNotes": changes},
        "ExportRole": {"OwnNotes": {"dynamodb:Scan"}},
    }


@in_both_profiles
def test_api_gateway_refuses_bodies_that_are_not_json_objects(template: Template) -> None:
    (validator,) = resources(template, "AWS::ApiGateway::RequestValidator")
    assert properties_of(template, "AWS::ApiGateway::RequestValidator")["ValidateRequestBody"] is True
    (model,) = resources(template, "AWS::ApiGateway::Model")
    schema = properties_of(template, "AWS::ApiGateway::Model")["Schema"]
    assert schema == {"$schema": "http://json-schema.org/draft-04/schema#", "type": "object"}
    for key, operation in OPERATIONS.items():
        method = methods(template)[key]
        content = operation.get("requestBody", {}).get("content", {})
        assert method.get("RequestValidatorId") == ({"Ref": validator} if content else None)
        assert method.get("RequestModels", {}) == {media_type: {"Ref": model} for media_type in content}


@in_both_profiles
def test_api_gateway_sends_its_errors_as_problems(template: Template) -> None:
    statuses = {}
    for response in resources(template, "AWS::ApiGateway::GatewayResponse").values():
        properties = response["Properties"]
        text = properties["ResponseTemplates"]["application/json"]
        assert "$context.error" not in text, (
            "API Gateway's message may repeat a quotation mark from the request. Then the text is not valid JSON"
        )
        problem = json.loads(text)
        assert problem["type"] == "about:blank"
        assert problem["request_id"] == "$context.requestId"
        assert problem["title"]
        assert problem["detail"]
        assert str(problem.get("status")) == properties.get("StatusCode", "None")
        headers = properties["ResponseParameters"]
        assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == ALLOWED_ORIGIN
        statuses[properties["ResponseType"]] = properties.get("StatusCode")
        if properties.get("StatusCode") == "401":
            assert headers["gatewayresponse.header.WWW-Authenticate"] == "'Bearer'"
        if properties.get("StatusCode") == "429":
            assert re.fullmatch("'[0-9]+'", headers["gatewayresponse.header.Retry-After"])
    assert (
        statuses.items()
        >= {
            "MISSING_AUTHENTICATION_TOKEN": "404",
            "UNAUTHORIZED": "401",
            "ACCESS_DENIED": "403",
            "INVALID_API_KEY": "403",
            "THROTTLED": "429",
            "QUOTA_EXCEEDED": "429",
            "BAD_REQUEST_BODY": "422",
            "REQUEST_TOO_LARGE": "413",
            "DEFAULT_4XX": None,
            "DEFAULT_5XX": None,
        }.items()
    )


# -- the custom domain

DOMAIN = {
    "api_domain_name": "api.example.com",
    "api_certificate_arn": "arn:aws:acm:us-east-1:000000000000:certificate/0f",
}


def test_a_domain_is_regional_and_has_its_certificate_and_tls_1_2() -> None:
    assert properties_of(template_with("api", **DOMAIN), "AWS::ApiGateway::DomainName") == {
        "DomainName": "api.example.com",
        "EndpointConfiguration": {"Types": ["REGIONAL"]},
        "RegionalCertificateArn": DOMAIN["api_certificate_arn"],
        "SecurityPolicy": "TLS_1_2",
        "Tags": properties_of(SANDBOX, "AWS::ApiGateway::RestApi")["Tags"],
    }


@pytest.mark.parametrize(
    ("setting", "base_path", "url"),
    [
        ({}, {}, "https://api.example.com/"),
        ({"api_base_path": "shop"}, {"BasePath": "shop"}, "https://api.example.com/shop/"),
    ],
    ids=["no base path", "shop"],
)
def test_a_domain_leads_to_the_stage(setting: dict[str, str], base_path: dict[str, str], url: str) -> None:
    template = template_with("api", **DOMAIN, **setting)
    (domain,) = resources(template, "AWS::ApiGateway::DomainName")
    (api,) = resources(template, "AWS::ApiGateway::RestApi")
    (stage,) = resources(template, "AWS::ApiGateway::Stage")
    assert properties_of(template, "AWS::ApiGateway::BasePathMapping") == {
        "DomainName": {"Ref": domain},
        "RestApiId": {"Ref": api},
        "Stage": {"Ref": stage},  # without a stage, the URL would also contain the stage
        **base_path,
    }
    assert template["Outputs"]["DomainUrl"]["Value"] == url
    assert template["Outputs"]["DomainTarget"]["Value"] == {"Fn::GetAtt": [domain, "RegionalDomainName"]}


def test_the_default_address_still_works_with_a_domain() -> None:
    # The output ApiUrl, the smoke tests and the console use this address.
    template = template_with("api", **DOMAIN)
    assert not properties_of(template, "AWS::ApiGateway::RestApi").get("DisableExecuteApiEndpoint", False)
    assert template["Outputs"]["ApiUrl"] == SANDBOX["Outputs"]["ApiUrl"]


# -- limits


@in_both_profiles
def test_keys_and_methods_have_rate_limits(template: Template) -> None:
    plan = properties_of(template, "AWS::ApiGateway::UsagePlan")
    assert plan["Throttle"] == {"RateLimit": 10, "BurstLimit": 10}
    assert plan["Quota"] == {"Limit": 10_000, "Period": "DAY"}
    (stage,) = resources(template, "AWS::ApiGateway::Stage")
    assert [api_stage["Stage"] for api_stage in plan["ApiStages"]] == [{"Ref": stage}]
    settings = {
        (setting["ResourcePath"], setting["HttpMethod"]): setting
        for setting in properties_of(template, "AWS::ApiGateway::Stage")["MethodSettings"]
    }
    every = settings.pop(("/*", "*"))
    assert (every["ThrottlingRateLimit"], every["ThrottlingBurstLimit"]) == (50, 100)
    for (path, name), method in methods(template).items():
        if access_of(method) == (False, "NONE", False):
            setting = settings.pop((f"/{path.replace('/', '~1')}", name))
            limits = setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"]
            assert limits == (0.2, 20), f"anybody can call {name} {path} without a key, and AWS bills each call"
    assert settings == {}


@in_both_profiles
def test_the_timeout_of_the_function_is_shorter_than_the_timeout_of_api_gateway(template: Template) -> None:
    function = properties_of(template, "AWS::Lambda::Function", "Function")
    for key, method in methods(template).items():
        if key[1] != "OPTIONS":
            assert function["Timeout"] < method["Integration"]["TimeoutInMillis"] / 1000 <= 29


# -- grants


@in_both_profiles
def test_only_this_api_can_invoke_the_function(template: Template) -> None:
    permissions = [one["Properties"] for one in resources(template, "AWS::Lambda::Permission").values()]
    assert len(permissions) == 3, "one permission for each function"
    for permission in permissions:
        assert permission["Principal"] == "apigateway.amazonaws.com"
        parts = permission["SourceArn"]["Fn::Join"][1]
        assert {"Ref": "ApiF70053CD"} in parts
        assert parts[-1] == "/*/*/*"


# -- logs, metrics and alarms


@in_both_profiles
def test_the_access_log_has_one_line_of_json_for_each_request(template: Template) -> None:
    setting = properties_of(template, "AWS::ApiGateway::Stage")["AccessLogSetting"]
    stream = properties_of(template, "AWS::KinesisFirehose::DeliveryStream")
    assert setting["DestinationArn"] == {"Fn::GetAtt": ["AccessLogs", "Arn"]}
    assert stream["DeliveryStreamName"].startswith("amazon-apigateway-"), (
        "API Gateway writes only to streams with this prefix"
    )
    line = setting["Format"]
    assert line.endswith("}\n"), "Firehose adds no line breaks"
    assert line.count("\n") == 1, "API Gateway supports only one line"
    record = json.loads(re.sub(r"\$context\.[A-Za-z.]+", "-", line))
    assert {"request_id", "status", "api_key_id", "milliseconds", "error"} <= {*record}
    for field in ("userAgent", "path", "protocol", "caller", "requestOverride", "queryString"):
        assert f"$context.{field}" not in line, f"{field} may contain a quotation mark. Then the line is not valid JSON"
        assert f"$context.identity.{field}" not in line, (
            f"{field} may contain a quotation mark. Then the line is not valid JSON"
        )


@in_both_profiles
def test_access_logs_are_private_and_expire_when_other_logs_expire(template: Template) -> None:
    bucket = properties_of(template, "AWS::S3::Bucket")
    retention = properties_of(template, "AWS::Logs::LogGroup", "Logs")["RetentionInDays"]
    assert [rule["ExpirationInDays"] for rule in bucket["LifecycleConfiguration"]["Rules"]] == [retention]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (policy,) = resources(template, "AWS::S3::BucketPolicy").values()
    denied = policy["Properties"]["PolicyDocument"]["Statement"][0]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_access_logs_never_expire_if_other_logs_never_expire() -> None:
    stack = ApiStack(
        cdk.App(context=NO_BUNDLING),
        "InfiniteLogs",
        retain_data=False,
        log_retention=RetentionDays.INFINITE,
        allowed_origin="*",
    )
    (bucket,) = resources(dict(Synthesized.from_stack(stack).to_json()), "AWS::S3::Bucket").values()
    (rule,) = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert "ExpirationInDays" not in rule


def test_cloudformation_deletes_the_stream_before_it_empties_the_access_log_bucket() -> None:
    (emptier,) = resources(SANDBOX, "Custom::S3AutoDeleteObjects")
    (stream,) = resources(SANDBOX, "AWS::KinesisFirehose::DeliveryStream").values()
    assert emptier in stream["DependsOn"]


@in_both_profiles
def test_cloudformation_creates_the_grants_of_the_stream_before_the_stream(template: Template) -> None:
    (stream,) = resources(template, "AWS::KinesisFirehose::DeliveryStream").values()
    (policy,) = [name for name in resources(template, "AWS::IAM::Policy") if name.startswith("AccessLogsRole")]
    assert policy in stream["DependsOn"]


@in_both_profiles
def test_api_gateway_and_the_function_write_traces_and_metrics(template: Template) -> None:
    stage = properties_of(template, "AWS::ApiGateway::Stage")
    assert stage["TracingEnabled"] is True
    without_metrics = {
        settings["HttpMethod"] for settings in stage["MethodSettings"] if not settings.get("MetricsEnabled")
    }
    assert without_metrics == {"OPTIONS"}, "the five metrics of a method cost $1.50 a month"
    assert properties_of(template, "AWS::Lambda::Function", "Function")["TracingConfig"] == {"Mode": "Active"}


@pytest.mark.parametrize(
    ("template", "metrics"),
    [
        # Clients also get a 5xx error if the function is throttled. More alarms would cost more than the whole example.
        (SANDBOX, {"5XXError"}),
        (PRODUCTION, {"5XXError", "Latency", "Throttles"}),
    ],
    ids=["sandbox", "production"],
)
def test_alarms_watch_the_stage_of_this_deployment(template: Template, metrics: set[str]) -> None:
    alarms = {
        alarm["Properties"]["MetricName"]: alarm["Properties"]
        for alarm in resources(template, "AWS::CloudWatch::Alarm").values()
    }
    assert {*alarms} == metrics
    name = properties_of(template, "AWS::ApiGateway::RestApi")["Name"]
    assert name == stack_name("api"), "with the same name, two deployments would mix their metrics"
    (stage,) = resources(template, "AWS::ApiGateway::Stage")
    for metric in metrics - {"Throttles"}:
        assert {one["Name"]: one["Value"] for one in alarms[metric]["Dimensions"]} == {
            "ApiName": name,
            "Stage": {"Ref": stage},
        }
    if "Latency" in alarms:
        assert alarms["Latency"]["ExtendedStatistic"] == "p99"


def test_only_production_has_a_dashboard() -> None:
    assert resources(SANDBOX, "AWS::CloudWatch::Dashboard") == {}
    body = properties_of(PRODUCTION, "AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else "x" for part in body)
    titles = [widget["properties"]["title"] for widget in json.loads(text)["widgets"]]
    assert titles == [
        *("Alarms", "Requests", "Milliseconds"),
        *("Function of version 1", "Function of version 2", "Function of the export"),
        *("Table of version 1", "Table of version 2"),
    ]
    shown = {part["Ref"] for part in body if isinstance(part, dict) and "Ref" in part}
    shown_kinds = ("AWS::Lambda::Function", "AWS::DynamoDB::Table")
    missing = {name for kind in shown_kinds for name in resources(PRODUCTION, kind)} - shown
    assert not missing, f"the dashboard in stacks/api_watch.py shows nothing about {missing}"


def test_the_logical_ids_of_the_api_and_of_its_key_never_change() -> None:
    """With other logical ids, the API gets another URL and another key, but clients still use the old URL and key."""
    assert set(resources(PRODUCTION, "AWS::ApiGateway::RestApi")) == {"ApiF70053CD"}
    assert set(resources(PRODUCTION, "AWS::ApiGateway::ApiKey")) == {"Key961B73FD"}


def test_the_logical_ids_of_the_stores_never_change() -> None:
    """With another logical id, CloudFormation creates a new and empty store."""
    assert set(resources(PRODUCTION, "AWS::DynamoDB::Table")) == {"Notes5BB3582F", "OwnNotes25EBAEFD"}
    assert set(resources(PRODUCTION, "AWS::Cognito::UserPool")) == {"Users0A0EEA89"}


# -- people and programs


@in_both_profiles
def test_strangers_cannot_create_users(template: Template) -> None:
    users = properties_of(template, "AWS::Cognito::UserPool")
    assert users["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    assert users["UserPoolTier"] == "LITE"
    assert users["MfaConfiguration"] == "OPTIONAL"
    assert users["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
    policy = users["Policies"]["PasswordPolicy"]
    assert policy["MinimumLength"] == 12
    assert all(policy[f"Require{kind}"] for kind in ("Lowercase", "Uppercase", "Numbers", "Symbols"))


def test_a_setting_lets_everybody_sign_up() -> None:
    users = properties_of(template_with("api", api_self_sign_up="true"), "AWS::Cognito::UserPool")
    assert users["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is False


@pytest.mark.parametrize(("template", "protection"), [(SANDBOX, "INACTIVE"), (PRODUCTION, "ACTIVE")])
def test_only_production_protects_the_users(template: Template, protection: str) -> None:
    assert properties_of(template, "AWS::Cognito::UserPool")["DeletionProtection"] == protection


@in_both_profiles
def test_the_public_client_has_no_secret_and_sends_no_password(template: Template) -> None:
    app = properties_of(template, "AWS::Cognito::UserPoolClient", "UsersApp")
    assert not app.get("GenerateSecret")
    assert {*app["ExplicitAuthFlows"]} == {"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
    assert app["AllowedOAuthFlows"] == ["code"]
    assert app["CallbackURLs"] == ["http://localhost:8000/"]
    script = properties_of(template, "AWS::Cognito::UserPoolClient", "UsersScript")
    assert {*script["ExplicitAuthFlows"]} == {"ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
    assert script["AllowedOAuthFlowsUserPoolClient"] is False
    for client in (app, script):
        assert client["IdTokenValidity"] == 15, "API Gateway accepts the token of a deleted user until it expires"
        assert client["TokenValidityUnits"]["IdToken"] == "minutes"
        assert client["RefreshTokenValidity"] == 24 * 60
        assert client["PreventUserExistenceErrors"] == "ENABLED"
        assert client["EnableTokenRevocation"] is True


@in_both_profiles
def test_the_role_for_exports_can_only_export(template: Template) -> None:
    (policy,) = [one for name, one in resources(template, "AWS::IAM::Policy").items() if name.startswith("Exporter")]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    assert statement["Resource"]["Fn::Join"][1][-1] == "/live/GET/v2/export"


# -- the table


@in_both_profiles
def test_the_table_of_a_person_has_partitions_by_owner(template: Template) -> None:
    table = properties_of(template, "AWS::DynamoDB::Table", "OwnNotes")
    assert table["KeySchema"] == [
        {"AttributeName": "owner", "KeyType": "HASH"},
        {"AttributeName": "id", "KeyType": "RANGE"},
    ]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    (index,) = table["LocalSecondaryIndexes"]
    assert index["KeySchema"] == [
        {"AttributeName": "owner", "KeyType": "HASH"},
        {"AttributeName": "created", "KeyType": "RANGE"},
    ]
    assert "body" not in index["Projection"]["NonKeyAttributes"]


@in_both_profiles
def test_the_table_and_its_index_have_the_keys_that_queries_need(template: Template) -> None:
    table = properties_of(template, "AWS::DynamoDB::Table", "Notes")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["KeySchema"] == [
        {"AttributeName": "collection", "KeyType": "HASH"},
        {"AttributeName": "created", "KeyType": "RANGE"},
    ]
    assert "body" not in index["Projection"]["NonKeyAttributes"], (
        "with bodies, a page of notes could be larger than the limit of a response"
    )
