"""Functions that find the workloads of a template, and the services that the workloads call.

A workload runs in a network of the stack. It is a function, a group of instances, or all tasks of a service.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.contracts.network import ANY_IPV4, Workload, assigns_public_addresses
from tests.contracts.reading import allowed_actions, name_of, names_of, properties, subnet_of
from tools.templates import Template, resources

EPHEMERAL_PORTS = range(32768, 65536)
"""The host ports that Docker chooses for tasks in bridge mode on an ECS-optimized instance.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html"""
ENDPOINTS = {
    "ecr": {"ecr.api", "ecr.dkr", "s3"},  # ECR keeps image layers in S3
    "ecs": {"ecs", "ecs-agent", "ecs-telemetry"},
}
"""The names of the endpoints of a service. A service that is not here has one endpoint, named as its actions begin.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html"""
CALLED_BY_LAMBDA = {"logs", "ec2"}
"""Services that Lambda itself calls for a function. Lambda does not use the network of the function for this."""


@dataclass(frozen=True)
class Targets:
    """The targets of a target group. They are the tasks of a service."""

    workload: Workload
    target_type: str
    """The TargetType that the target group must have."""
    ports: range


def workloads(template: Template) -> Iterator[Workload]:
    """Yield the workloads of the stack. Load balancers and gateways are not workloads."""
    for name, service in resources(template, "AWS::ECS::Service").items():
        if "NetworkConfiguration" in service["Properties"]:
            yield _tasks(template, name)
    for name in resources(template, "AWS::AutoScaling::AutoScalingGroup"):
        yield _instances(template, name)
    for name in resources(template, "AWS::Batch::ComputeEnvironment"):
        yield _compute_environment(template, name)
    for name, function in resources(template, "AWS::Lambda::Function").items():
        if "VpcConfig" in function["Properties"]:
            yield _function(template, name)


def targets(template: Template) -> Iterator[tuple[str, Targets]]:
    """Yield the name of a target group and the tasks that a service registers with it."""
    for name, service in resources(template, "AWS::ECS::Service").items():
        task = properties(template, name_of(service["Properties"]["TaskDefinition"]))
        for attached in service["Properties"].get("LoadBalancers", []):
            yield name_of(attached["TargetGroupArn"]), _targets(template, name, task, attached)


def _targets(template: Template, service: str, task: Any, attached: Any) -> Targets:
    (container,) = [one for one in task["ContainerDefinitions"] if one["Name"] == attached["ContainerName"]]
    (mapping,) = [one for one in container["PortMappings"] if one["ContainerPort"] == attached["ContainerPort"]]
    port = mapping["ContainerPort"]
    if task["NetworkMode"] == "awsvpc":
        return Targets(_tasks(template, service), "ip", range(port, port + 1))
    (strategy,) = properties(template, service)["CapacityProviderStrategy"]
    provider = properties(template, name_of(strategy["CapacityProvider"]))
    workload = _instances(template, name_of(provider["AutoScalingGroupProvider"]["AutoScalingGroupArn"]))
    host_port = mapping.get("HostPort", 0)
    return Targets(workload, "instance", range(host_port, host_port + 1) if host_port else EPHEMERAL_PORTS)


def _tasks(template: Template, name: str) -> Workload:
    service = properties(template, name)
    network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
    return Workload(
        name,
        security_groups=names_of(network.get("SecurityGroups", [])),
        subnets=tuple(subnet_of(subnet) for subnet in network["Subnets"]),
        public_address=network.get("AssignPublicIp") == "ENABLED",
        needs=_needs_of_task(template, properties(template, name_of(service["TaskDefinition"]))),
    )


def _instances(template: Template, name: str) -> Workload:
    scaling_group = properties(template, name)
    launch = properties(template, name_of(scaling_group.get("LaunchTemplate", {}).get("LaunchTemplateId")))
    data = launch.get("LaunchTemplateData", {})
    subnets = tuple(subnet_of(subnet) for subnet in scaling_group["VPCZoneIdentifier"])
    interfaces = data.get("NetworkInterfaces", [])
    interface_groups = [group for interface in interfaces for group in interface.get("Groups", [])]
    needs = _needs_of_instance_profile(template, data.get("IamInstanceProfile", {}).get("Arn"))
    for task in resources(template, "AWS::ECS::TaskDefinition").values():
        if "EC2" in task["Properties"]["RequiresCompatibilities"]:
            needs |= _needs_of_task(template, task["Properties"])
    return Workload(
        name,
        security_groups=names_of([*data.get("SecurityGroupIds", []), *interface_groups]),
        subnets=subnets,
        public_address=assigns_public_addresses(template, subnets)
        or any(interface.get("AssociatePublicIpAddress") for interface in interfaces),
        needs=needs,
    )


def _compute_environment(template: Template, name: str) -> Workload:
    # An unmanaged environment has no subnets in the template, so `reachable` reports a fault.
    compute = properties(template, name).get("ComputeResources", {})
    subnets = tuple(subnet_of(subnet) for subnet in compute.get("Subnets", []))
    jobs = [job["Properties"] for job in resources(template, "AWS::Batch::JobDefinition").values()]
    containers = [job["ContainerProperties"] for job in jobs]
    needs = _needs_of_instance_profile(template, compute.get("InstanceRole"))
    for container in containers:
        needs |= _needs_of_roles(template, container.get("JobRoleArn"), container.get("ExecutionRoleArn"))
        needs |= _needs_of_image(container["Image"])
    is_fargate = str(compute.get("Type", "")).startswith("FARGATE")
    have_addresses = (one.get("NetworkConfiguration", {}).get("AssignPublicIp") == "ENABLED" for one in containers)
    return Workload(
        name,
        security_groups=names_of(compute.get("SecurityGroupIds", [])),
        subnets=subnets,
        public_address=all(have_addresses) if is_fargate else assigns_public_addresses(template, subnets),
        needs=needs,
    )


def _function(template: Template, name: str) -> Workload:
    function = properties(template, name)
    return Workload(
        name,
        security_groups=names_of(function["VpcConfig"].get("SecurityGroupIds", [])),
        subnets=tuple(subnet_of(subnet) for subnet in function["VpcConfig"].get("SubnetIds", [])),
        public_address=False,  # a function never has a public address, even in a public subnet
        needs=_needs_of_roles(template, function["Role"]) - CALLED_BY_LAMBDA,
    )


def _needs_of_task(template: Template, task: Any) -> frozenset[str]:
    needs = _needs_of_roles(template, task.get("TaskRoleArn"), task.get("ExecutionRoleArn"))
    return needs.union(*(_needs_of_image(container["Image"]) for container in task["ContainerDefinitions"]))


def _needs_of_instance_profile(template: Template, profile: Any) -> frozenset[str]:
    return _needs_of_roles(template, *properties(template, name_of(profile)).get("Roles", []))


def _needs_of_roles(template: Template, *roles: Any) -> frozenset[str]:
    """Return the endpoints for all actions that the roles allow. A workload should be able to call each endpoint."""
    services = {
        action.partition(":")[0] for role in roles if role for action in allowed_actions(template, name_of(role))
    }
    return frozenset(endpoint for service in services for endpoint in ENDPOINTS.get(service, {service}))


def _needs_of_image(image: Any) -> frozenset[str]:
    return frozenset(ENDPOINTS["ecr"] if ".dkr.ecr." in str(image) or "RepositoryUri" in str(image) else {ANY_IPV4})
