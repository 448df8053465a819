"""These tests check the most important properties of the websocket stack. test_snapshots.py compares its templates."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from stacks.websocket_broadcast import MANAGEMENT_ENDPOINT
from tests.support.apps import get_att, properties_of, template_with, templates
from tools.templates import Template, resources
from websocket.store import AWS_CONFIG

SANDBOX = templates("sandbox")["websocket"]
PRODUCTION = templates("production")["websocket"]
in_both_profiles = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])


def routes(template: Template) -> Mapping[str, Any]:
    """Return the properties of each route, by its key."""
    found = resources(template, "AWS::ApiGatewayV2::Route").values()
    return {route["Properties"]["RouteKey"]: route["Properties"] for route in found}


def function_of(template: Template, module: str) -> Any:
    """Return the properties of the function whose handler is in this module."""
    functions = [function["Properties"] for function in resources(template, "AWS::Lambda::Function").values()]
    (found,) = [function for function in functions if function["Handler"] == f"websocket.{module}.handler"]
    return found


def actions_of(template: Template, role: str) -> dict[str, set[str]]:
    """Return the allowed actions of a role by the resource, which is JSON text."""
    allowed: dict[str, set[str]] = {}
    for name, policy in resources(template, "AWS::IAM::Policy").items():
        if name.startswith(f"{role}Role"):
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                actions, targets = statement["Action"], statement["Resource"]
                for target in targets if isinstance(targets, list) else [targets]:
                    allowed.setdefault(json.dumps(target), set()).update(
                        actions if isinstance(actions, list) else [actions]
                    )
    return allowed


# -- the API


@in_both_profiles
def test_a_connection_needs_a_ticket(template: Template) -> None:
    connect = routes(template)["$connect"]
    authorizer = properties_of(template, "AWS::ApiGatewayV2::Authorizer")
    assert connect["AuthorizationType"] == "CUSTOM"
    assert list(connect["AuthorizerId"]) == ["Ref"]
    assert authorizer["AuthorizerType"] == "REQUEST"
    assert authorizer["IdentitySource"] == ["route.request.querystring.ticket"]


@in_both_profiles
def test_the_client_gets_an_answer_to_each_message(template: Template) -> None:
    assert set(routes(template)) == {"$connect", "$disconnect", "$default", "send", "resume"}
    answered = {
        template["Resources"][response["Properties"]["RouteId"]["Ref"]]["Properties"]["RouteKey"]
        for response in resources(template, "AWS::ApiGatewayV2::RouteResponse").values()
    }
    assert answered == {"$default", "send", "resume"}
    assert all(routes(template)[key]["RouteResponseSelectionExpression"] == "$default" for key in answered)


@in_both_profiles
def test_each_route_has_limits(template: Template) -> None:
    stage = properties_of(template, "AWS::ApiGatewayV2::Stage")
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 50, "ThrottlingBurstLimit": 100}
    assert "RouteSettings" not in stage


def test_the_access_log_is_a_setting() -> None:
    assert "AccessLogSettings" not in properties_of(SANDBOX, "AWS::ApiGatewayV2::Stage")
    template = template_with("websocket", websocket_access_log="true")
    settings = properties_of(template, "AWS::ApiGatewayV2::Stage")["AccessLogSettings"]
    assert settings["DestinationArn"] == get_att(template, "AccessLogs")
    line = json.loads(settings["Format"])
    assert line["connection_id"] == "$context.connectionId"
    assert not any("querystring" in str(value) for value in line.values())  # the ticket must not be in the log


# -- functions and permissions


@in_both_profiles
def test_only_the_authorizer_uses_tickets_and_only_the_issuer_writes_them(template: Template) -> None:
    tickets = json.dumps(get_att(template, "Tickets"))
    assert actions_of(template, "Authorizer")[tickets] == {"dynamodb:DeleteItem"}
    assert actions_of(template, "Issuer")[tickets] == {"dynamodb:PutItem"}
    assert tickets not in {*actions_of(template, "Routes"), *actions_of(template, "Broadcaster")}


@in_both_profiles
def test_the_broadcaster_sends_only_to_clients_of_this_api(template: Template) -> None:
    (api,) = resources(template, "AWS::ApiGatewayV2::Api")
    allowed = [
        target
        for role in ("Authorizer", "Broadcaster", "Issuer", "Routes")
        for target, actions in actions_of(template, role).items()
        if any("execute-api" in action for action in actions)
    ]
    assert sorted(json.loads(target)["Fn::Join"][1][-2:] for target in allowed) == [
        [{"Ref": api}, "/live/DELETE/@connections/*"],
        [{"Ref": api}, "/live/POST/@connections/*"],
    ]


@in_both_profiles
def test_nobody_but_api_gateway_is_in_a_resource_policy(template: Template) -> None:
    permissions = [each["Properties"] for each in resources(template, "AWS::Lambda::Permission").values()]
    assert {permission["Principal"] for permission in permissions} == {"apigateway.amazonaws.com"}
    assert all("SourceArn" in permission for permission in permissions)
    functions = {permission["FunctionName"]["Fn::GetAtt"][0] for permission in permissions}
    assert {name.rstrip("0123456789ABCDEF") for name in functions} == {"Authorizer", "Routes"}


@in_both_profiles
def test_the_sdk_finds_the_connections_of_the_api(template: Template) -> None:
    address = function_of(template, "broadcast")["Environment"]["Variables"][MANAGEMENT_ENDPOINT]
    assert address["Fn::Join"][1][0] == "https://"
    assert address["Fn::Join"][1][-1] == "/live"


@in_both_profiles
def test_functions_have_time_for_all_tries(template: Template) -> None:
    config: Any = AWS_CONFIG
    seconds = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout)
    for module in ("authorizer", "handler", "tickets"):
        assert seconds < function_of(template, module)["Timeout"] < 29


# -- the broadcast


@in_both_profiles
def test_each_stored_message_is_broadcast_and_nothing_else(template: Template) -> None:
    assert properties_of(template, "AWS::DynamoDB::Table", "Messages")["StreamSpecification"] == {
        "StreamViewType": "NEW_IMAGE"
    }
    mapping = properties_of(template, "AWS::Lambda::EventSourceMapping")
    assert mapping["StartingPosition"] == "TRIM_HORIZON"  # otherwise the first messages after a deployment are skipped
    (one,) = mapping["FilterCriteria"]["Filters"]
    assert json.loads(one["Pattern"]) == {
        "eventName": ["INSERT"],
        "dynamodb": {"NewImage": {"key": {"S": [{"prefix": "message#"}]}}},
    }


@in_both_profiles
def test_a_message_that_cannot_be_broadcast_becomes_a_dead_letter(template: Template) -> None:
    mapping = properties_of(template, "AWS::Lambda::EventSourceMapping")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["MaximumRecordAgeInSeconds"] == 300
    assert mapping["MaximumRetryAttempts"] == 10
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": get_att(template, "DeadLetters")}}


@in_both_profiles
@pytest.mark.parametrize("table", ["Tickets", "Connections", "Messages"])
def test_items_of_each_table_expire(template: Template, table: str) -> None:
    expiry = properties_of(template, "AWS::DynamoDB::Table", table)["TimeToLiveSpecification"]
    assert expiry == {"AttributeName": "expires_at", "Enabled": True}


# -- alarms


@pytest.mark.parametrize(
    ("template", "names"),
    [
        (SANDBOX, {"ConnectErrors", "DeadLettersVisible", "MessageErrors"}),
        (
            PRODUCTION,
            {"ConnectErrors", "DeadLettersVisible", "MessageErrors"}
            | {"BroadcastErrors", "LateBroadcasts", "Throttles"},
        ),
    ],
    ids=["sandbox", "production"],
)
def test_alarms(template: Template, names: set[str]) -> None:
    assert {name.split("Alarm")[0] for name in resources(template, "AWS::CloudWatch::Alarm")} == names
