"""Functions that read in the templates which instances, vCPUs, images and service-linked roles the stacks need."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Template = Mapping[str, Any]

VCPU_UNITS = 1024
"""CPU units of one vCPU in a task definition."""
SERVICE_ROLES = {
    "AWS::ApplicationAutoScaling::ScalableTarget": "AWSServiceRoleForApplicationAutoScaling_ECSService",
    "AWS::AutoScaling::AutoScalingGroup": "AWSServiceRoleForAutoScaling",
    "AWS::Batch::ComputeEnvironment": "AWSServiceRoleForBatch",
    "AWS::ECS::Cluster": "AWSServiceRoleForECS",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "AWSServiceRoleForElasticLoadBalancing",
}
"""The service-linked role that AWS creates for the first resource of a type."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One stack of the cloud assembly."""

    name: str
    example: str
    template: Template
    bootstrap_version: int
    """The lowest version of CDK's bootstrap stack that the stack accepts."""
    has_images: bool
    """Whether the deployment of the stack builds a container image."""

    def count(self, kind: str) -> int:
        """Return the number of resources of a CloudFormation type."""
        return len(self._properties(kind))

    @property
    def service_roles(self) -> set[str]:
        """The service-linked roles that AWS needs for the stack."""
        roles = {role for kind, role in SERVICE_ROLES.items() if self.count(kind)}
        return roles | ({"AWSServiceRoleForEC2Spot"} if self.max_spot_vcpus else set())

    @property
    def reserved_concurrency(self) -> int:
        """The concurrent executions that the stack reserves for its functions."""
        functions = self._properties("AWS::Lambda::Function")
        return sum(int(function.get("ReservedConcurrentExecutions", 0)) for function in functions)

    @property
    def instance_types(self) -> set[str]:
        """The types of the EC2 instances. Batch's `default_arm64` and `default_x86_64` mean several families."""
        launched = {str(launch["LaunchTemplateData"].get("InstanceType", "")) for launch in self._launch_templates()}
        return (
            launched | {kind for each in self._batch_compute_resources() for kind in each.get("InstanceTypes", [])}
        ) - {""}

    @property
    def zones(self) -> set[str]:
        """The Availability Zones that the setting availability_zones chose. The set is empty without this setting."""
        subnet_zones = [subnet["AvailabilityZone"] for subnet in self._properties("AWS::EC2::Subnet")]
        return {zone for zone in subnet_zones if isinstance(zone, str)}

    @property
    def instances(self) -> Mapping[str, int]:
        """The number of instances that a first deployment starts, by type."""
        return self._instances("MinSize")

    @property
    def instances_of_update(self) -> Mapping[str, int]:
        """The number of instances that run at once during an update of the machine image, by type."""
        return self._instances("MinInstancesInService")

    @property
    def max_spot_vcpus(self) -> int:
        """The vCPUs that Batch may run on Spot instances at once."""
        return sum(each["MaxvCpus"] for each in self._batch_compute_resources() if each["Type"] == "SPOT")

    @property
    def max_on_demand_vcpus(self) -> int:
        """The vCPUs that Batch may run on on-demand instances at once."""
        return sum(each["MaxvCpus"] for each in self._batch_compute_resources() if each["Type"] == "EC2")

    @property
    def fargate_vcpus(self) -> float:
        """The vCPUs of the tasks on Fargate that a deployment starts. During an update, two copies of each task run."""
        tasks = self._properties("AWS::ECS::TaskDefinition")
        units = sum(int(task["Cpu"]) for task in tasks if "FARGATE" in task.get("RequiresCompatibilities", []))
        targets = self._properties("AWS::ApplicationAutoScaling::ScalableTarget")
        return units / VCPU_UNITS * sum(target["MinCapacity"] for target in targets) if units else 0

    def _properties(self, kind: str) -> list[Any]:
        return [each["Properties"] for each in self.template["Resources"].values() if each["Type"] == kind]

    def _launch_templates(self) -> list[Any]:
        return self._properties("AWS::EC2::LaunchTemplate")

    def _batch_compute_resources(self) -> list[Any]:
        return [each["ComputeResources"] for each in self._properties("AWS::Batch::ComputeEnvironment")]

    def _instances(self, size_property: str) -> dict[str, int]:
        numbers: dict[str, int] = {}
        for resource in self.template["Resources"].values():
            if resource["Type"] == "AWS::AutoScaling::AutoScalingGroup":
                launch = resource["Properties"]["LaunchTemplate"]["LaunchTemplateId"]["Ref"]
                kind = self.template["Resources"][launch]["Properties"]["LaunchTemplateData"]["InstanceType"]
                rolling_update = resource.get("UpdatePolicy", {}).get("AutoScalingRollingUpdate", {})
                number = rolling_update.get(size_property, 0) + rolling_update.get("MaxBatchSize", 0)
                numbers[kind] = int(resource["Properties"]["MinSize"]) if size_property == "MinSize" else number
        return numbers


def stacks_of(assembly: Path) -> Iterator[Stack]:
    """Yield the stacks of a cloud assembly."""
    manifest = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))
    for name, artifact in manifest["artifacts"].items():
        if artifact["type"] != "aws:cloudformation:stack":
            continue
        properties = artifact["properties"]
        assets = json.loads((assembly / f"{name}.assets.json").read_text(encoding="utf-8"))
        yield Stack(
            name=name,
            example=properties["tags"]["example"],
            template=json.loads((assembly / properties["templateFile"]).read_text(encoding="utf-8")),
            bootstrap_version=properties["requiresBootstrapStackVersion"],
            has_images=bool(assets.get("dockerImages")),
        )
