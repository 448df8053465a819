"""These tests check the contract `reachable` in a network without internet access. No example has such a network.

In this network, interface endpoints lead to the services of AWS.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.contracts.changes import drop
from tests.contracts.reachable import faults
from tests.contracts.reading import name_of
from tests.support.apps import templates
from tools.templates import Template, resources

SERVICES = ("ecr.api", "ecr.dkr", "logs")
"""The services that a task on Fargate calls. S3 is missing, because the examples already have an endpoint for S3."""


@pytest.fixture
def template_with_endpoints() -> Template:
    """Return the production template of fargate, with interface endpoints instead of the NAT gateway."""
    template = copy.deepcopy(templates("production")["fargate"])
    for name, route in resources(template, "AWS::EC2::Route").items():
        if "NatGatewayId" in route["Properties"]:
            del template["Resources"][name]
    (service,) = resources(template, "AWS::ECS::Service").values()
    network = service["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    tasks = name_of(network["SecurityGroups"][0])
    template["Resources"]["EndpointSecurityGroup"] = {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {
            "SecurityGroupIngress": [
                {"SourceSecurityGroupId": {"Ref": tasks}, "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
            ]
        },
    }
    for endpoint in SERVICES:
        template["Resources"][f"Endpoint-{endpoint}"] = {
            "Type": "AWS::EC2::VPCEndpoint",
            "Properties": {
                "ServiceName": {"Fn::Join": ["", ["com.amazonaws.", {"Ref": "AWS::Region"}, f".{endpoint}"]]},
                "VpcEndpointType": "Interface",
                "PrivateDnsEnabled": True,
                "SecurityGroupIds": [{"Ref": "EndpointSecurityGroup"}],
                "SubnetIds": network["Subnets"],
            },
        }
    return template


def test_tasks_reach_services_through_endpoints(template_with_endpoints: Template) -> None:
    assert faults(template_with_endpoints) == []


def _change(name: str, key: str, value: Any) -> Callable[[Template], None]:
    return lambda template: template["Resources"][name]["Properties"].update({key: value})


def _remove_route_tables(template: Template) -> None:
    for endpoint in resources(template, "AWS::EC2::VPCEndpoint").values():
        endpoint["Properties"].pop("RouteTableIds", None)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (drop("AWS::EC2::VPCEndpoint"), "neither a gateway nor an endpoint"),
        (_change("Endpoint-logs", "PrivateDnsEnabled", False), "Endpoint-logs has no private DNS"),  # noqa: FBT003
        (
            _change("EndpointSecurityGroup", "SecurityGroupIngress", []),
            "groups of Endpoint-logs do not allow connections from Service",
        ),
        (_change("Endpoint-logs", "PolicyDocument", {}), "Endpoint-logs has a policy"),
        (_remove_route_tables, "is in no route table of"),
    ],
)
def test_an_unusable_endpoint_is_reported(
    template_with_endpoints: Template, change: Callable[[Template], None], fault: str
) -> None:
    change(template_with_endpoints)
    assert any(fault in reported for reported in faults(template_with_endpoints)), faults(template_with_endpoints)


def test_tasks_without_egress_rules_do_not_reach_endpoints(template_with_endpoints: Template) -> None:
    for group in resources(template_with_endpoints, "AWS::EC2::SecurityGroup").values():
        group["Properties"]["SecurityGroupEgress"] = [{"IpProtocol": "icmp", "CidrIp": "255.255.255.255/32"}]
    assert any("do not allow connections to Endpoint-logs" in reported for reported in faults(template_with_endpoints))


def test_a_pull_from_another_registry_needs_the_internet(template_with_endpoints: Template) -> None:
    for task in resources(template_with_endpoints, "AWS::ECS::TaskDefinition").values():
        task["Properties"]["ContainerDefinitions"][0]["Image"] = "docker.io/library/nginx:1"
    assert any("cannot reach 0.0.0.0/0" in reported for reported in faults(template_with_endpoints))
