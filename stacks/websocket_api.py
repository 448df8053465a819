"""The WebSocket API in API Gateway: its routes, its stage with limits, and its access log."""

import json
from typing import cast

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_authorizers import WebSocketLambdaAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import WebSocketLambdaIntegration

from stacks._nag import acknowledge

STAGE = "live"
MESSAGE_ROUTES = ("send", "resume", "$default")
"""The routes whose function answers the client."""
RATE, BURST = 50, 100
"""Limits of each route, for all clients together: messages a second on average, and at once. 250 typing people send 50
messages a second. A new account can run only ten functions at once, and one of them answers 50 messages a second."""
ACCESS_LOG = {
    "time": "requestTimeEpoch",
    "request_id": "requestId",
    "connection_id": "connectionId",
    "source_ip": "identity.sourceIp",
    "event": "eventType",
    "route": "routeKey",
    "status": "status",
    "function_milliseconds": "integration.latency",
}
"""The fields of a line in the access log. They contain no ticket, and no text that a client could put quotes into."""


def board_api(
    stack: Stack, id_: str, authorizer: lambda_.IFunction, routes: lambda_.IFunction
) -> apigateway.WebSocketStage:
    """Return the stage of a new API. `authorizer` decides about each connection, `routes` answers each message."""

    def integration(name: str) -> WebSocketLambdaIntegration:
        return WebSocketLambdaIntegration(name, routes)

    api = apigateway.WebSocketApi(
        stack,
        id_,
        api_name=stack.stack_name,
        description="A live board",
        route_selection_expression="$request.body.action",
        connect_route_options=apigateway.WebSocketRouteOptions(
            integration=integration("Connect"),
            authorizer=WebSocketLambdaAuthorizer(
                "Tickets", authorizer, identity_source=["route.request.querystring.ticket"]
            ),
        ),
        disconnect_route_options=apigateway.WebSocketRouteOptions(integration=integration("Disconnect")),
    )
    for permission in api.node.children:
        # CDK puts the stack's name into the id of the authorizer's permission. So another prefix would mean another id.
        if permission.node.id.endswith("-Permission"):
            cast("lambda_.CfnPermission", permission).override_logical_id("TicketsPermission")
    for key in MESSAGE_ROUTES:
        api.add_route(key, integration=integration(f"Route{key}"), return_response=True)
    stage = apigateway.WebSocketStage(
        stack,
        f"{id_}Stage",
        web_socket_api=api,
        stage_name=STAGE,
        auto_deploy=True,
        throttle=apigateway.ThrottleSettings(rate_limit=RATE, burst_limit=BURST),
    )
    for route in (each for each in api.node.children if isinstance(each, apigateway.WebSocketRoute)):
        if route.route_key != "$connect":
            acknowledge(
                route,
                "AwsSolutions-APIG4",
                "API Gateway authorizes a connection at $connect, and accepts no authorizer for other routes.",
            )
    acknowledge(
        stage,
        "AwsSolutions-APIG1",
        "The access log needs a role in the settings of the account, so it is the setting websocket_access_log. The "
        "functions write a line for each connection and message.",
    )
    return stage


def add_access_log(
    stage: apigateway.WebSocketStage, *, log_retention: logs.RetentionDays, removal: RemovalPolicy
) -> None:
    """Add a log group with a line for each connection, message and disconnection.

    API Gateway writes it with the role in the settings of the account, and refuses the stage if there is none.
    """
    log_group = logs.LogGroup(Stack.of(stage), "AccessLogs", retention=log_retention, removal_policy=removal)
    line = json.dumps({name: f"$context.{variable}" for name, variable in ACCESS_LOG.items()}, separators=(",", ":"))
    cast(
        "apigateway.CfnStage", stage.node.default_child
    ).access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
        destination_arn=log_group.log_group_arn, format=line
    )
