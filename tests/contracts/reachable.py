"""The contract for the network of a stack.

The internet must reach every load balancer, and every load balancer must reach its targets. Workloads must reach the
services that they call. No other connection is allowed.
"""

import re
from collections.abc import Iterator

from tests.contracts.load_balancers import (
    BALANCER,
    LISTENER,
    LISTENER_RULE,
    TARGET_GROUP,
    TargetsByGroup,
    balancer_faults,
    listener_ports,
    target_group_faults,
    targets_behind,
)
from tests.contracts.network import (
    ANY_ADDRESS,
    ANY_IPV4,
    HTTPS,
    Workload,
    can_call_internet,
    endpoint_faults,
    is_allowed,
    rules,
    zones,
)
from tests.contracts.reading import names_of, walk
from tests.contracts.workloads import Targets, targets, workloads
from tools.templates import Template, resources

TYPE_PREFIXES = ("AWS::EC2::", "AWS::ElasticLoadBalancing")
"""Every type that begins with one of these texts must be in KNOWN_TYPES."""
KNOWN_TYPES = {
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
"""Types that this contract checks, and types that allow or stop no connection."""
NETWORK_PROPERTIES = re.compile(
    r"Vpc(Id|Config|Configuration|Options)?|VPC(Id|ZoneIdentifier)|(Db|DB|Cache)?Subnets?(Ids?|GroupName|Mappings)?"
    r"|(Vpc|VPC)?SecurityGroups?(Ids?)?|ClusterSubnetGroupName"
)
"""Names of properties that put a resource into a network."""


def faults(template: Template) -> list[str]:
    """Return the needed connections that do not work, and the allowed connections that nothing needs."""
    targets_by_group: dict[str, list[Targets]] = {}
    for target_group, group_targets in targets(template):
        targets_by_group.setdefault(target_group, []).append(group_targets)
    balancers = resources(template, BALANCER)
    return [
        *_unknown_types(template),
        *(fault for name in balancers for fault in balancer_faults(template, name, targets_by_group)),
        *target_group_faults(template, targets_by_group),
        *(fault for workload in workloads(template) for fault in _workload_faults(template, workload)),
        *_open_connections(template, targets_by_group),
    ]


def _unknown_types(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        kind = resource["Type"]
        has_network = any(NETWORK_PROPERTIES.fullmatch(key) for key, _ in walk(resource.get("Properties", {})))
        if (has_network or kind.startswith(TYPE_PREFIXES)) and kind not in KNOWN_TYPES:
            yield f"{name} has a network, and this contract does not know {kind}: add the type to reachable.py"
    for name, vpc in resources(template, "AWS::EC2::VPC").items():
        if vpc["Properties"].get("EnableDnsSupport") is False:
            yield f"{name} has no DNS, so its workloads cannot resolve names"


def _workload_faults(template: Template, workload: Workload) -> Iterator[str]:
    if not workload.security_groups:
        yield f"{workload.name} has no security group of the stack"
    for subnet in workload.subnets:
        if can_call_internet(template, subnet, public_address=workload.public_address):
            if not is_allowed(rules(template, "Egress"), workload.security_groups, {ANY_IPV4}, HTTPS):
                yield f"the security groups of {workload.name} do not allow connections to the services that it calls"
        else:
            for service in sorted(workload.needs):
                yield from endpoint_faults(template, workload, subnet, service)
    if len(zones(template, workload.subnets)) < 2:
        yield f"{workload.name} is not in two availability zones"


def _open_connections(template: Template, targets_by_group: TargetsByGroup) -> Iterator[str]:
    needed_peers: dict[str, set[str]] = {}
    for name, resource in resources(template, BALANCER).items():
        own_groups = names_of(resource["Properties"].get("SecurityGroups", []))
        balancer_targets = targets_behind(template, name, targets_by_group)
        target_security_groups = {group for target in balancer_targets for group in target.workload.security_groups}
        for security_group in target_security_groups:
            needed_peers.setdefault(security_group, set()).update(own_groups)
        for rule in rules(template, "Ingress"):
            if rule.security_group in own_groups and not (
                rule.peer in ANY_ADDRESS and {*rule.ports} <= listener_ports(template, name)
            ):
                yield f"{name} is open to {rule.peer} at {rule.ports}, but no listener uses these ports"
        for rule in rules(template, "Egress"):
            if rule.security_group in own_groups and rule.peer not in target_security_groups:
                yield f"{name} is allowed to reach {rule.peer}, but this is not one of its targets"
    for workload in workloads(template):
        for rule in rules(template, "Ingress"):
            if rule.security_group in workload.security_groups and rule.peer not in needed_peers.get(
                rule.security_group, set()
            ):
                yield f"{workload.name} is open to {rule.peer}"
