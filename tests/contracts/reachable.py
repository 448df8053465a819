"""What may reach what, read from a template alone: security groups, ports, subnets, routes, target types."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.apps import Template, resources

EPHEMERAL = range(32768, 65536)
"""The ports of an instance that Docker gives to bridged tasks, on every ECS-optimized image.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html"""
HTTPS = range(443, 444)
WORLD = "0.0.0.0/0"


@dataclass(frozen=True)
class Rule:
    """A rule of a security group: `peer` is a logical id or a block of addresses."""

    group: str
    peer: str
    ports: range


@dataclass(frozen=True)
class Targets:
    """Where the tasks of a service are."""

    kind: str
    """As a target group's TargetType has it."""
    groups: frozenset[str]
    ports: range
    subnets: tuple[str, ...]
    public_address: bool


def faults(template: Template) -> list[str]:
    """Why the world does not reach a load balancer, it its targets, or they what they need; and what else is open."""
    return [fault for service in resources(template, "AWS::ECS::Service") for fault in _of_service(template, service)]


def _of_service(template: Template, service: str) -> Iterator[str]:
    properties = template["Resources"][service]["Properties"]
    task = template["Resources"][_name(properties["TaskDefinition"])]["Properties"]
    for attached in properties["LoadBalancers"]:
        targets = _targets(template, properties, task, attached)
        group = _name(attached["TargetGroupArn"])
        yield from _of_target_group(template, group, targets)
        listeners = [
            listener["Properties"]
            for listener in resources(template, "AWS::ElasticLoadBalancingV2::Listener").values()
            if {"TargetGroupArn": {"Ref": group}, "Type": "forward"} in listener["Properties"]["DefaultActions"]
        ]
        if not listeners:
            yield f"no listener forwards to {group}"
        for balancer in {_name(listener["LoadBalancerArn"]) for listener in listeners}:
            yield from _of_load_balancer(template, balancer, targets)
        yield from _dependencies(template, targets)


def _targets(template: Template, service: Any, task: Any, attached: Any) -> Targets:
    (container,) = [one for one in task["ContainerDefinitions"] if one["Name"] == attached["ContainerName"]]
    (mapping,) = [one for one in container["PortMappings"] if one["ContainerPort"] == attached["ContainerPort"]]
    if task["NetworkMode"] == "awsvpc":
        network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
        return Targets(
            kind="ip",
            groups=_names(network["SecurityGroups"]),
            ports=_one(mapping["ContainerPort"]),
            subnets=tuple(_name(subnet) for subnet in network["Subnets"]),
            public_address=network.get("AssignPublicIp") == "ENABLED",
        )
    (strategy,) = service["CapacityProviderStrategy"]
    provider = template["Resources"][_name(strategy["CapacityProvider"])]["Properties"]
    instances = template["Resources"][_name(provider["AutoScalingGroupProvider"]["AutoScalingGroupArn"])]["Properties"]
    launch = template["Resources"][_name(instances["LaunchTemplate"]["LaunchTemplateId"])]["Properties"]
    subnets = tuple(_name(subnet) for subnet in instances["VPCZoneIdentifier"])
    return Targets(
        kind="instance",
        groups=_names(launch["LaunchTemplateData"]["SecurityGroupIds"]),
        ports=EPHEMERAL if mapping["HostPort"] == 0 else _one(mapping["HostPort"]),
        subnets=subnets,
        public_address=all(template["Resources"][name]["Properties"]["MapPublicIpOnLaunch"] for name in subnets),
    )


def _of_target_group(template: Template, name: str, targets: Targets) -> Iterator[str]:
    group = template["Resources"][name]["Properties"]
    if group["TargetType"] != targets.kind:
        yield f"{name} takes {group['TargetType']} where the tasks are {targets.kind}"
    if group.get("HealthCheckPort", "traffic-port") != "traffic-port":
        yield f"{name} asks after the health of another port than it sends requests to"
    if targets.kind == "ip" and group["Port"] not in targets.ports:
        yield f"{name} sends to port {group['Port']}, where nobody listens"


def _of_load_balancer(template: Template, name: str, targets: Targets) -> Iterator[str]:
    balancer = template["Resources"][name]["Properties"]
    groups = _names(balancer["SecurityGroups"])
    listening = {
        listener["Properties"]["Port"]
        for listener in resources(template, "AWS::ElasticLoadBalancingV2::Listener").values()
        if _name(listener["Properties"]["LoadBalancerArn"]) == name
    }
    yield from _closed(template, name, groups, listening, targets)
    yield from _open(template, name, groups, listening, targets)
    subnets = [_name(subnet) for subnet in balancer["Subnets"]]
    for subnet in subnets:
        if "GatewayId" not in _way_out(template, subnet):
            yield f"{name} is in {subnet}, which the internet does not lead to"
    if len(_zones(template, subnets)) < 2:
        yield f"{name} is not in two zones"


