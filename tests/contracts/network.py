"""Security groups, subnets, routes and endpoints of a template."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.contracts.reading import name_of, names_of, properties
from tools.templates import Template, resources

WORLD = "0.0.0.0/0"
ALL_PORTS = range(65536)
HTTPS = range(443, 444)
OTHER_PROTOCOL = range(-1, 0)
"""Stands for protocols other than TCP. It matches no port of a listener or a target."""
NOBODY = "255.255.255.255/32"
"""CDK writes this destination when a group may reach nobody, because a group without a rule may reach everybody."""


@dataclass(frozen=True)
class Rule:
    """A rule of a security group. `peer` is a logical id or a block of addresses."""

    group: str
    peer: str
    ports: range


@dataclass(frozen=True)
class Workload:
    """A resource that runs in a network."""

    name: str
    """The logical id of the resource."""
    groups: frozenset[str]
    subnets: tuple[str, ...]
    public_address: bool
    needs: frozenset[str]
    """The services that it calls, by the end of their endpoint's name, such as `ecr.dkr`. WORLD for any web site."""


def rules(template: Template, direction: str) -> Iterator[Rule]:
    """Yield the rules of all security groups for `Ingress` or `Egress`: inline ones and separate resources.

    EC2 gives a group without an egress rule one that allows everything.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-securitygroup.html
    """
    found = list(_written(template, direction))
    yield from (rule for rule in found if rule.peer != NOBODY)
    if direction == "Egress":
        for name in resources(template, "AWS::EC2::SecurityGroup").keys() - {rule.group for rule in found}:
            yield Rule(name, WORLD, ALL_PORTS)


def _written(template: Template, direction: str) -> Iterator[Rule]:
    for name, group in resources(template, "AWS::EC2::SecurityGroup").items():
        for inline in group["Properties"].get(f"SecurityGroup{direction}", []):
            yield _rule(name, inline)
    for separate in resources(template, f"AWS::EC2::SecurityGroup{direction}").values():
        yield _rule(name_of(separate["Properties"]["GroupId"]), separate["Properties"])


def _rule(group: str, found: Any) -> Rule:
    ends = ("SourceSecurityGroupId", "DestinationSecurityGroupId")
    peers = [name_of(found[end]) for end in ends if end in found]
    peers += [
        str(found[key])
        for key in ("CidrIp", "CidrIpv6", "SourcePrefixListId", "DestinationPrefixListId")
        if key in found
    ]
    peer = peers[0] if peers else "nobody"
    if found["IpProtocol"] == "-1":
        return Rule(group, peer, ALL_PORTS)
    if found["IpProtocol"] != "tcp":
        return Rule(group, peer, OTHER_PROTOCOL)
    return Rule(group, peer, range(found["FromPort"], found["ToPort"] + 1))


def covered(known: Iterable[Rule], groups: Iterable[str], peers: Iterable[str], ports: range) -> bool:
    """Whether a rule of one of the groups allows these ports from or to one of the peers."""
    return any(
        rule.group in {*groups} and rule.peer in {*peers} and ports[0] in rule.ports and ports[-1] in rule.ports
        for rule in known
    )


def zones(template: Template, subnets: Iterable[str]) -> set[str]:
    """Return the availability zones of the subnets."""
    return {str(properties(template, name)["AvailabilityZone"]) for name in subnets}


def gives_addresses(template: Template, subnets: Iterable[str]) -> bool:
    """Whether an instance gets a public address in each of these subnets."""
    return all(properties(template, name).get("MapPublicIpOnLaunch") for name in subnets)


def leads_in(template: Template, subnet: str) -> bool:
    """Whether the internet reaches a subnet: its default route leads to an internet gateway of its VPC."""
    gateway = name_of(_default_route(template, subnet).get("GatewayId"))
    vpc = properties(template, subnet).get("VpcId")
    return any(
        name_of(attached["Properties"].get("InternetGatewayId")) == gateway and attached["Properties"]["VpcId"] == vpc
        for attached in resources(template, "AWS::EC2::VPCGatewayAttachment").values()
    )


def leads_out(template: Template, subnet: str, *, public_address: bool) -> bool:
    """Whether a workload in a subnet reaches the internet, by its own public address or by a NAT gateway's."""
    if public_address and leads_in(template, subnet):
        return True
    nat = properties(template, name_of(_default_route(template, subnet).get("NatGatewayId")))
    return bool(nat.get("AllocationId")) and leads_in(template, name_of(nat["SubnetId"]))


def endpoint_faults(template: Template, workload: Workload, subnet: str, service: str) -> Iterator[str]:
    """Yield the reasons why a workload in a subnet does not reach a service by an endpoint in the VPC."""
    found = {
        name: endpoint["Properties"]
        for name, endpoint in resources(template, "AWS::EC2::VPCEndpoint").items()
        if _service(endpoint["Properties"]["ServiceName"]) == service
    }
    if not found:
        yield f"{workload.name} in {subnet} cannot reach {service}: there is neither a gateway nor an endpoint"
    for name, endpoint in found.items():
        if "PolicyDocument" in endpoint:
            yield f"{name} has a policy, which this contract cannot check"
        if endpoint.get("VpcEndpointType", "Gateway") == "Gateway":
            if not _tables(template, subnet) & names_of(endpoint.get("RouteTableIds", [])):
                yield f"{name} is in no route table of {subnet}"
        else:
            yield from _interface_faults(template, workload, name, endpoint)


def _interface_faults(template: Template, workload: Workload, name: str, endpoint: Any) -> Iterator[str]:
    groups = names_of(endpoint.get("SecurityGroupIds", []))
    if not endpoint.get("PrivateDnsEnabled"):
        yield f"{name} has no private DNS, so the name of its service does not lead to it"
    if not covered(rules(template, "Ingress"), groups, {*workload.groups, WORLD}, HTTPS):
        yield f"{name} does not admit {workload.name}"
    if not covered(rules(template, "Egress"), workload.groups, {*groups, WORLD}, HTTPS):
        yield f"{workload.name} may not reach {name}"


def _service(name: Any) -> str:
    # CDK joins com.amazonaws.<region>.ecr.api from parts.
    text = (
        "".join(part if isinstance(part, str) else "*" for part in name["Fn::Join"][1])
        if isinstance(name, dict)
        else name
    )
    return ".".join(str(text).split(".")[3:])


def _default_route(template: Template, subnet: str) -> dict[str, Any]:
    tables = _tables(template, subnet)
    for route in resources(template, "AWS::EC2::Route").values():
        found: dict[str, Any] = route["Properties"]
        if name_of(found["RouteTableId"]) in tables and found.get("DestinationCidrBlock") == WORLD:
            return found
    return {}


def _tables(template: Template, subnet: str) -> set[str]:
    return {
        name_of(found["Properties"]["RouteTableId"])
        for found in resources(template, "AWS::EC2::SubnetRouteTableAssociation").values()
        if name_of(found["Properties"]["SubnetId"]) == subnet
    }
