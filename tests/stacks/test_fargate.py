"""What the fargate stack means to be, beside what both stacks of the web service are (test_web_stacks.py)."""

from typing import Any

import pytest

from tests.support.apps import templates
from tools.templates import resources

SANDBOX = templates("sandbox")["fargate"]
PRODUCTION = templates("production")["fargate"]
both = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])


def service(template: dict[str, Any]) -> dict[str, Any]:
    (found,) = resources(template, "AWS::ECS::Service").values()
    return dict(found["Properties"])


def task(template: dict[str, Any]) -> dict[str, Any]:
    (found,) = resources(template, "AWS::ECS::TaskDefinition").values()
    return dict(found["Properties"])


@both
def test_one_task_is_always_on_demand_and_most_others_on_spot(template: dict[str, Any]) -> None:
    assert service(template)["CapacityProviderStrategy"] == [
        {"CapacityProvider": "FARGATE", "Base": 1, "Weight": 1},
        {"CapacityProvider": "FARGATE_SPOT", "Weight": 3},
    ]
    (associations,) = resources(template, "AWS::ECS::ClusterCapacityProviderAssociations").values()
    assert associations["Properties"]["CapacityProviders"] == ["FARGATE", "FARGATE_SPOT"]


@both
def test_ecs_has_time_to_take_its_role_on_before_it_needs_it(template: dict[str, Any]) -> None:
    (associations,) = resources(template, "AWS::ECS::ClusterCapacityProviderAssociations").values()
    (balancer,) = resources(template, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert balancer in associations["DependsOn"]


@both
def test_the_smallest_task_there_is_on_arm(template: dict[str, Any]) -> None:
    assert (task(template)["Cpu"], task(template)["Memory"]) == ("256", "512")
    assert task(template)["RuntimePlatform"] == {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}


def test_the_sandbox_has_public_addresses_and_production_private_subnets() -> None:
    for template, address, subnet in ((SANDBOX, "ENABLED", "Public"), (PRODUCTION, "DISABLED", "Private")):
        network = service(template)["NetworkConfiguration"]["AwsvpcConfiguration"]
        assert network["AssignPublicIp"] == address
        assert all(f"Vpc{subnet}Subnet" in one["Ref"] for one in network["Subnets"])
