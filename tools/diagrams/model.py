"""What is deployed and what leads where, for a picture: read from a template, so that it cannot say anything else.

Of a template's resources a reader wants to see those that do something or keep something. The rest is how they are
joined: a role with its policy becomes an arrow that says `reads`, a listener and a target group become an arrow from
the load balancer to the service.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

Resources = Mapping[str, Mapping[str, Any]]

INTERNET, ASSETS, WATCH = "internet", "assets", "watch"
"""Nodes that are no resources: who may call, the CDK's repository of images, and what watches."""

NETWORK = re.compile(r"AWS::EC2::(?!Instance$|Volume$|LaunchTemplate$).*")
"""Types that are drawn as a frame around what is in them."""
LEFT_OUT = re.compile(
    r".*(Policy|Permission|Deployment|Validator|GatewayResponse|AutoDeleteObjects|Trigger|::Metadata|ECS::Cluster"
    r"|ECS::ClusterCapacityProviderAssociations|ApiGateway::(Resource|Model)|ApplicationAutoScaling::.*)"
)
"""Types that are not drawn."""
WATCHING = re.compile(r".*::(LogGroup|Alarm|Dashboard)")
"""Types that are drawn as one node together."""
JOINTS: Mapping[str, str | None] = {
    "AWS::ApiGateway::Method": "RestApiId",
    "AWS::ApiGateway::Stage": "RestApiId",
    "AWS::ApiGateway::UsagePlan": None,
    "AWS::ApiGateway::UsagePlanKey": "KeyId",
    "AWS::EC2::LaunchTemplate": None,
    "AWS::ECS::CapacityProvider": None,
    "AWS::ECS::TaskDefinition": None,
    "AWS::ElasticLoadBalancingV2::Listener": "LoadBalancerArn",
    "AWS::ElasticLoadBalancingV2::TargetGroup": None,
    "AWS::IAM::InstanceProfile": None,
    "AWS::IAM::Role": None,
    "AWS::Lambda::Alias": None,
    "AWS::Lambda::EventInvokeConfig": "FunctionName",
    "AWS::Lambda::EventSourceMapping": "EventSourceArn",
    "AWS::Lambda::Version": None,
    "AWS::SNS::Subscription": "TopicArn",
    "Custom::S3BucketNotifications": "BucketName",
}
"""Types that are drawn as arrows, and the property that names where the arrow comes from."""
TURNED: Mapping[str, str] = {"AWS::ECS::Service": "LoadBalancers", "AWS::Events::Rule": "EventPattern"}
"""Nodes with a property that names what leads to them."""
ASIDE = {"OnFailure": "when it fails", "DeadLetterConfig": "undeliverable", "RedrivePolicy": "unprocessed"}
"""Properties that say where something goes when it goes wrong."""
USUAL = {"AutoScalingGroupArn": "runs on", "ComputeEnvironment": "runs on"}
"""Properties that say what something needs."""
VERBS = {
    r"Send|Publish": "sends",
    r"Invoke": "invokes",
    r"(Batch)?Get(?!Queue|Bucket)|Query|Scan|List|Receive|Download": "reads",
    r"(Batch)?(Put|Write|Update|Delete|Upload)": "writes",
}
DOORS: Mapping[str, str] = {
    "AWS::ApiGateway::RestApi": "HTTPS",
    "AWS::ApiGatewayV2::Api": "HTTPS",
    "AWS::CloudFront::Distribution": "HTTPS",
}
"""Types that everybody can call."""


@dataclass(frozen=True)
class Edge:
    """An arrow; `aside` when it is not the usual way."""

    source: str
    target: str
    label: str = ""
    aside: bool = False


@dataclass(frozen=True)
class Architecture:
    """What is drawn of a template."""

    nodes: Resources
    """The resources that are nodes by logical id, in the template's order."""
    edges: list[Edge]
    inside: Mapping[str, str]
    """The nodes that are in a VPC, and in which."""
    watching: list[str]
    """The types of what watches, one for each resource."""


def architecture(template: Mapping[str, Any]) -> Architecture:
    """What to draw of a template."""
    resources: Resources = template["Resources"]
    helpers = {target for found in resources.values() for target in _refers(found, "ServiceToken")}
    nodes = {name: found for name, found in resources.items() if name not in helpers and is_drawn(found["Type"])}
    links = [link for name in resources for link in _links(name, resources) if link.target in resources]
    ways = [way for name in nodes for way in _ways(name, links, resources)]
    watching = _watching(ways, resources)
    inner = [way for way in ways if way.target in nodes]
    watched = [Edge(way.source, WATCH, aside=True) for way in ways if way.target in watching]
    return Architecture(
        nodes=nodes,
        edges=_merged([*_from_outside(nodes, ways, resources), *inner, *watched]),
        inside=_inside(ways, resources),
        watching=[resources[name]["Type"] for name in watching],
    )


def _watching(ways: list[Edge], resources: Resources) -> list[str]:
    reached = {way.target for way in ways}  # not the logs of CDK's helpers
    found = [name for name, resource in resources.items() if _is(WATCHING, resource)]
    return [name for name in found if name in reached or not resources[name]["Type"].endswith("::LogGroup")]


def _inside(ways: list[Edge], resources: Resources) -> dict[str, str]:
    found = {way.source: _vpc(way.target, resources) for way in ways if _is(NETWORK, resources[way.target])}
    for way in ways:  # what a service runs on is where it is
        if way.target in found and resources[way.source]["Type"] == "AWS::ECS::Service":
            found[way.source] = found[way.target]
    return found


def is_drawn(kind: str) -> bool:
    """Whether resources of a type become nodes."""
    return kind not in JOINTS and not any(types.fullmatch(kind) for types in (LEFT_OUT, NETWORK, WATCHING))


