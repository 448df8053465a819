"""Every route of a REST API checks its callers, and every route of version 2 has an authorizer.

A route of version 2 accepts only people who signed in, or programs that sign their requests. Other routes need an API
key at least. Browsers send OPTIONS requests without credentials, and the health check is open.
"""

from collections.abc import Iterator
from typing import Any

from tests.contracts.reading import name_of, properties
from tools.templates import Template, resources

AUTHORIZED = {"AWS_IAM", "COGNITO_USER_POOLS"}
OPEN_ROUTES = {("/v1/health", "GET")}
"""The routes that everybody may call."""


def faults(template: Template) -> list[str]:
    """Return the routes that do not check their callers, and the authorizers and clients that check too little."""
    return [
        *(fault for method in resources(template, "AWS::ApiGateway::Method") for fault in _method(template, method)),
        *(
            fault
            for name in resources(template, "AWS::ApiGateway::Authorizer")
            for fault in _authorizer(template, name)
        ),
        *(fault for name in resources(template, "AWS::Cognito::UserPoolClient") for fault in _client(template, name)),
    ]


def _method(template: Template, name: str) -> Iterator[str]:
    method = properties(template, name)
    path, verb = _path(template, method["ResourceId"]), method["HttpMethod"]
    kind = method.get("AuthorizationType", "NONE")
    if verb == "OPTIONS" or (path, verb) in OPEN_ROUTES:
        return
    if path.startswith("/v2/") and kind not in AUTHORIZED:
        yield f"{verb} {path} has no authorizer"
    elif kind == "NONE" and not method.get("ApiKeyRequired"):
        yield f"everybody can call {verb} {path}"
    if kind == "COGNITO_USER_POOLS" and name_of(method["AuthorizerId"]) not in template["Resources"]:
        yield f"the authorizer of {verb} {path} is missing"


def _path(template: Template, reference: Any) -> str:
    if "Ref" not in reference:  # the root of the API
        return ""
    resource = properties(template, reference["Ref"])
    return f"{_path(template, resource['ParentId'])}/{resource['PathPart']}"


def _authorizer(template: Template, name: str) -> Iterator[str]:
    authorizer = properties(template, name)
    if authorizer["Type"] != "COGNITO_USER_POOLS":
        yield f"{name} is a {authorizer['Type']} authorizer, and this contract does not know it"
        return
    if authorizer.get("AuthorizerResultTtlInSeconds") != 0:
        yield f"{name} keeps its result after the token has expired"
    pools = {name_of(arn) for arn in authorizer["ProviderARNs"]}
    if not pools <= {*resources(template, "AWS::Cognito::UserPool")}:
        yield f"{name} accepts users of a pool outside the stack"


def _client(template: Template, name: str) -> Iterator[str]:
    client = properties(template, name)
    if client.get("PreventUserExistenceErrors") != "ENABLED":
        yield f"{name} tells strangers which users exist"
    if client.get("EnableTokenRevocation") is not True:
        yield f"{name} cannot revoke a session"
    if {"ALLOW_USER_PASSWORD_AUTH", "ALLOW_CUSTOM_AUTH"} & {*client["ExplicitAuthFlows"]}:
        yield f"{name} lets everybody send passwords to Cognito"
    if {"implicit", "client_credentials"} & {*client.get("AllowedOAuthFlows", [])}:
        yield f"{name} allows a flow without PKCE"
