"""The world reaches every load balancer, it its targets, and they and all else what they call; nothing else is open."""

import re
from collections.abc import Iterator

from tests.contracts.load_balancers import (
    BALANCER,
    LISTENER,
    LISTENER_RULE,
    TARGET_GROUP,
    Registered,
    balancer_faults,
    behind,
    listening,
    target_group_faults,
)
from tests.contracts.network import (
    HTTPS,
    WORLD,
    Place,
    covered,
    endpoint_faults,
    leads_out,
    rules,
    zones,
)
from tests.contracts.reading import names_of, walk
from tests.contracts.workloads import Targets, places, targets
from tools.templates import Template, resources

FOLLOWED = {
    *(BALANCER, LISTENER, LISTENER_RULE, TARGET_GROUP),
    *("AWS::AutoScaling::AutoScalingGroup", "AWS::Batch::ComputeEnvironment", "AWS::ECS::Service"),
    "AWS::Lambda::Function",
    *(
        f"AWS::EC2::{kind}"
        for kind in (
            *("VPC", "InternetGateway", "VPCGatewayAttachment", "EIP", "NatGateway", "VPCEndpoint"),
            *("Subnet", "RouteTable", "Route", "SubnetRouteTableAssociation"),
            *("SecurityGroup", "SecurityGroupIngress", "SecurityGroupEgress"),
            *("LaunchTemplate", "FlowLog"),
        )
    ),
}
"""Types with a network that this contract follows, or that change nothing about it."""
EVERYBODY = (WORLD, "::/0")
FAMILIES = ("AWS::EC2::", "AWS::ElasticLoadBalancing")
PLACED = re.compile(
    r"Vpc(Id|Config|Configuration|Options)?|VPC(Id|ZoneIdentifier)|(Db|DB|Cache)?Subnets?(Ids?|GroupName|Mappings)?"
    r"|(Vpc|VPC)?SecurityGroups?(Ids?)?|ClusterSubnetGroupName"
)
"""How types name the network that they are in."""


def faults(template: Template) -> list[str]:
    """Who does not reach what it should, and what is open without need."""
    registered: dict[str, list[Targets]] = {}
    for group, found in targets(template):
        registered.setdefault(group, []).append(found)
    return [
        *_unknown(template),
        *(fault for name in resources(template, BALANCER) for fault in balancer_faults(template, name, registered)),
        *target_group_faults(template, registered),
        *(fault for place in places(template) for fault in _of_place(template, place)),
        *_open(template, registered),
    ]


def _unknown(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        kind = resource["Type"]
        placed = any(PLACED.fullmatch(key) for key, _ in walk(resource.get("Properties", {})))
        if (placed or kind.startswith(FAMILIES)) and kind not in FOLLOWED:
            yield f"{name} has a network, and this contract knows nothing of {kind}"
    for name, vpc in resources(template, "AWS::EC2::VPC").items():
        if vpc["Properties"].get("EnableDnsSupport") is False:
            yield f"nothing in {name} can look up a name"


def _of_place(template: Template, place: Place) -> Iterator[str]:
    if not place.groups:
        yield f"{place.name} has no security group of the stack"
    for subnet in place.subnets:
        if leads_out(template, subnet, public_address=place.public_address):
            if not covered(rules(template, "Egress"), place.groups, {WORLD}, HTTPS):
                yield f"{place.name} may not reach the services that it calls"
        else:
            for service in sorted(place.needs):
                yield from endpoint_faults(template, place, subnet, service)
    if len(zones(template, place.subnets)) < 2:
        yield f"{place.name} is not in two zones"


def _open(template: Template, registered: Registered) -> Iterator[str]:
    let_in: dict[str, set[str]] = {}
    for name, resource in resources(template, BALANCER).items():
        groups = names_of(resource["Properties"].get("SecurityGroups", []))
        reached = {group for found in behind(template, name, registered) for group in found.place.groups}
        for group in reached:
            let_in.setdefault(group, set()).update(groups)
        for rule in rules(template, "Ingress"):
            if rule.group in groups and not (rule.peer in EVERYBODY and {*rule.ports} <= listening(template, name)):
                yield f"{name} is open to {rule.peer} at {rule.ports}, where it does not listen"
        for rule in rules(template, "Egress"):
            if rule.group in groups and rule.peer not in reached:
                yield f"{name} may reach {rule.peer}"
    for place in places(template):
        for rule in rules(template, "Ingress"):
            if rule.group in place.groups and rule.peer not in let_in.get(rule.group, set()):
                yield f"{place.name} is open to {rule.peer}"