def _closed(
    template: Template, name: str, groups: frozenset[str], listening: set[int], targets: Targets
) -> Iterator[str]:
    coming = list(rules(template, "Ingress"))
    for port in sorted(listening):
        if not _covered(coming, groups, {WORLD}, _one(port)):
            yield f"the world does not reach {name} at {port}"
    if not _covered(rules(template, "Egress"), groups, targets.groups, targets.ports):
        yield f"{name} may not reach its targets"
    if not _covered(coming, targets.groups, groups, targets.ports):
        yield f"the targets do not let {name} in"


def _open(
    template: Template, name: str, groups: frozenset[str], listening: set[int], targets: Targets
) -> Iterator[str]:
    for rule in rules(template, "Ingress"):
        if rule.group in groups and not (rule.peer == WORLD and {*rule.ports} <= listening):
            yield f"{name} is open to {rule.peer} at {rule.ports}, where it does not listen"
        if rule.group in targets.groups and rule.peer not in groups:
            yield f"the targets are open to {rule.peer}"
    for rule in rules(template, "Egress"):
        if rule.group in groups and rule.ports and rule.peer not in targets.groups:
            yield f"{name} may reach {rule.peer}"


def _dependencies(template: Template, targets: Targets) -> Iterator[str]:
    if not _covered(list(rules(template, "Egress")), targets.groups, {WORLD}, HTTPS):
        yield "the targets may not reach the registry"
    for subnet in targets.subnets:
        way = _way_out(template, subnet)
        if not ("NatGatewayId" in way or ("GatewayId" in way and targets.public_address)):
            yield f"nothing leads from {subnet} to the registry: a gateway and a public address, or NAT"
    if len(_zones(template, targets.subnets)) < 2:
        yield "the targets are not in two zones"


def rules(template: Template, direction: str) -> Iterator[Rule]:
    """All rules of all security groups of a direction, `Ingress` or `Egress`: their own, and those beside them."""
    other = "SourceSecurityGroupId" if direction == "Ingress" else "DestinationSecurityGroupId"

    def rule(group: str, properties: Any) -> Rule:
        peer = _name(properties[other]) if other in properties else properties.get("CidrIp", properties.get("CidrIpv6"))
        if properties["IpProtocol"] == "-1":
            return Rule(group, peer, range(65536))
        if properties["IpProtocol"] != "tcp":
            return Rule(group, peer, range(0))  # CDK's "nothing": an ICMP rule to nowhere
        return Rule(group, peer, range(properties["FromPort"], properties["ToPort"] + 1))

    for name, group in resources(template, "AWS::EC2::SecurityGroup").items():
        for inline in group["Properties"].get(f"SecurityGroup{direction}", []):
            yield rule(name, inline)
    for beside in resources(template, f"AWS::EC2::SecurityGroup{direction}").values():
        yield rule(_name(beside["Properties"]["GroupId"]), beside["Properties"])


def _covered(known: Iterable[Rule], groups: Iterable[str], peers: Iterable[str], ports: range) -> bool:
    return any(
        rule.group in {*groups} and rule.peer in {*peers} and ports[0] in rule.ports and ports[-1] in rule.ports
        for rule in known
    )


def _way_out(template: Template, subnet: str) -> dict[str, Any]:
    tables = {
        _name(found["Properties"]["RouteTableId"])
        for found in resources(template, "AWS::EC2::SubnetRouteTableAssociation").values()
        if _name(found["Properties"]["SubnetId"]) == subnet
    }
    for route in resources(template, "AWS::EC2::Route").values():
        properties: dict[str, Any] = route["Properties"]
        if _name(properties["RouteTableId"]) in tables and properties["DestinationCidrBlock"] == WORLD:
            return properties
    return {}


def _zones(template: Template, subnets: Iterable[str]) -> set[str]:
    return {str(template["Resources"][name]["Properties"]["AvailabilityZone"]) for name in subnets}


def _one(port: int) -> range:
    return range(port, port + 1)


def _names(references: Iterable[Any]) -> frozenset[str]:
    return frozenset(_name(reference) for reference in references)


def _name(reference: Any) -> str:
    name: str = reference["Ref"] if "Ref" in reference else reference["Fn::GetAtt"][0]
    return name
