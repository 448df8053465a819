"""These tests check the fargate stack. test_web_stacks.py checks the properties that it shares with ecs_ec2."""

import pytest

from tests.support.apps import only_resource, properties_of, templates
from tools.templates import Template, resources

PROFILES = ("sandbox", "production")
in_both_profiles = pytest.mark.parametrize(
    "template", [templates(profile)["fargate"] for profile in PROFILES], ids=PROFILES
)


@in_both_profiles
def test_the_first_task_is_not_spot_and_three_of_four_other_tasks_are_spot(template: Template) -> None:
    assert properties_of(template, "AWS::ECS::Service")["CapacityProviderStrategy"] == [
        {"CapacityProvider": "FARGATE", "Base": 1, "Weight": 1},
        {"CapacityProvider": "FARGATE_SPOT", "Weight": 3},
    ]


@in_both_profiles
def test_a_task_has_the_smallest_size_that_fargate_offers(template: Template) -> None:
    task = properties_of(template, "AWS::ECS::TaskDefinition")
    assert (task["Cpu"], task["Memory"]) == ("256", "512")


@in_both_profiles
def test_capacity_providers_are_created_when_ecs_can_use_its_new_role(template: Template) -> None:
    (balancer,) = resources(template, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert balancer in only_resource(template, "AWS::ECS::ClusterCapacityProviderAssociations")["DependsOn"]


@pytest.mark.parametrize(
    ("profile", "address", "subnet"), [("sandbox", "ENABLED", "Public"), ("production", "DISABLED", "Private")]
)
def test_tasks_run_in_private_subnets_only_in_production(profile: str, address: str, subnet: str) -> None:
    service = properties_of(templates(profile)["fargate"], "AWS::ECS::Service")
    network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == address
    assert all(f"Vpc{subnet}Subnet" in one["Ref"] for one in network["Subnets"])
