"""Load balancers: whether the internet reaches them, and whether they reach their targets."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.contracts.network import WORLD, covered, leads_in, rules, zones
from tests.contracts.reading import name_of, names_of, properties, walk
from tests.contracts.workloads import Targets
from tools.templates import Template, resources

BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
LISTENER_RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"
TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
Registered = Mapping[str, list[Targets]]
"""The targets that are registered with each target group."""


def balancer_faults(template: Template, name: str, registered: Registered) -> Iterator[str]:
    """Yield the reasons why the internet does not reach a load balancer, or it does not reach its targets."""
    balancer = properties(template, name)
    groups = names_of(balancer.get("SecurityGroups", []))
    subnets = [name_of(subnet) for subnet in balancer["Subnets"]]
    if (balancer.get("Type", "application"), balancer.get("Scheme")) != ("application", "internet-facing"):
        yield f"{name} is not a public application load balancer, and this contract supports no other kind"
    for subnet in subnets:
        if not leads_in(template, subnet):
            yield f"{name} is in {subnet}, which the internet does not reach"
    if len(zones(template, subnets)) < 2:
        yield f"{name} is not in two zones"
    yield from _port_faults(template, name, groups)
    yield from _target_faults(template, name, groups, registered)


def _port_faults(template: Template, name: str, groups: frozenset[str]) -> Iterator[str]:
    ports = listener_ports(template, name)
    if not ports:
        yield f"{name} has no listener"
    for port in sorted(ports):
        if not covered(rules(template, "Ingress"), groups, {WORLD}, range(port, port + 1)):
            yield f"the internet does not reach {name} at port {port}"
    for listener, found in _listeners(template, name).items():
        for action in found["DefaultActions"]:
            redirected = action.get("RedirectConfig", {}).get("Port")
            if redirected and int(redirected) not in ports:
                yield f"{listener} redirects to port {redirected}, which has no listener"


def _target_faults(template: Template, name: str, groups: frozenset[str], registered: Registered) -> Iterator[str]:
    for found in targets_behind(template, name, registered):
        if not covered(rules(template, "Egress"), groups, {*found.workload.groups, WORLD}, found.ports):
            yield f"{name} may not reach its targets"
        if not covered(rules(template, "Ingress"), found.workload.groups, {*groups, WORLD}, found.ports):
            yield f"the targets do not admit {name}"


def target_group_faults(template: Template, registered: Registered) -> Iterator[str]:
    """Yield the faults of target groups: without a listener, without targets, or with targets of another kind."""
    forwarded = _forwarded_by(template, resources(template, LISTENER))
    for name, resource in resources(template, TARGET_GROUP).items():
        group = resource["Properties"]
        if name not in forwarded:
            yield f"no listener forwards to {name}"
        if name not in registered:
            yield f"nothing registers with {name}"
        if group.get("HealthCheckPort", "traffic-port") != "traffic-port":
            yield f"{name} checks the health at another port than the one that gets the requests"
        for found in registered.get(name, []):
            if group["TargetType"] != found.kind:
                yield f"{name} has the target type {group['TargetType']}, but the tasks need {found.kind}"
            if found.kind == "ip" and group["Port"] not in found.ports:
                yield f"{name} sends to port {group['Port']}, which no task opens"


def listener_ports(template: Template, balancer: str) -> set[int]:
    """Return the ports of a load balancer's listeners."""
    return {found["Port"] for found in _listeners(template, balancer).values()}


def targets_behind(template: Template, balancer: str, registered: Registered) -> list[Targets]:
    """Return the targets that a load balancer's listeners forward to."""
    groups = sorted(_forwarded_by(template, _listeners(template, balancer)))
    return [found for group in groups for found in registered.get(group, [])]


def _listeners(template: Template, balancer: str) -> dict[str, Any]:
    return {
        name: listener["Properties"]
        for name, listener in resources(template, LISTENER).items()
        if name_of(listener["Properties"]["LoadBalancerArn"]) == balancer
    }


def _forwarded_by(template: Template, listeners: Iterable[str]) -> set[str]:
    """Return the target groups that these listeners or their rules forward to."""
    known = set(listeners)
    of_rules = [
        rule["Properties"]["Actions"]
        for rule in resources(template, LISTENER_RULE).values()
        if name_of(rule["Properties"]["ListenerArn"]) in known
    ]
    actions = [*(properties(template, name)["DefaultActions"] for name in known), *of_rules]
    return {name_of(held) for key, held in walk(actions) if key == "TargetGroupArn"}
