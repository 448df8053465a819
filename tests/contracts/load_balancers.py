"""Functions that check that the internet reaches a load balancer, and that the load balancer reaches its targets."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.contracts.network import ANY_IPV4, has_route_from_internet, is_allowed, rules, zones
from tests.contracts.reading import name_of, names_of, properties, subnet_of, walk
from tests.contracts.workloads import Targets
from tools.templates import Template, resources

BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
LISTENER_RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"
TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
TargetsByGroup = Mapping[str, list[Targets]]
"""The targets of each target group. The keys are the logical ids of the target groups."""


def balancer_faults(template: Template, name: str, targets_by_group: TargetsByGroup) -> Iterator[str]:
    """Yield the reasons why the internet does not reach the load balancer, or why it does not reach its targets."""
    balancer = properties(template, name)
    security_groups = names_of(balancer.get("SecurityGroups", []))
    subnets = [subnet_of(subnet) for subnet in balancer["Subnets"]]
    if (balancer.get("Type", "application"), balancer.get("Scheme")) != ("application", "internet-facing"):
        yield f"{name} is not a public application load balancer, and this contract checks no other type"
    for subnet in subnets:
        if not has_route_from_internet(template, subnet):
            yield f"{name} is in {subnet}, and the internet does not reach this subnet"
    if len(zones(template, subnets)) < 2:
        yield f"{name} is not in two availability zones"
    yield from _port_faults(template, name, security_groups)
    yield from _target_faults(template, name, security_groups, targets_by_group)


def _port_faults(template: Template, name: str, security_groups: frozenset[str]) -> Iterator[str]:
    ports = listener_ports(template, name)
    if not ports:
        yield f"{name} has no listener"
    for port in sorted(ports):
        if not is_allowed(rules(template, "Ingress"), security_groups, {ANY_IPV4}, range(port, port + 1)):
            yield f"the internet does not reach {name} at port {port}"
    for listener, listener_properties in _listeners(template, name).items():
        for action in listener_properties["DefaultActions"]:
            redirect_port = action.get("RedirectConfig", {}).get("Port")
            if redirect_port and int(redirect_port) not in ports:
                yield f"{listener} redirects to port {redirect_port}, which has no listener"


def _target_faults(
    template: Template, name: str, security_groups: frozenset[str], targets_by_group: TargetsByGroup
) -> Iterator[str]:
    for targets in targets_behind(template, name, targets_by_group):
        target_security_groups = targets.workload.security_groups
        if not is_allowed(
            rules(template, "Egress"), security_groups, {*target_security_groups, ANY_IPV4}, targets.ports
        ):
            yield f"the security groups of {name} do not allow connections to its targets"
        if not is_allowed(
            rules(template, "Ingress"), target_security_groups, {*security_groups, ANY_IPV4}, targets.ports
        ):
            yield f"the security groups of the targets do not allow connections from {name}"


def target_group_faults(template: Template, targets_by_group: TargetsByGroup) -> Iterator[str]:
    """Yield the faults of target groups, such as a target group without a listener or without targets."""
    used_target_groups = _target_groups_of(template, resources(template, LISTENER))
    for name, resource in resources(template, TARGET_GROUP).items():
        target_group = resource["Properties"]
        if name not in used_target_groups:
            yield f"no listener forwards to {name}"
        if name not in targets_by_group:
            yield f"no service registers its tasks with {name}"
        if target_group.get("HealthCheckPort", "traffic-port") != "traffic-port":
            yield f"{name} checks the health at one port and sends requests to another"
        for targets in targets_by_group.get(name, []):
            if target_group["TargetType"] != targets.target_type:
                needed_type = targets.target_type
                yield f"{name} has the target type {target_group['TargetType']}, but its tasks need {needed_type}"
            if targets.target_type == "ip" and target_group["Port"] not in targets.ports:
                yield f"{name} sends requests to port {target_group['Port']}, which no task opens"


def listener_ports(template: Template, balancer: str) -> set[int]:
    """Return the ports of a load balancer's listeners."""
    return {listener["Port"] for listener in _listeners(template, balancer).values()}


def targets_behind(template: Template, balancer: str, targets_by_group: TargetsByGroup) -> list[Targets]:
    """Return the targets that a load balancer's listeners forward to."""
    target_groups = sorted(_target_groups_of(template, _listeners(template, balancer)))
    return [targets for name in target_groups for targets in targets_by_group.get(name, [])]


def _listeners(template: Template, balancer: str) -> dict[str, Any]:
    return {
        name: listener["Properties"]
        for name, listener in resources(template, LISTENER).items()
        if name_of(listener["Properties"]["LoadBalancerArn"]) == balancer
    }


def _target_groups_of(template: Template, listeners: Iterable[str]) -> set[str]:
    """Return the target groups that these listeners or their rules forward to."""
    listener_names = set(listeners)
    rule_actions = [
        rule["Properties"]["Actions"]
        for rule in resources(template, LISTENER_RULE).values()
        if name_of(rule["Properties"]["ListenerArn"]) in listener_names
    ]
    actions = [*(properties(template, name)["DefaultActions"] for name in listener_names), *rule_actions]
    return {name_of(value) for key, value in walk(actions) if key == "TargetGroupArn"}
