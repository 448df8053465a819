"""These functions read the security groups, subnets, routes and endpoints of a template."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.contracts.reading import name_of, names_of, properties
from tools.templates import Template, resources

ANY_IPV4 = "0.0.0.0/0"
ANY_ADDRESS = (ANY_IPV4, "::/0")
ALL_PORTS = range(65536)
HTTPS = range(443, 444)
OTHER_PROTOCOL = range(-1, 0)
"""The ports of a rule for a protocol other than TCP. No listener or target has a port in this range."""
NOBODY = "255.255.255.255/32"
"""CDK writes this destination into a security group that allows no connections. Without an egress rule, a security
group would allow all connections."""


@dataclass(frozen=True)
class Rule:
    """A rule of a security group."""

    security_group: str
    peer: str
    """The other end of the connection: the logical id of a security group, or a block of addresses."""
    ports: range


@dataclass(frozen=True)
class Workload:
    """A resource that runs in a network."""

    name: str
    """The logical id of the resource."""
    security_groups: frozenset[str]
    subnets: tuple[str, ...]
    public_address: bool
    needs: frozenset[str]
    """The services that the resource calls, such as `ecr.dkr`. ANY_IPV4 means servers outside AWS."""


def rules(template: Template, direction: str) -> Iterator[Rule]:
    """Yield the `Ingress` or `Egress` rules of all security groups.

    In a template, a rule is inside its security group, or it is a separate resource.

    If a security group has no egress rule, EC2 adds a rule that allows everything.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-securitygroup.html
    """
    template_rules = list(_rules_in_template(template, direction))
    yield from (rule for rule in template_rules if rule.peer != NOBODY)
    if direction == "Egress":
        for name in resources(template, "AWS::EC2::SecurityGroup").keys() - {
            rule.security_group for rule in template_rules
        }:
            yield Rule(name, ANY_IPV4, ALL_PORTS)


def _rules_in_template(template: Template, direction: str) -> Iterator[Rule]:
    for name, group in resources(template, "AWS::EC2::SecurityGroup").items():
        for inline_rule in group["Properties"].get(f"SecurityGroup{direction}", []):
            yield _rule(name, inline_rule)
    for rule in resources(template, f"AWS::EC2::SecurityGroup{direction}").values():
        yield _rule(name_of(rule["Properties"]["GroupId"]), rule["Properties"])


def _rule(group: str, rule: Any) -> Rule:
    ends = ("SourceSecurityGroupId", "DestinationSecurityGroupId")
    peers = [name_of(rule[end]) for end in ends if end in rule]
    peers += [
        str(rule[key]) for key in ("CidrIp", "CidrIpv6", "SourcePrefixListId", "DestinationPrefixListId") if key in rule
    ]
    peer = peers[0] if peers else "nobody"
    if rule["IpProtocol"] == "-1":
        return Rule(group, peer, ALL_PORTS)
    if rule["IpProtocol"] != "tcp":
        return Rule(group, peer, OTHER_PROTOCOL)
    return Rule(group, peer, range(rule["FromPort"], rule["ToPort"] + 1))


def is_allowed(given_rules: Iterable[Rule], security_groups: Iterable[str], peers: Iterable[str], ports: range) -> bool:
    """Whether a rule of one of the security groups allows connections with one of the peers at these ports."""
    return any(
        rule.security_group in {*security_groups} and rule.peer in {*peers} and {ports[0], ports[-1]} <= {*rule.ports}
        for rule in given_rules
    )


def zones(template: Template, subnets: Iterable[str]) -> set[str]:
    """Return the availability zones of the subnets."""
    return {
        name
        if is_outside(name)
        else str(properties(template, name)["AvailabilityZone"])  # the setting `vpc` names the zones
        for name in subnets
    }


def is_outside(subnet: str) -> bool:
    """Whether a subnet belongs to an existing VPC. The template does not have its routes and its zone."""
    return re.fullmatch("subnet-[0-9a-f]+", subnet) is not None


def assigns_public_addresses(template: Template, subnets: Iterable[str]) -> bool:
    """Whether an instance gets a public address in each of these subnets."""
    return all(properties(template, name).get("MapPublicIpOnLaunch") for name in subnets)


def has_route_from_internet(template: Template, subnet: str) -> bool:
    """Whether the subnet's default route leads to an internet gateway of its VPC.

    For a subnet of an existing VPC, the result is True, because the owner of the VPC must make the route.
    """
    if is_outside(subnet):
        return True
    gateway = name_of(_default_route(template, subnet).get("GatewayId"))
    vpc = properties(template, subnet).get("VpcId")
    return any(
        name_of(attached["Properties"].get("InternetGatewayId")) == gateway and attached["Properties"]["VpcId"] == vpc
        for attached in resources(template, "AWS::EC2::VPCGatewayAttachment").values()
    )


def can_call_internet(template: Template, subnet: str, *, public_address: bool) -> bool:
    """Whether a workload in the subnet can open connections to the internet.

    It needs a public address of its own, or a NAT gateway.
    """
    if is_outside(subnet) or (public_address and has_route_from_internet(template, subnet)):
        return True
    nat = properties(template, name_of(_default_route(template, subnet).get("NatGatewayId")))
    return bool(nat.get("AllocationId")) and has_route_from_internet(template, name_of(nat["SubnetId"]))


def endpoint_faults(template: Template, workload: Workload, subnet: str, service: str) -> Iterator[str]:
    """Yield the reasons why a workload in the subnet does not reach the service through an endpoint in the VPC."""
    endpoints = {
        name: endpoint["Properties"]
        for name, endpoint in resources(template, "AWS::EC2::VPCEndpoint").items()
        if _service(endpoint["Properties"]["ServiceName"]) == service
    }
    if not endpoints:
        yield f"{workload.name} in {subnet} cannot reach {service}: there is neither a gateway nor an endpoint"
    for name, endpoint in endpoints.items():
        if "PolicyDocument" in endpoint:
            yield f"{name} has a policy, and this contract does not check endpoint policies"
        if endpoint.get("VpcEndpointType", "Gateway") == "Gateway":
            if not _tables(template, subnet) & names_of(endpoint.get("RouteTableIds", [])):
                yield f"{name} is in no route table of {subnet}"
        else:
            yield from _interface_faults(template, workload, name, endpoint)


def _interface_faults(template: Template, workload: Workload, name: str, endpoint: Any) -> Iterator[str]:
    security_groups = names_of(endpoint.get("SecurityGroupIds", []))
    if not endpoint.get("PrivateDnsEnabled"):
        yield f"{name} has no private DNS, so the service's name does not resolve to the endpoint"
    if not is_allowed(rules(template, "Ingress"), security_groups, {*workload.security_groups, ANY_IPV4}, HTTPS):
        yield f"the security groups of {name} do not allow connections from {workload.name}"
    if not is_allowed(rules(template, "Egress"), workload.security_groups, {*security_groups, ANY_IPV4}, HTTPS):
        yield f"the security groups of {workload.name} do not allow connections to {name}"


def _service(name: Any) -> str:
    # In the template, com.amazonaws.<region>.ecr.api is a list of texts, which Fn::Join joins.
    full_name = (
        "".join(text if isinstance(text, str) else "*" for text in name["Fn::Join"][1])
        if isinstance(name, dict)
        else name
    )
    return ".".join(str(full_name).split(".")[3:])


def _default_route(template: Template, subnet: str) -> dict[str, Any]:
    tables = _tables(template, subnet)
    for route in resources(template, "AWS::EC2::Route").values():
        route_properties: dict[str, Any] = route["Properties"]
        if (
            name_of(route_properties["RouteTableId"]) in tables
            and route_properties.get("DestinationCidrBlock") == ANY_IPV4
        ):
            return route_properties
    return {}


def _tables(template: Template, subnet: str) -> set[str]:
    return {
        name_of(association["Properties"]["RouteTableId"])
        for association in resources(template, "AWS::EC2::SubnetRouteTableAssociation").values()
        if name_of(association["Properties"]["SubnetId"]) == subnet
    }
