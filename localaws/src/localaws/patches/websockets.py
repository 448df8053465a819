"""Patches of the WebSocket APIs of API Gateway."""

import datetime as dt
import fnmatch
import json
import os
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.arn import execute_api_route_arn
from ministack.services import apigateway, lambda_svc

from localaws.patches.cloudformation import Properties, add_type, call_after_provisioning, require_success
from localaws.urls import local_url

MANAGEMENT_ENDPOINT = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"
"""The variable from which the SDKs read the address at which an API accepts messages for its clients.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""
MAX_MESSAGE = 128 * 1024
"""The maximum size of a message in bytes.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
"""
_TOO_LARGE = 1009
"""The close code for a message that is too large."""
_FAILED = "\x04 failed"
"""The body of the answer of a function that failed. It begins with a control character."""


def add_route_responses() -> None:
    """Send a function's answer to the client only if the route has a route response.

    Stock engine: rejects templates with a route response, and sends each answer to the client.
    AWS: sends an answer only if the route has a route response. If the function fails, the client gets the message
    `Internal server error`.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-response.html
    Upstream issue: none known.
    """
    add_type(
        "AWS::ApiGatewayV2::RouteResponse",
        _create_route_response,
        _delete_route_response,
        _update_route_response,
        create_only=("ApiId", "RouteId"),
    )
    stock_invoke = apigateway._invoke_ws_lambda

    async def invoke(api_id: str, *arguments: Any, **options: Any) -> Any:
        answer = await stock_invoke(api_id, *arguments, **options)
        route, connection, kind, message = arguments[2], *arguments[4:7]
        if kind != "MESSAGE" or not answer:
            return answer
        if answer.get("body") == _FAILED:
            failure = {"message": "Internal server error", "connectionId": connection, "requestId": message}
            return {"statusCode": 500, "body": json.dumps(failure)}
        responses = apigateway._route_responses.get(api_id, {}).get(route["routeId"])
        return answer if responses else {**answer, "body": ""}

    apigateway._invoke_ws_lambda = invoke


def _route(properties: Properties) -> tuple[str, str]:
    # In the stock engine, the physical id of a route also contains the id of the API.
    return properties["ApiId"], properties["RouteId"].rsplit("/", 1)[-1]


def _create_route_response(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Properties]:
    data = {"routeResponseKey": properties["RouteResponseKey"]}
    response_id = require_success(apigateway._create_route_response(*_route(properties), data))["routeResponseId"]
    return response_id, {"RouteResponseId": response_id}


def _update_route_response(
    response_id: str, _old: Properties, properties: Properties, _stack: str
) -> tuple[str, Properties]:
    data = {"routeResponseKey": properties["RouteResponseKey"]}
    apigateway._update_route_response(*_route(properties), response_id, data)
    return response_id, {"RouteResponseId": response_id}


def _delete_route_response(response_id: str, properties: Properties) -> None:
    apigateway._delete_route_response(*_route(properties), response_id)


def keep_default_route_for_messages() -> None:
    """Do not use the route $default for connections and disconnections.

    Stock engine: uses $default if the API has no route $connect or $disconnect.
    AWS: uses $default only for messages.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html
    Upstream issue: none known.
    """
    stock_match = apigateway._match_ws_route

    def match(api_id: str, key: str) -> Any:
        route = stock_match(api_id, key)
        return route if route and (route["routeKey"] == key or key not in ("$connect", "$disconnect")) else None

    apigateway._match_ws_route = match


def invoke_functions_as_usual() -> None:
    """Invoke the function of a route as other functions: with its log, its metrics and several environments.

    Stock engine: sends all messages to one environment, and loses the log and the metrics of the function.
    AWS: there is no difference between these invocations and others.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integration-requests.html
    Upstream issue: none known.
    """

    class Environments:
        def __init__(self, name: str, config: Any, _code: bytes, qualifier: str) -> None:  # noqa: ARG002 - stock name
            self._record = lambda_svc._execution_record_for_config(lambda_svc._functions[name], config)

        def invoke(self, event: Any, _request_id: str) -> dict[str, Any]:
            result = lambda_svc._execute_function(self._record, event)
            if result.get("error") or result.get("throttle"):
                return {"status": "error", "error": _FAILED}
            return {"status": "ok", "result": lambda_svc.lambda_execute_result_to_api_proxy_response(result)[0]}

    lambda_runtime.get_or_create_worker = Environments


def require_permission_to_invoke() -> None:
    """Invoke the function of a route or of an authorizer only if the function's resource policy allows it.

    Stock engine: invokes every function. It does not store the role of an integration.
    AWS: the policy of the function must allow API Gateway to invoke it, for this route or authorizer. If the
    integration or the authorizer names a role (CredentialsArn, AuthorizerCredentialsArn), AWS uses this role instead.
    This patch then always invokes the function.
    https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html#apigateway-permissions
    Upstream issue: none known.
    """
    stock_invoke, stock_authorize = apigateway._invoke_ws_lambda, apigateway._invoke_request_authorizer_lambda

    async def invoke(api_id: str, account: str, region: str, route: Any, stage: str, *rest: Any, **options: Any) -> Any:
        integration = apigateway._integrations.get(api_id, {}).get(route.get("target", "").rsplit("/", 1)[-1], {})
        source = execute_api_route_arn(region, account, api_id, stage, route["routeKey"])
        uri = integration.get("integrationUri")
        if uri and not integration.get("credentialsArn") and not _is_allowed(uri, source):
            return {"statusCode": 500, "body": _FAILED}
        return await stock_invoke(api_id, account, region, route, stage, *rest, **options)

    async def authorize(authorizer: Any, event: Any, account: str, region: str) -> Any:
        api_arn = event.get("methodArn", event.get("routeArn", "")).split("/")[0]
        source = f"{api_arn}/authorizers/{authorizer['authorizerId']}"
        if not authorizer.get("authorizerCredentialsArn") and not _is_allowed(authorizer["authorizerUri"], source):
            return None
        return await stock_authorize(authorizer, event, account, region)

    apigateway._invoke_ws_lambda, apigateway._invoke_request_authorizer_lambda = invoke, authorize
    call_after_provisioning("AWS::ApiGatewayV2::Integration", _store_role_of_template)
    for name in ("_create_integration", "_update_integration"):
        setattr(apigateway, name, _store_role(getattr(apigateway, name)))


def _store_role_of_template(properties: Properties, integration_id: str) -> None:
    if role := properties.get("CredentialsArn"):
        apigateway._integrations[properties["ApiId"]][integration_id]["credentialsArn"] = role


def _store_role(stock_call: Callable[..., Any]) -> Callable[..., Any]:
    def call_and_store(api_id: str, *rest: Any) -> Any:
        *_, request = rest
        status, headers, body = stock_call(api_id, *rest)
        if status < HTTPStatus.BAD_REQUEST and "credentialsArn" in request:
            integration = apigateway._integrations[api_id][json.loads(body)["integrationId"]]
            integration["credentialsArn"] = request["credentialsArn"]
        return status, headers, body

    return call_and_store


def _is_allowed(uri: str, source_arn: str) -> bool:
    name = apigateway._extract_lambda_ref_from_integration_uri(uri).split(":function:")[-1].split(":")[0]
    function = lambda_svc._functions.get(name)
    return function is None or any(
        statement["Effect"] == "Allow"
        and statement["Principal"] == {"Service": "apigateway.amazonaws.com"}
        and fnmatch.fnmatchcase(source_arn, statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn", "*"))
        for statement in function["policy"]["Statement"]
    )


def replace_management_endpoint() -> None:
    """Let the functions send messages to the clients of the local API.

    Stock engine: does not change the address in the function's environment, so the function calls real AWS.
    AWS: this is the address of the API.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
    Upstream issue: none.
    """
    stock_spawn = lambda_runtime.Worker._spawn

    def spawn(worker: Any) -> None:
        config = worker.config
        variables = (config.get("Environment") or {}).get("Variables", {})
        if MANAGEMENT_ENDPOINT in variables:
            address = local_url(variables[MANAGEMENT_ENDPOINT], f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}")
            worker.config = {**config, "Environment": {"Variables": {**variables, MANAGEMENT_ENDPOINT: address}}}
        try:
            stock_spawn(worker)
        finally:
            worker.config = config

    lambda_runtime.Worker._spawn = spawn


def describe_connections() -> None:
    """Return the properties of a connection as AWS does, and refuse a message of more than 128 KB for a client.

    Stock engine: the names of the properties begin with a capital letter, so boto3 does not find them. A message may
    have any size.
    AWS: returns `connectedAt` and `lastActiveAt` in ISO 8601, and answers 413 to a larger message.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
    Upstream issue: none known.
    """
    stock_handle = apigateway.handle_connections_api

    async def handle(method: str, api_id: str, stage: str, connection_id: str, *rest: Any) -> Any:
        body, *_ = rest
        if method == "POST" and len(body) > MAX_MESSAGE and connection_id in apigateway._ws_connections:
            message = json.dumps({"message": "Request Entity Too Large"}).encode()
            return 413, {"Content-Type": "application/json", "x-amzn-ErrorType": "PayloadTooLargeException"}, message
        status, answer_headers, answer = await stock_handle(method, api_id, stage, connection_id, *rest)
        if method == "GET" and status == HTTPStatus.OK:
            answer = json.dumps(_connection(json.loads(answer))).encode()
        return status, answer_headers, answer

    apigateway.handle_connections_api = handle


def _connection(stock: dict[str, Any]) -> dict[str, Any]:
    def time(name: str) -> str:
        return dt.datetime.fromtimestamp(stock[name], dt.UTC).isoformat().replace("+00:00", "Z")

    identity = {f"{name[0].lower()}{name[1:]}": value for name, value in stock["Identity"].items()}
    return {"connectedAt": time("ConnectedAt"), "identity": identity, "lastActiveAt": time("LastActiveAt")}


def refuse_unknown_stages() -> None:
    """Refuse a connection to a stage that does not exist, and close a connection after a message of more than 128 KB.

    Stock engine: accepts every stage, and messages of up to 16 MB.
    AWS: answers 403 to an unknown stage, and closes the connection with the code 1009 after such a message.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
    AWS also closes a connection after a frame of more than 32 KB, after ten minutes without messages, and after two
    hours. This patch does not do that.
    Upstream issue: none known.
    """
    stock_handle = apigateway.handle_websocket

    async def handle(scope: Any, receive: Any, send: Any, api_id: str, path_override: str | None = None) -> None:
        owner = apigateway._api_owner(api_id)
        stage = (scope["path"] if path_override is None else path_override).strip("/").split("/")[0]
        if owner and owner[0] == "WEBSOCKET" and not _stage_exists(api_id, owner, stage):
            await receive()
            await apigateway._refuse_ws_handshake(scope, send, HTTPStatus.FORBIDDEN, "Forbidden", "", "")
            return

        async def receive_small() -> Any:
            message = await receive()
            text, data = message.get("text") or "", message.get("bytes") or b""
            if len(text.encode()) + len(data) > MAX_MESSAGE:
                await send({"type": "websocket.close", "code": _TOO_LARGE})
                return {"type": "websocket.disconnect", "code": _TOO_LARGE}
            return message

        await stock_handle(scope, receive_small, send, api_id, path_override)

    apigateway.handle_websocket = handle


def _stage_exists(api_id: str, owner: tuple[str, str, str], stage: str) -> bool:
    _, account, region = owner
    stages = apigateway._stages.get_scoped(account, region, api_id, {})
    return stage in stages or "$default" in stages