def references(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The logical ids that a value refers to, each with the keys that lead to it."""
    if isinstance(value, list):
        for inner in value:
            yield from references(inner, path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                yield path, inner
            elif key == "Fn::GetAtt":
                yield path, inner[0]
            elif key == "Fn::Sub":
                text = inner if isinstance(inner, str) else inner[0]
                yield from ((path, name) for name in re.findall(r"\$\{(\w+)", text))
            else:
                yield from references(inner, path if key.startswith("Fn::") else (*path, key))


def _is(types: re.Pattern[str], resource: Mapping[str, Any]) -> bool:
    return types.fullmatch(resource["Type"]) is not None


def _refers(resource: Mapping[str, Any], key: str) -> list[str]:
    return [target for _, target in references(resource.get("Properties", {}).get(key))]


def _vpc(part: str, resources: Resources) -> str:
    return next(iter(_refers(resources[part], "VpcId")), part)


def _links(name: str, resources: Resources) -> Iterator[Edge]:
    """The references of one resource, in the direction in which things go."""
    kind, properties = resources[name]["Type"], resources[name].get("Properties", {})
    if kind == "AWS::IAM::Policy":
        yield from _grants(properties)
    if _is(LEFT_OUT, resources[name]) or _is(NETWORK, resources[name]):
        return
    for path, target in references(properties):
        wrong = next((ASIDE[key] for key in path if key in ASIDE), "")
        usual = next((USUAL[key] for key in path if key in USUAL), "")
        if _is(WATCHING, resources[name]) or path[0] == (JOINTS.get(kind) or TURNED.get(kind)):
            yield Edge(target, name, _arriving(kind, properties))
        else:
            yield Edge(
                name, _owner(target, resources) if target in resources else target, wrong or usual, aside=bool(wrong)
            )


def _grants(policy: Mapping[str, Any]) -> Iterator[Edge]:
    for _, role in references(policy["Roles"]):
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow":
                verbs = _verbs(statement.get("Action", []))
                yield from (Edge(role, target, verbs) for _, target in references(statement.get("Resource")))


def _verbs(actions: str | list[str]) -> str:
    names = [action.partition(":")[2] for action in ([actions] if isinstance(actions, str) else actions)]
    return ", ".join(verb for start, verb in VERBS.items() if any(re.match(start, name) for name in names))


def _arriving(kind: str, properties: Mapping[str, Any]) -> str:
    if kind == "Custom::S3BucketNotifications":
        found = re.findall(r'"s3:Object([A-Z][a-z]+)(?::([A-Z][a-z]+))?', json.dumps(properties))
        return ", ".join(" ".join(event).strip().lower() for event in dict.fromkeys(found))
    if kind == "AWS::ECS::Service":
        return "port " + " or ".join(str(target["ContainerPort"]) for target in properties["LoadBalancers"])
    return ""


def _owner(name: str, resources: Resources) -> str:
    """What a joint belongs to; anything else belongs to itself."""
    key = JOINTS.get(resources[name]["Type"])
    return _owner(_refers(resources[name], key)[0], resources) if key else name


def _ways(start: str, links: list[Edge], resources: Resources) -> Iterator[Edge]:
    """The arrows from a node to whatever it reaches along any number of joints."""
    seen, ahead = {start}, [Edge(start, start)]
    while ahead:
        way = ahead.pop(0)
        for link in links:
            if link.source != way.target or link.target == start:
                continue
            labels = dict.fromkeys(part for part in (way.label, link.label) if part)
            on = Edge(start, link.target, ", ".join(labels), aside=way.aside or link.aside)
            yield on
            if resources[link.target]["Type"] in JOINTS and link.target not in seen:
                seen.add(link.target)
                ahead.append(on)


def _from_outside(nodes: Resources, ways: list[Edge], resources: Resources) -> Iterator[Edge]:
    for name, found in nodes.items():
        if door := _door(name, found, resources):
            yield Edge(INTERNET, name, door)
        joints = {way.target for way in ways if way.source == name and resources[way.target]["Type"] in JOINTS}
        if any("-container-assets-" in json.dumps(resources[part]) for part in {name, *joints}):
            yield Edge(ASSETS, name)


def _door(name: str, found: Mapping[str, Any], resources: Resources) -> str:
    """By what the internet comes in, if it does."""
    properties = found.get("Properties", {})
    if found["Type"] == "AWS::ElasticLoadBalancingV2::LoadBalancer" and properties["Scheme"] == "internet-facing":
        listeners = [one["Properties"] for one in resources.values() if name in _refers(one, "LoadBalancerArn")]
        return ", ".join(f"{one['Protocol']}, port {one['Port']}" for one in listeners)
    if found["Type"] == "AWS::Lightsail::StaticIp":
        (server,) = _refers(found, "AttachedTo")
        ports = resources[server]["Properties"]["Networking"]["Ports"]
        return "ports " + ", ".join(str(port["FromPort"]) for port in ports if "0.0.0.0/0" in port.get("Cidrs", []))
    return DOORS.get(found["Type"], "")


def _merged(edges: list[Edge]) -> list[Edge]:
    """One arrow for each pair of nodes: where it goes when it goes wrong, or else all that is said of it."""
    found: dict[tuple[str, str], list[Edge]] = {}
    for edge in edges:
        found.setdefault((edge.source, edge.target), []).append(edge)
    return [_merge(parallel) for parallel in found.values()]


def _merge(parallel: list[Edge]) -> Edge:
    told = [edge for edge in parallel if edge.aside] or parallel
    words = dict.fromkeys(word for edge in told for word in edge.label.split(", ") if word)
    return replace(told[0], label=", ".join(words))
