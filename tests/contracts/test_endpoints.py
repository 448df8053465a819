"""A network without a way to the internet, where endpoints lead to AWS's services: no example has one yet."""

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
"""What a task on Fargate calls, S3 apart, to which the examples have an endpoint."""


@pytest.fixture
def inside() -> Template:
    """Fargate in production, with interface endpoints in place of the NAT gateway."""
    template = copy.deepcopy(templates("production")["fargate"])
    for name, route in resources(template, "AWS::EC2::Route").items():
        if "NatGatewayId" in route["Properties"]:
            del template["Resources"][name]
    (service,) = resources(template, "AWS::ECS::Service").values()
    network = service["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    tasks = name_of(network["SecurityGroups"][0])
    template["Resources"]["Doors"] = {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {
            "SecurityGroupIngress": [
                {"SourceSecurityGroupId": {"Ref": tasks}, "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
            ]
        },
    }
    for called in SERVICES:
        template["Resources"][f"To{called}"] = {
            "Type": "AWS::EC2::VPCEndpoint",
            "Properties": {
                "ServiceName": {"Fn::Join": ["", ["com.amazonaws.", {"Ref": "AWS::Region"}, f".{called}"]]},
                "VpcEndpointType": "Interface",
                "PrivateDnsEnabled": True,
                "SecurityGroupIds": [{"Ref": "Doors"}],
                "SubnetIds": network["Subnets"],
            },
        }
    return template


def test_endpoints_lead_to_the_services(inside: Template) -> None:
    assert faults(inside) == []


def _change(name: str, key: str, value: Any) -> Callable[[Template], None]:
    return lambda template: template["Resources"][name]["Properties"].update({key: value})


def _forget_the_table(template: Template) -> None:
    for endpoint in resources(template, "AWS::EC2::VPCEndpoint").values():
        endpoint["Properties"].pop("RouteTableIds", None)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (drop("AWS::EC2::VPCEndpoint"), "neither a gateway nor an endpoint"),
        (_change("Tologs", "PrivateDnsEnabled", False), "Tologs does not answer to the name of its service"),  # noqa: FBT003
        (_change("Doors", "SecurityGroupIngress", []), "Tologs does not let Service"),
        (_change("Tologs", "PolicyDocument", {}), "Tologs has a policy"),
        (_forget_the_table, "is in no route table of"),
    ],
)
def test_an_endpoint_that_leads_nowhere_is_a_fault(
    inside: Template, change: Callable[[Template], None], fault: str
) -> None:
    change(inside)
    assert any(fault in found for found in faults(inside)), faults(inside)


def test_who_may_reach_nobody_does_not_reach_the_endpoints(inside: Template) -> None:
    for group in resources(inside, "AWS::EC2::SecurityGroup").values():
        group["Properties"]["SecurityGroupEgress"] = [{"IpProtocol": "icmp", "CidrIp": "255.255.255.255/32"}]
    assert any("may not reach Tologs" in found for found in faults(inside))


def test_an_image_from_elsewhere_needs_the_internet(inside: Template) -> None:
    for task in resources(inside, "AWS::ECS::TaskDefinition").values():
        task["Properties"]["ContainerDefinitions"][0]["Image"] = "docker.io/library/nginx:1"
    assert any("to 0.0.0.0/0" in found for found in faults(inside))
