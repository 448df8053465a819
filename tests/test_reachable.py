"""The world reaches every load balancer, it its targets, they their registry, and nothing else is open."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.apps import EVERY_STACK, Template, resources, templates
from tests.reach import faults

WITH_SERVICE = [
    (profile, stem) for profile, stem in EVERY_STACK if resources(templates(profile)[stem], "AWS::ECS::Service")
]
Change = Callable[[Template], None]


@pytest.mark.parametrize(("profile", "stem"), EVERY_STACK)
def test_everything_is_reached_and_nothing_else_is_open(profile: str, stem: str) -> None:
    assert faults(templates(profile)[stem]) == []


def test_both_container_examples_are_followed() -> None:
    assert {stem for _, stem in WITH_SERVICE} >= {"ecs_ec2", "fargate"}


def _drop(kind: str) -> Change:
    def change(template: Template) -> None:
        for name in resources(template, kind):
            del template["Resources"][name]

    return change


def _set(kind: str, key: str, value: Any) -> Change:
    def change(template: Template) -> None:
        found = resources(template, kind)
        assert found
        for resource in found.values():
            resource["Properties"][key] = value

    return change


def _open_the_targets(template: Template) -> None:
    rule = {"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    for name, group in resources(template, "AWS::EC2::SecurityGroup").items():
        if not name.startswith("LoadBalancer"):
            group["Properties"]["SecurityGroupIngress"] = [rule]


def _close_the_door(template: Template) -> None:
    for group in resources(template, "AWS::EC2::SecurityGroup").values():
        group["Properties"].pop("SecurityGroupIngress", None)


def _no_public_addresses(template: Template) -> None:
    for subnet in resources(template, "AWS::EC2::Subnet").values():
        subnet["Properties"]["MapPublicIpOnLaunch"] = False
    for service in resources(template, "AWS::ECS::Service").values():
        if "NetworkConfiguration" in service["Properties"]:
            service["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] = "DISABLED"
    for name, route in resources(template, "AWS::EC2::Route").items():
        if "NatGatewayId" in route["Properties"]:
            del template["Resources"][name]


def _other_port(template: Template) -> None:
    for kind in ("Ingress", "Egress"):
        for rule in resources(template, f"AWS::EC2::SecurityGroup{kind}").values():
            rule["Properties"]["ToPort"] = rule["Properties"]["FromPort"] = 80


def _one_zone(template: Template) -> None:
    for subnet in resources(template, "AWS::EC2::Subnet").values():
        subnet["Properties"]["AvailabilityZone"] = "us-east-1a"


def _swap_target_type(template: Template) -> None:
    for group in resources(template, "AWS::ElasticLoadBalancingV2::TargetGroup").values():
        was = group["Properties"]["TargetType"]
        group["Properties"]["TargetType"] = "ip" if was == "instance" else "instance"


def _forward_nowhere(template: Template) -> None:
    for listener in resources(template, "AWS::ElasticLoadBalancingV2::Listener").values():
        listener["Properties"]["DefaultActions"] = [{"Type": "fixed-response"}]


MUTATIONS: dict[str, tuple[Change, str]] = {
    "the load balancer gets no rule towards the targets (aws-cdk-examples #695)": (
        _drop("AWS::EC2::SecurityGroupEgress"),
        "may not reach its targets",
    ),
    "the targets get no rule for the load balancer": (_drop("AWS::EC2::SecurityGroupIngress"), "do not let"),
    "both rules are for another port": (_other_port, "may not reach its targets"),
    "no rule lets the world in": (_close_the_door, "the world does not reach"),
    "SSH is open to the world": (_open_the_targets, "the targets are open to 0.0.0.0/0"),
    "no route leads out": (_drop("AWS::EC2::Route"), "the internet does not lead to"),
    "no subnet has a route table": (_drop("AWS::EC2::SubnetRouteTableAssociation"), "to the registry"),
    "neither public addresses nor NAT": (_no_public_addresses, "to the registry"),
    "targets of the other type": (_swap_target_type, "where the tasks are"),
    "health is asked at another port": (
        _set("AWS::ElasticLoadBalancingV2::TargetGroup", "HealthCheckPort", "9000"),
        "asks after the health of another port",
    ),
    "the listener forwards to nobody": (_forward_nowhere, "no listener forwards"),
    "all in one zone": (_one_zone, "not in two zones"),
}


@pytest.mark.parametrize("what", MUTATIONS)
@pytest.mark.parametrize(("profile", "stem"), WITH_SERVICE)
def test_the_contract_bites(profile: str, stem: str, what: str) -> None:
    template = copy.deepcopy(templates(profile)[stem])
    change, message = MUTATIONS[what]
    change(template)
    assert any(message in fault for fault in faults(template)), faults(template)
