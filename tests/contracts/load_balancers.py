"""Load balancers: who reaches them, and whether they reach their targets."""

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
"""What is registered with each target group."""


def balancer_faults(template: Template, name: str, registered: Registered) -> Iterator[str]:
    """Why the world does not reach a load balancer, or it its targets."""
    balancer = properties(template, name)
    groups = names_of(balancer.get("SecurityGroups", []))
    subnets = [name_of(subnet) for subnet in balancer["Subnets"]]
    if (balancer.get("Type", "application"), balancer.get("Scheme")) != ("application", "internet-facing"):
        yield f"{name} is no public application load balancer, and this contract knows no other"
    for subnet in subnets:
        if not leads_in(template, subnet):
            yield f"{name} is in {subnet}, which the internet does not lead to"
    if len(zones(template, subnets)) < 2:
        yield f"{name} is not in two zones"
    yield from _of_ports(template, name, groups)
    yield from _of_targets(template, name, groups, registered)


def _of_ports(template: Template, name: str, groups: frozenset[str]) -> Iterator[str]:
    ports = listening(template, name)
    if not ports:
        yield f"{name} listens nowhere"
    for port in sorted(ports):
        if not covered(rules(template, "Ingress"), groups, {WORLD}, range(port, port + 1)):
            yield f"the world does not reach {name} at {port}"
    for listener, found in _listeners(template, name).items():
        for action in found["DefaultActions"]:
            redirected = action.get("RedirectConfig", {}).get("Port")
            if redirected and int(redirected) not in ports:
                yield f"{listener} redirects to port {redirected}, where nobody listens"


def _of_targets(template: Template, name: str, groups: frozenset[str], registered: Registered) -> Iterator[str]:
    for found in behind(template, name, registered):
        if not covered(rules(template, "Egress"), groups, {*found.place.groups, WORLD}, found.ports):
            yield f"{name} may not reach its targets"
        if not covered(rules(template, "Ingress"), found.place.groups, {*groups, WORLD}, found.ports):
            yield f"the targets do not let {name} in"


def target_group_faults(template: Template, registered: Registered) -> Iterator[str]:
    """Target groups that nothing is sent to, that nothing is in, or whose targets are elsewhere."""
    forwarded = _forwarded_by(template, resources(template, LISTENER))
    for name, resource in resources(template, TARGET_GROUP).items():
        group = resource["Properties"]
        if name not in forwarded:
            yield f"no listener forwards to {name}"
        if name not in registered:
            yield f"nothing registers with {name}"
        if group.get("HealthCheckPort", "traffic-port") != "traffic-port":
            yield f"{name} asks after the health of another port than it sends requests to"
        for found in registered.get(name, []):
            if group["TargetType"] != found.kind:
                yield f"{name} takes {group['TargetType']} where the tasks are {found.kind}"
            if found.kind == "ip" and group["Port"] not in found.ports:
                yield f"{name} sends to port {group['Port']}, where nobody listens"


def listening(template: Template, balancer: str) -> set[int]:
    """The ports of a load balancer's listeners."""
    return {found["Port"] for found in _listeners(template, balancer).values()}


def behind(template: Template, balancer: str, registered: Registered) -> list[Targets]:
    """What a load balancer's listeners forward to."""
    groups = sorted(_forwarded_by(template, _listeners(template, balancer)))
    return [found for group in groups for found in registered.get(group, [])]


def _listeners(template: Template, balancer: str) -> dict[str, Any]:
    return {
        name: listener["Properties"]
        for name, listener in resources(template, LISTENER).items()
        if name_of(listener["Properties"]["LoadBalancerArn"]) == balancer
    }


def _forwarded_by(template: Template, listeners: Iterable[str]) -> set[str]:
    """The target groups that these listeners, or their rules, forward to."""
    known = set(listeners)
    of_rules = [
        rule["Properties"]["Actions"]
        for rule in resources(template, LISTENER_RULE).values()
        if name_of(rule["Properties"]["ListenerArn"]) in known
    ]
    actions = [*(properties(template, name)["DefaultActions"] for name in known), *of_rules]
    return {name_of(held) for key, held in walk(actions) if key == "TargetGroupArn"}
