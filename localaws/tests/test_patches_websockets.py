"""Tests of the patches of WebSocket APIs. Each test compares the stock engine with the patched engine."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import Client
from helpers import deploy_stack, own_client
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

SECONDS = 10
CODE = """\
import os
calls = []
def handler(event, _):
    body = event.get('body')
    calls.append(body)
    print('got', body)
    if body == 'fail':
        raise ValueError('a bug')
    answers = {'number of calls': str(len(calls)), 'address': os.environ['AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI']}
    return {'statusCode': 200, 'body': answers.get(body, event['requestContext']['connectionId'])}
"""


class Api:
    """A WebSocket API with the routes $connect and $default, which one function answers."""

    def __init__(self, client: Client, *, answers: bool, permission: bool = True, role: bool = False) -> None:
        self.client = client
        self.name = f"sockets-{uuid.uuid4().hex[:8]}"
        api = {"ApiId": {"Ref": "Api"}}
        function = {
            "FunctionName": self.name,
            "Runtime": "python3.14",
            "Handler": "index.handler",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"ZipFile": CODE},
            "LoggingConfig": {"LogGroup": {"Ref": "Logs"}},
            "Environment": {
                "Variables": {
                    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": {
                        "Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.amazonaws.com/live"
                    }
                }
            },
        }
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
        logs = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
        uri = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"
        source = "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*"
        allowed = {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": "Function"},
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": {"Fn::Sub": source},
        }
        target = {"Fn::Sub": "integrations/${Integration}"}
        resources: dict[str, tuple[str, Any]] = {
            "Role": (
                "AWS::IAM::Role",
                {
                    "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                    "Policies": [
                        {"PolicyName": "logs", "PolicyDocument": {"Version": "2012-10-17", "Statement": [logs]}}
                    ],
                },
            ),
            "Logs": ("AWS::Logs::LogGroup", {"LogGroupName": self.name}),
            "Function": ("AWS::Lambda::Function", function),
            "Api": (
                "AWS::ApiGatewayV2::Api",
                {"Name": self.name, "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"},
            ),
            "Integration": (
                "AWS::ApiGatewayV2::Integration",
                {
                    **api,
                    "IntegrationType": "AWS_PROXY",
                    "IntegrationUri": {"Fn::Sub": uri},
                    **({"CredentialsArn": {"Fn::GetAtt": ["Role", "Arn"]}} if role else {}),
                },
            ),
            "Default": ("AWS::ApiGatewayV2::Route", {**api, "RouteKey": "$default", "Target": target}),
            "Stage": ("AWS::ApiGatewayV2::Stage", {**api, "StageName": "live", "AutoDeploy": True}),
        }
        if permission:
            resources["Permission"] = ("AWS::Lambda::Permission", allowed)
        if answers:
            response = {**api, "RouteId": {"Ref": "Default"}, "RouteResponseKey": "$default"}
            resources["Response"] = ("AWS::ApiGatewayV2::RouteResponse", response)
        ids = deploy_stack(client, self.name, resources, Capabilities=["CAPABILITY_IAM"])
        self.endpoint = client("s3").meta.endpoint_url
        self.path = f"/_aws/execute-api/{ids['Api']}"

    @contextmanager
    def connection(self, stage: str = "live") -> Iterator[ClientConnection]:
        with connect(f"{self.endpoint.replace('http', 'ws', 1)}{self.path}/{stage}", proxy=None) as connection:
            yield connection

    def ask(self, text: str) -> str | None:
        """Send a message, and return the answer. Return None if there is no answer within a second."""
        with self.connection() as connection:
            connection.send(text)
            try:
                return str(connection.recv(timeout=2))
            except TimeoutError:
                return None


def test_the_client_gets_an_answer_only_with_a_route_response(stock: Client, patched: Client) -> None:
    with pytest.raises(ClientError, match="RouteResponse"):
        Api(stock, answers=True)
    assert Api(stock, answers=False).ask("hello")
    assert Api(patched, answers=False).ask("hello") is None
    api = Api(patched, answers=True)
    assert api.ask("hello")
    failure = json.loads(api.ask("fail") or "null")
    assert failure["message"] == "Internal server error"
    assert set(failure) == {"message", "connectionId", "requestId"}


def test_the_default_route_gets_only_messages(stock: Client, patched: Client) -> None:
    def log(client: Client, *, answers: bool) -> str:
        with Api(client, answers=answers).connection() as connection:
            connection.send("number of calls")
            return str(connection.recv(timeout=SECONDS))

    assert int(log(stock, answers=False)) > 1
    assert int(log(patched, answers=True)) == 1


def has_log(client: Client, *, answers: bool) -> bool:
    api = Api(client, answers=answers)
    assert api.ask("hello log")
    events = client("logs").filter_log_events(logGroupName=api.name)["events"]
    return any("hello log" in event["message"] for event in events)


def test_the_log_of_the_function_is_kept(stock: Client, patched: Client) -> None:
    assert not has_log(stock, answers=False)
    assert has_log(patched, answers=True)


def test_the_policy_of_the_function_must_allow_api_gateway(stock: Client, patched: Client) -> None:
    assert Api(stock, answers=False, permission=False).ask("hello")
    answer = Api(patched, answers=True, permission=False).ask("hello") or ""
    assert json.loads(answer)["message"] == "Internal server error"


def test_api_gateway_may_use_a_role_instead_of_the_policy_of_the_function(patched: Client) -> None:
    api = Api(patched, answers=True, permission=False, role=True)
    assert "Internal server error" not in (api.ask("hello") or "Internal server error")
    gateway = patched("apigatewayv2")
    ids = {"ApiId": api.path.rsplit("/", 1)[-1]}
    (integration,) = gateway.get_integrations(**ids)["Items"]
    ids["IntegrationId"] = integration["IntegrationId"]
    gateway.update_integration(**ids, CredentialsArn="")
    assert "Internal server error" in (api.ask("hello") or "")
    gateway.update_integration(**ids, CredentialsArn=integration["CredentialsArn"])
    assert "Internal server error" not in (api.ask("hello") or "Internal server error")


def test_the_function_has_the_address_of_the_local_api(stock: Client, patched: Client) -> None:
    assert (Api(stock, answers=False).ask("address") or "").startswith("https://")
    api = Api(patched, answers=True)
    assert api.ask("address") == f"{api.endpoint}{api.path}/live"


def connection_api(api: Api, client: Client) -> Any:
    management = own_client(client, "apigatewaymanagementapi")
    event = "before-sign.apigatewaymanagementapi"

    def use_address(request: Any, **_: Any) -> None:
        request.url = request.url.replace(api.endpoint, f"{api.endpoint}{api.path}/live")

    management.meta.events.register_first(event, use_address)
    return management


def test_a_connection_has_the_properties_of_aws(stock: Client, patched: Client) -> None:
    for client, answers in ((stock, False), (patched, True)):
        api = Api(client, answers=answers)
        management = connection_api(api, client)
        with api.connection() as connection:
            connection.send("hello")
            identifier = str(connection.recv(timeout=SECONDS))
            description = management.get_connection(ConnectionId=identifier)
            large = b"x" * (128 * 1024 + 1)
            if client is stock:
                assert "ConnectedAt" not in description
                continue
            assert description["ConnectedAt"] <= description["LastActiveAt"]
            assert description["Identity"]["SourceIp"] == "127.0.0.1"
            management.post_to_connection(ConnectionId=identifier, Data=large[1:])
            assert len(connection.recv(timeout=SECONDS)) == 128 * 1024
            with pytest.raises(ClientError, match="PayloadTooLargeException"):
                management.post_to_connection(ConnectionId=identifier, Data=large)


def test_a_stage_must_exist(stock: Client, patched: Client) -> None:
    with Api(stock, answers=False).connection("other"):
        pass
    with pytest.raises(InvalidStatus, match="403"), Api(patched, answers=False).connection("other"):
        pass


def test_a_large_message_closes_the_connection(stock: Client, patched: Client) -> None:
    large = "x" * (128 * 1024 + 1)
    assert Api(stock, answers=False).ask(large)
    api = Api(patched, answers=True)
    assert api.ask(large[1:])
    with pytest.raises(ConnectionClosedError, match="1009"):
        api.ask(large)
