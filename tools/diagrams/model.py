"""The nodes and arrows of a diagram, read from a template.

A node is a resource that does something or stores something. The other resources join nodes: a role with its policy
becomes an arrow with the label `reads`, and a listener with a target group becomes an arrow from the load balancer to
the service.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

Resources = Mapping[str, Mapping[str, Any]]

INTERNET, ASSETS, WATCH = "internet", "assets", "watch"
"""Nodes that are not resources: callers, the CDK's repository of images, and all logs and alarms together."""

NETWORK = re.compile(r"AWS::EC2::(?!Instance$|Volume$|LaunchTemplate$).*")
"""Types that become a frame around other nodes."""
LEFT_OUT = re.compile(
    r".*(Policy|Permission|Deployment|Validator|GatewayResponse|AutoDeleteObjects|Trigger|::Metadata|ECS::Cluster"
    r"|ECS::ClusterCapacityProviderAssociations|ApiGateway::(Resource|Model)|ApplicationAutoScaling::.*)"
)
"""Types that a diagram leaves out."""
WATCHING = re.compile(r".*::(LogGroup|Alarm|Dashboard)")
"""Types that become one node together."""
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
"""Types that become arrows, and the property that names the source of the arrow."""
TURNED: Mapping[str, str] = {"AWS::ECS::Service": "LoadBalancers", "AWS::Events::Rule": "EventPattern"}
"""Nodes with a property that names the source of an arrow to them."""
ASIDE = {"OnFailure": "when it fails", "DeadLetterConfig": "undeliverable", "RedrivePolicy": "unprocessed"}
"""Properties that name the target for failures, and the label of the arrow."""
USUAL = {"AutoScalingGroupArn": "runs on", "ComputeEnvironment": "runs on"}
"""Properties that name a needed resource, and the label of the arrow."""
VERBS = {
    r"Send|Publish": "sends",
    r"Invoke": "invokes",
    r"(Batch)?Get(?!Queue|Bucket)|Query|Scan|List|Receive|Download": "reads",
    r"(Batch)?(Put|Write|Update|Delete|Upload)": "writes",
}
PUBLIC_TYPES: Mapping[str, str] = {
    "AWS::ApiGateway::RestApi": "HTTPS",
    "AWS::ApiGatewayV2::Api": "HTTPS",
    "AWS::CloudFront::Distribution": "HTTPS",
}
"""Types that everybody can call, and the protocol."""


@dataclass(frozen=True)
class Edge:
    """An arrow. It is `aside`, and drawn with dots, if it is not the usual way."""

    source: str
    target: str
    label: str = ""
    aside: bool = False


@dataclass(frozen=True)
class Architecture:
    """The nodes and arrows of a template."""

    nodes: Resources
    """The resources that are nodes by logical id, in the template's order."""
    edges: list[Edge]
    inside: Mapping[str, str]
    """The VPC of each node that is in one."""
    watching: list[str]
    """The types of the logs, alarms and dashboards, one for each resource."""


def architecture(template: Mapping[str, Any]) -> Architecture:
    """Return the nodes and arrows of a template."""
    resources: Resources = template["Resources"]
    helpers = {target for found in resources.values() for target in _refers(found, "ServiceToken")}
    nodes = {name: found for name, found in resources.items() if name not in helpers and is_drawn(found["Type"])}
    links = [link for name in resources for link in _links(name, resources) if link.target in resources]
    paths = [path for name in nodes for path in _paths(name, links, resources)]
    watching = _watching(paths, resources)
    inner = [path for path in paths if path.target in nodes]
    watched = [Edge(path.source, WATCH, aside=True) for path in paths if path.target in watching]
    return Architecture(
        nodes=nodes,
        edges=_merged([*_from_outside(nodes, paths, resources), *inner, *watched]),
        inside=_inside(paths, resources),
        watching=[resources[name]["Type"] for name in watching],
    )


