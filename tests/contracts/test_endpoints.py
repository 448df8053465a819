"""A network without internet access, in which endpoints lead to AWS's services. No example has one yet."""

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
"""Services that a task on Fargate calls. S3 is missing because the examples already have an endpoint for it."""


@pytest.fixture
def without_nat() -> Template:
    """Return fargate's production template with interface endpoints instead of the NAT gateway."""
    template = copy.deepcopy(templates("production")["fargate"])
    for name, route in resources(template, "AWS::EC2::Route").items():
        if "NatGatewayId" in route["Properties"]:
            del template["Resources"][name]
    (service,) = resources(template, "AWS::ECS::Service").values()
    network = service["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    tasks = name_of(network["SecurityGroups"][0])
    template["Resources"]["EndpointGroup"] = {
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
                "SecurityGroupIds": [{"Ref": "EndpointGroup"}],
                "SubnetIds": network["Subnets"],
            },
        }
    return template


def test_endpoints_lead_to_the_services(without_nat: Template) -> None:
    assert faults(without_nat) == []


def _change(name: str, key: str, value: Any) -> Callable[[Template], None]:
    return lambda template: template["Resources"][name]["Properties"].update({key: value})


def _remove_route_tables(template: Template) -> None:
    for endpoint in resources(template, "AWS::EC2::VPCEndpoint").values():
        endpoint["Properties"].pop("RouteTableIds", None)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (drop("AWS::EC2::VPCEndpoint"), "neither a gateway nor an endpoint"),
        (_change("Tologs", "PrivateDnsEnabled", False), "Tologs has no private DNS"),  # noqa: FBT003
        (_change("EndpointGroup", "SecurityGroupIngress", []), "Tologs does not admit Service"),
        (_change("Tologs", "PolicyDocument", {}), "Tologs has a policy"),
        (_remove_route_tables, "is in no route table of"),
    ],
)
def test_an_endpoint_that_cannot_be_used_is_a_fault(
    without_nat: Template, change: Callable[[Template], None], fault: str
) -> None:
    change(without_nat)
    assert any(fault in found for found in faults(without_nat)), faults(without_nat)


def test_a_workload_without_egress_does_not_reach_the_endpoints(without_nat: Template) -> None:
    for group in resources(without_nat, "AWS::EC2::SecurityGroup").values():
        group["Properties"]["SecurityGroupEgress"] = [{"IpProtocol": "icmp", "CidrIp": "255.255.255.255/32"}]
    assert any("may not reach Tologs" in found for found in faults(without_nat))


def test_an_image_of_another_registry_needs_the_internet(without_nat: Template) -> None:
    for task in resources(without_nat, "AWS::ECS::TaskDefinition").values():
        task["Properties"]["ContainerDefinitions"][0]["Image"] = "docker.io/library/nginx:1"
    assert any("cannot reach 0.0.0.0/0" in found for found in faults(without_nat))
