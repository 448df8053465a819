"""What is billed by the hour: tasks, instances, addresses."""

from collections.abc import Iterator
from typing import Any

from tools.costs.prices import HOURS, Part
from tools.costs.reading import the_name
from tools.templates import Template

FARGATE_SPOT = 0.3
"""About 70 % less than a regular task; it varies. https://aws.amazon.com/fargate/pricing/"""

Properties = dict[str, Any]


def hours(what: str, price: str, count: float = 1, share: float = 1) -> Part:
    """So many of what is billed by the hour, for a month."""
    return Part(what, count * HOURS, price, share)


def tasks(template: Template, service: Properties, count: int) -> Iterator[Part]:
    """A service of `count` tasks for a month: on Fargate they are billed, elsewhere their instances are."""
    task = template["Resources"][the_name(service["TaskDefinition"])]["Properties"]
    if task["RequiresCompatibilities"] != ["FARGATE"]:
        return
    processor = task.get("RuntimePlatform", {}).get("CpuArchitecture", "X86_64")
    spot = _on_spot(service.get("CapacityProviderStrategy", []), count)
    for kind, number, share in (("regular", count - spot, 1), ("Spot", spot, FARGATE_SPOT)):
        what = f"{kind} task{'s' if number > 1 else ''}"
        yield hours(f"{what}: vCPU", f"fargate-cpu-{processor}", number * int(task["Cpu"]) / 1024, share)
        yield hours(f"{what}: memory", f"fargate-gb-{processor}", number * int(task["Memory"]) / 1024, share)
    if service["NetworkConfiguration"]["AwsvpcConfiguration"].get("AssignPublicIp") == "ENABLED":
        yield hours("addresses of tasks", "address", count)


def _on_spot(strategy: list[Properties], count: int) -> int:
    base: int = sum(provider.get("Base", 0) for provider in strategy)
    weights: dict[str, int] = {provider["CapacityProvider"]: provider.get("Weight", 0) for provider in strategy}
    return round(max(0, count - base) * weights.get("FARGATE_SPOT", 0) / (sum(weights.values()) or 1))


def instances(template: Template, group: Properties, count: int) -> Iterator[Part]:
    """So many instances of an Auto Scaling group for a month, with disks and public addresses."""
    launch = template["Resources"][the_name(group["LaunchTemplate"]["LaunchTemplateId"])]["Properties"]
    data = launch["LaunchTemplateData"]
    yield from machines(template, data["InstanceType"], data, group["VPCZoneIdentifier"], count)


def machines(template: Template, price: str, launched: Properties, subnets: list[Any], count: int) -> Iterator[Part]:
    """So many machines of a price for a month, with the disks of their launch template, in these subnets."""
    yield hours("instances", price, count)
    for device in launched["BlockDeviceMappings"]:
        disk = device["Ebs"]
        yield Part("disks of instances", count * disk["VolumeSize"], disk["VolumeType"])
    if any(template["Resources"][the_name(subnet)]["Properties"]["MapPublicIpOnLaunch"] for subnet in subnets):
        yield hours("addresses of instances", "address", count)
