"""The internet reaches every load balancer, and it reaches its targets. Workloads reach the services that they call.

Nothing else is open.
"""

import re
from collections.abc import Iterator

from tests.contracts.load_balancers import (
    BALANCER,
    LISTENER,
    LISTENER_RULE,
    TARGET_GROUP,
    Registered,
    balancer_faults,
    listener_ports,
    target_group_faults,
    targets_behind,
)
from tests.contracts.network import (
    HTTPS,
    WORLD,
    Workload,
    covered,
    endpoint_faults,
    leads_out,
    rules,
    zones,
)
from tests.contracts.reading import names_of, walk
from tests.contracts.workloads import Targets, targets, workloads
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
"""Types with a network that this contract checks, or that do not affect it."""
EVERYBODY = (WORLD, "::/0")
FAMILIES = ("AWS::EC2::", "AWS::ElasticLoadBalancing")
NETWORK_PROPERTIES = re.compile(
    r"Vpc(Id|Config|Configuration|Options)?|VPC(Id|ZoneIdentifier)|(Db|DB|Cache)?Subnets?(Ids?|GroupName|Mappings)?"
    r"|(Vpc|VPC)?SecurityGroups?(Ids?)?|ClusterSubnetGroupName"
)
"""Names of properties that put a resource into a network."""


def faults(template: Template) -> list[str]:
    """Return the connections that should work and do not, and those that are open without need."""
    registered: dict[str, list[Targets]] = {}
    for group, found in targets(template):
        registered.setdefault(group, []).append(found)
    return [
        *_unknown(template),
        *(fault for name in resources(template, BALANCER) for fault in balancer_faults(template, name, registered)),
        *target_group_faults(template, registered),
        *(fault for workload in workloads(template) for fault in _workload_faults(template, workload)),
        *_open_connections(template, registered),
    ]


def _unknown(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        kind = resource["Type"]
        has_network = any(NETWORK_PROPERTIES.fullmatch(key) for key, _ in walk(resource.get("Properties", {})))
        if (has_network or kind.startswith(FAMILIES)) and kind not in FOLLOWED:
            yield f"{name} has a network, and this contract does not know {kind}: add it to reachable.py"
    for name, vpc in resources(template, "AWS::EC2::VPC").items():
        if vpc["Properties"].get("EnableDnsSupport") is False:
            yield f"nothing in {name} can resolve a name"


def _workload_faults(template: Template, workload: Workload) -> Iterator[str]:
    if not workload.groups:
        yield f"{workload.name} has no security group of the stack"
    for subnet in workload.subnets:
        if leads_out(template, subnet, public_address=workload.public_address):
            if not covered(rules(template, "Egress"), workload.groups, {WORLD}, HTTPS):
                yield f"{workload.name} may not reach the services that it calls"
        else:
            for service in sorted(workload.needs):
                yield from endpoint_faults(template, workload, subnet, service)
    if len(zones(template, workload.subnets)) < 2:
        yield f"{workload.name} is not in two zones"


def _open_connections(template: Template, registered: Registered) -> Iterator[str]:
    admitted: dict[str, set[str]] = {}
    for name, resource in resources(template, BALANCER).items():
        groups = names_of(resource["Properties"].get("SecurityGroups", []))
        reached = {group for found in targets_behind(template, name, registered) for group in found.workload.groups}
        for group in reached:
            admitted.setdefault(group, set()).update(groups)
        for rule in rules(template, "Ingress"):
            if rule.group in groups and not (
                rule.peer in EVERYBODY and {*rule.ports} <= listener_ports(template, name)
            ):
                yield f"{name} is open to {rule.peer} at {rule.ports}, where it does not listen"
        for rule in rules(template, "Egress"):
            if rule.group in groups and rule.peer not in reached:
                yield f"{name} may reach {rule.peer}, which is none of its targets"
    for workload in workloads(template):
        for rule in rules(template, "Ingress"):
            if rule.group in workload.groups and rule.peer not in admitted.get(rule.group, set()):
                yield f"{workload.name} is open to {rule.peer}"
