"""The intentions behind the fargate stack. test_web_stacks.py has those that it shares with ecs_ec2."""

import pytest

from tests.support.apps import only_resource, properties_of, templates
from tools.templates import Template, resources

PROFILES = ("sandbox", "production")
in_both_profiles = pytest.mark.parametrize(
    "template", [templates(profile)["fargate"] for profile in PROFILES], ids=PROFILES
)


@in_both_profiles
def test_first_task_is_regular_and_three_in_four_others_are_spot(template: Template) -> None:
    assert properties_of(template, "AWS::ECS::Service")["CapacityProviderStrategy"] == [
        {"CapacityProvider": "FARGATE", "Base": 1, "Weight": 1},
        {"CapacityProvider": "FARGATE_SPOT", "Weight": 3},
    ]


@in_both_profiles
def test_capacity_providers_wait_until_ecs_can_use_its_new_role(template: Template) -> None:
    (balancer,) = resources(template, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert balancer in only_resource(template, "AWS::ECS::ClusterCapacityProviderAssociations")["DependsOn"]


@in_both_profiles
def test_task_has_the_smallest_size(template: Template) -> None:
    task = properties_of(template, "AWS::ECS::TaskDefinition")
    assert (task["Cpu"], task["Memory"]) == ("256", "512")


@pytest.mark.parametrize(
    ("profile", "address", "subnet"), [("sandbox", "ENABLED", "Public"), ("production", "DISABLED", "Private")]
)
def test_only_production_has_its_tasks_in_private_subnets(profile: str, address: str, subnet: str) -> None:
    service = properties_of(templates(profile)["fargate"], "AWS::ECS::Service")
    network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == address
    assert all(f"Vpc{subnet}Subnet" in one["Ref"] for one in network["Subnets"])
