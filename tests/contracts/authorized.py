"""Nobody can call an API of API Gateway, version 2, without authorization.

API Gateway authorizes a WebSocket connection once, at $connect, and accepts no authorizer for the other routes. So all
messages of a connection have the permissions that it got at the beginning, for at most two hours. Without a $connect
route, everybody can connect.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html
"""

from collections.abc import Iterator
from typing import Any

from tests.contracts.reading import name_of
from tools.templates import Template, resources

AUTHORIZER = "AWS::ApiGatewayV2::Authorizer"


def faults(template: Template) -> list[str]:
    """Return the APIs that everybody can use, and the routes whose authorization AWS refuses."""
    return [
        fault
        for name, api in resources(template, "AWS::ApiGatewayV2::Api").items()
        for fault in _api_faults(template, name, api["Properties"].get("ProtocolType"))
    ]


def _api_faults(template: Template, api: str, protocol: Any) -> Iterator[str]:
    routes = {
        name: route["Properties"]
        for name, route in resources(template, "AWS::ApiGatewayV2::Route").items()
        if name_of(route["Properties"]["ApiId"]) == api
    }
    websocket = protocol == "WEBSOCKET"
    if websocket and not any(route["RouteKey"] == "$connect" for route in routes.values()):
        yield f"{api} has no $connect route, so everybody can connect"
    for name, route in routes.items():
        kind = route.get("AuthorizationType", "NONE")
        if websocket and route["RouteKey"] != "$connect":
            if kind != "NONE":
                yield f"{name} has authorization, but AWS accepts it only for $connect"
        elif kind == "NONE":
            yield f"{name} accepts everybody"
        elif kind == "CUSTOM" and name_of(route.get("AuthorizerId")) not in resources(template, AUTHORIZER):
            yield f"{name} has no authorizer of the stack"
