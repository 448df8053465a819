"""Instances can join an ECS cluster only after the cluster has their capacity provider.

If an instance joins earlier, it may get no tasks. Therefore CloudFormation must create the resources in this order:
Auto Scaling group, capacity provider, association with the cluster, permission to join the cluster, service.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/asg-capacity-providers.html
"""

from collections.abc import Iterator
from typing import Any

from tests.contracts.reading import allowed_actions, allows, dependencies, name_of, names_of, properties
from tools.templates import Template, resources

ACTION = "ecs:RegisterContainerInstance"
"""Without this permission, the ECS agent of an instance cannot join a cluster, and tries again."""


def faults(template: Template) -> list[str]:
    """Return the capacity providers whose instances may join the cluster too early, or never."""
    return [
        fault
        for name, provider in resources(template, "AWS::ECS::CapacityProvider").items()
        for fault in _provider_faults(template, name, provider["Properties"])
    ]


def _provider_faults(template: Template, provider: str, provider_properties: dict[str, Any]) -> Iterator[str]:
    associations = {
        name
        for name, association in resources(template, "AWS::ECS::ClusterCapacityProviderAssociations").items()
        if provider in names_of(association["Properties"]["CapacityProviders"])
    }
    if not associations:
        yield f"{provider} is not associated with a cluster"
    later_names = {name for name in template["Resources"] if associations & dependencies(template, name)}
    group = name_of(provider_properties["AutoScalingGroupProvider"]["AutoScalingGroupArn"])
    for role in _instance_roles(template, group):
        earlier_resources = {name: one for name, one in template["Resources"].items() if name not in later_names}
        if allows(allowed_actions({"Resources": earlier_resources}, role), ACTION):
            yield f"the instances of {group} may join the cluster before it has {provider}"
        elif not allows(allowed_actions(template, role), ACTION):
            yield f"the instances of {group} can never join the cluster"
        for service in _services(template, provider):
            if not any(
                allows(_actions(template, name), ACTION) for name in dependencies(template, service) & later_names
            ):
                yield f"{service} may start before the instances of {group} can join the cluster"


def _instance_roles(template: Template, group: str) -> frozenset[str]:
    launch_template = name_of(properties(template, group)["LaunchTemplate"]["LaunchTemplateId"])
    profile = properties(template, launch_template)["LaunchTemplateData"]["IamInstanceProfile"]["Arn"]
    return names_of(properties(template, name_of(profile))["Roles"])


def _services(template: Template, provider: str) -> Iterator[str]:
    for name, service in resources(template, "AWS::ECS::Service").items():
        strategy = service["Properties"].get("CapacityProviderStrategy", [])
        if provider in names_of(item["CapacityProvider"] for item in strategy):
            yield name


def _actions(template: Template, policy: str) -> Iterator[str]:
    for statement in properties(template, policy).get("PolicyDocument", {}).get("Statement", []):
        actions = statement["Action"]
        yield from (action.lower() for action in (actions if isinstance(actions, list) else [actions]))
