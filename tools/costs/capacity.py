"""The parts of a bill that AWS counts by the hour: tasks, instances and addresses."""

from collections.abc import Iterator
from typing import Any

from tools.costs.prices import HOURS, Part
from tools.costs.reading import logical_id
from tools.templates import Template

FARGATE_SPOT = 0.3
"""The price of a Spot task, as a part of the regular price. AWS changes this price often. https://aws.amazon.com/fargate/pricing/"""

DETAILED_METRICS = 7
"""The number of metrics of an instance that AWS bills with detailed monitoring.
https://aws.amazon.com/cloudwatch/pricing/"""

Properties = dict[str, Any]


def hourly_part(label: str, price: str, count: float = 1, share: float = 1) -> Part:
    """Return the cost of `count` resources for a month. AWS bills each of them by the hour."""
    return Part(label, count * HOURS, price, share)


def task_parts(template: Template, service: Properties, count: int) -> Iterator[Part]:
    """Yield the cost of `count` tasks for a month. On EC2 tasks are free, because AWS bills the instances."""
    task = template["Resources"][logical_id(service["TaskDefinition"])]["Properties"]
    if task["RequiresCompatibilities"] != ["FARGATE"]:
        return
    processor = task.get("RuntimePlatform", {}).get("CpuArchitecture", "X86_64")
    spot = _spot_tasks(service.get("CapacityProviderStrategy", []), count)
    for kind, number, share in (("regular", count - spot, 1), ("Spot", spot, FARGATE_SPOT)):
        label = f"{kind} task{'s' if number > 1 else ''}"
        yield hourly_part(f"{label}: vCPU", f"fargate-cpu-{processor}", number * int(task["Cpu"]) / 1024, share)
        yield hourly_part(f"{label}: memory", f"fargate-gb-{processor}", number * int(task["Memory"]) / 1024, share)
    if service["NetworkConfiguration"]["AwsvpcConfiguration"].get("AssignPublicIp") == "ENABLED":
        yield hourly_part("addresses of tasks", "address", count)


def _spot_tasks(strategy: list[Properties], count: int) -> int:
    """Return how many of `count` tasks run on Spot with this capacity provider strategy."""
    base: int = sum(provider.get("Base", 0) for provider in strategy)
    weights: dict[str, int] = {provider["CapacityProvider"]: provider.get("Weight", 0) for provider in strategy}
    return round(max(0, count - base) * weights.get("FARGATE_SPOT", 0) / (sum(weights.values()) or 1))


def instance_parts(template: Template, group: Properties, count: int) -> Iterator[Part]:
    """Yield the cost of `count` instances of an Auto Scaling group for a month, with disks and public addresses."""
    launch_template = template["Resources"][logical_id(group["LaunchTemplate"]["LaunchTemplateId"])]["Properties"]
    data = launch_template["LaunchTemplateData"]
    yield from machine_parts(template, data["InstanceType"], data, group["VPCZoneIdentifier"], count)


def machine_parts(template: Template, price: str, launch: Properties, subnets: list[Any], count: int) -> Iterator[Part]:
    """Yield the cost of `count` machines for a month, with the disks of the launch template and public addresses.

    The addresses in subnets of an existing VPC are not included, because the template does not show whether AWS assigns
    public addresses there.
    """
    yield hourly_part("instances", price, count)
    for device in launch["BlockDeviceMappings"]:
        disk = device["Ebs"]
        yield Part("disks of instances", count * disk["VolumeSize"], disk["VolumeType"])
    if launch.get("Monitoring", {}).get("Enabled"):
        yield Part("detailed monitoring, metrics", count * DETAILED_METRICS, "metric")
    own_subnets = [template["Resources"][logical_id(subnet)] for subnet in subnets if not isinstance(subnet, str)]
    if any(subnet["Properties"]["MapPublicIpOnLaunch"] for subnet in own_subnets):
        yield hourly_part("addresses of instances", "address", count)
