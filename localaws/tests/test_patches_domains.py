"""Tests of the patches of API Gateway's custom domains, with and without the patches."""

import pytest
import requests
from conftest import Client
from helpers import deploy_stack

DOMAIN = "api.example.com"


def answers(client: Client, base_path: str | None, *paths: str) -> list[tuple[int, str]]:
    """Deploy an API with a custom domain. Return the status and the start of the text of each path of the domain."""
    api = {"RestApiId": {"Ref": "Api"}}
    name = f"{base_path or 'root'}.{DOMAIN}"
    integration = {
        "Type": "MOCK",
        "RequestTemplates": {"application/json": '{"statusCode": 200}'},
        "IntegrationResponses": [{"StatusCode": "200", "ResponseTemplates": {"application/json": "from the API"}}],
    }
    method = {
        **api,
        "ResourceId": {"Ref": "Resource"},
        "HttpMethod": "GET",
        "AuthorizationType": "NONE",
        "Integration": integration,
        "MethodResponses": [{"StatusCode": "200"}],
    }
    parent = {"Fn::GetAtt": ["Api", "RootResourceId"]}
    mapping = {**api, "DomainName": {"Ref": "Domain"}, "Stage": {"Ref": "Stage"}}
    deploy_stack(
        client,
        f"domain-{base_path or 'root'}",
        {
            "Api": ("AWS::ApiGateway::RestApi", {"Name": name}),
            "Resource": ("AWS::ApiGateway::Resource", {**api, "ParentId": parent, "PathPart": "health"}),
            "Method": ("AWS::ApiGateway::Method", method),
            "Deployment": ("AWS::ApiGateway::Deployment", api),
            "Stage": (
                "AWS::ApiGateway::Stage",
                {**api, "StageName": "live", "DeploymentId": {"Ref": "Deployment"}},
            ),
            "Domain": ("AWS::ApiGateway::DomainName", {"DomainName": name}),
            "Mapping": (
                "AWS::ApiGateway::BasePathMapping",
                {**mapping, **({"BasePath": base_path} if base_path else {})},
            ),
        },
    )
    found = [
        requests.get(f"{client('s3').meta.endpoint_url}/{path}", headers={"Host": name}, timeout=30) for path in paths
    ]
    return [(answer.status_code, answer.text[:12]) for answer in found]


@pytest.mark.parametrize("path", ["", "v1/health", "other/health", "shopping/health"])
def test_a_path_without_base_path_mapping_is_forbidden(stock: Client, patched: Client, path: str) -> None:
    base_path = f"shop{len(path)}"
    allowed = (200, "from the API")
    assert answers(stock, base_path, f"{base_path}/health", path) == [allowed, (404 if path else 200, "<?xml versio")]
    assert answers(patched, base_path, f"{base_path}/health", path) == [allowed, (403, '{"message":"')]