def _watching(paths: list[Edge], resources: Resources) -> list[str]:
    reached = {path.target for path in paths}  # leaves out the logs of CDK's helpers
    found = [name for name, resource in resources.items() if _is(WATCHING, resource)]
    return [name for name in found if name in reached or not resources[name]["Type"].endswith("::LogGroup")]


def _inside(paths: list[Edge], resources: Resources) -> dict[str, str]:
    found = {path.source: _vpc(path.target, resources) for path in paths if _is(NETWORK, resources[path.target])}
    for path in paths:  # a service is in the VPC of its instances
        if path.target in found and resources[path.source]["Type"] == "AWS::ECS::Service":
            found[path.source] = found[path.target]
    return found


def is_drawn(kind: str) -> bool:
    """Whether resources of this type become nodes."""
    return kind not in JOINTS and not any(types.fullmatch(kind) for types in (LEFT_OUT, NETWORK, WATCHING))


def references(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the logical ids that a value refers to, each with the keys that lead to it."""
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
    """Yield the references of one resource as arrows, in the direction of the call or the data."""
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
    """Return the node that a joint belongs to. Any other resource belongs to itself."""
    key = JOINTS.get(resources[name]["Type"])
    return _owner(_refers(resources[name], key)[0], resources) if key else name


def _paths(start: str, links: list[Edge], resources: Resources) -> Iterator[Edge]:
    """Yield the arrows from a node to every resource that it reaches through joints."""
    seen, ahead = {start}, [Edge(start, start)]
    while ahead:
        path = ahead.pop(0)
        for link in links:
            if link.source != path.target or link.target == start:
                continue
            labels = dict.fromkeys(part for part in (path.label, link.label) if part)
            on = Edge(start, link.target, ", ".join(labels), aside=path.aside or link.aside)
            yield on
            if resources[link.target]["Type"] in JOINTS and link.target not in seen:
                seen.add(link.target)
                ahead.append(on)


def _from_outside(nodes: Resources, paths: list[Edge], resources: Resources) -> Iterator[Edge]:
    for name, found in nodes.items():
        if label := _public_access(name, found, resources):
            yield Edge(INTERNET, name, label)
        joints = {path.target for path in paths if path.source == name and resources[path.target]["Type"] in JOINTS}
        if any("-container-assets-" in json.dumps(resources[part]) for part in {name, *joints}):
            yield Edge(ASSETS, name)


def _public_access(name: str, found: Mapping[str, Any], resources: Resources) -> str:
    """Return the protocol and port on which the internet reaches a resource, or an empty string."""
    properties = found.get("Properties", {})
    if found["Type"] == "AWS::ElasticLoadBalancingV2::LoadBalancer" and properties["Scheme"] == "internet-facing":
        listeners = [one["Properties"] for one in resources.values() if name in _refers(one, "LoadBalancerArn")]
        return ", ".join(f"{one['Protocol']}, port {one['Port']}" for one in listeners)
    if found["Type"] == "AWS::Lightsail::StaticIp":
        (server,) = _refers(found, "AttachedTo")
        ports = resources[server]["Properties"]["Networking"]["Ports"]
        return "ports " + ", ".join(str(port["FromPort"]) for port in ports if "0.0.0.0/0" in port.get("Cidrs", []))
    return PUBLIC_TYPES.get(found["Type"], "")


def _merged(edges: list[Edge]) -> list[Edge]:
    """Return one arrow for each pair of nodes. Failures win; other labels are joined."""
    found: dict[tuple[str, str], list[Edge]] = {}
    for edge in edges:
        found.setdefault((edge.source, edge.target), []).append(edge)
    return [_merge(parallel) for parallel in found.values()]


def _merge(parallel: list[Edge]) -> Edge:
    labelled = [edge for edge in parallel if edge.aside] or parallel
    words = dict.fromkeys(word for edge in labelled for word in edge.label.split(", ") if word)
    return replace(labelled[0], label=", ".join(words))
