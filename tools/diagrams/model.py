"""The nodes and arrows of a diagram, read from a template.

A node is a resource that does something or stores something. Other resources join two nodes, so they become arrows. For
example, a role with its policy becomes an arrow with the label `reads`. A listener with a target group becomes an arrow
from the load balancer to the service.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

Resources = Mapping[str, Mapping[str, Any]]

INTERNET, ASSETS, MONITORING = "internet", "assets", "watch"
"""Three nodes that are not in the template: callers, the CDK's repository of images, and all logs and alarms."""

NETWORK_TYPES = re.compile(r"AWS::EC2::(?!Instance$|Volume$|LaunchTemplate$).*")
"""Types that become a frame around other nodes."""
LEFT_OUT_TYPES = re.compile(
    r".*(Policy|Permission|Deployment|Validator|GatewayResponse|AutoDeleteObjects|Trigger|::Metadata|ECS::Cluster"
    r"|ECS::ClusterCapacityProviderAssociations|ApiGateway::(Resource|Model|DomainName|BasePathMapping)|ApiGatewayV2::(Route|RouteResponse|Stage)"
    r"|Cognito::UserPool(Client|Domain)|ApplicationAutoScaling::.*)"
)
"""Types that a diagram leaves out."""
MONITORING_TYPES = re.compile(r".*::(LogGroup|Alarm|Dashboard)")
"""Types for monitoring. All their resources together become one node."""
JOINING_TYPES: Mapping[str, str | None] = {
    "AWS::ApiGateway::Authorizer": "RestApiId",
    "AWS::ApiGateway::Method": "RestApiId",
    "AWS::ApiGateway::Stage": "RestApiId",
    "AWS::ApiGateway::UsagePlan": None,
    "AWS::ApiGateway::UsagePlanKey": "KeyId",
    "AWS::ApiGatewayV2::Authorizer": "ApiId",
    "AWS::ApiGatewayV2::Integration": "ApiId",
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
"""Types that become arrows. The value is the property with the source of the arrow, or None without such a property."""
SOURCE_PROPERTIES: Mapping[str, str] = {"AWS::ECS::Service": "LoadBalancers", "AWS::Events::Rule": "EventPattern"}
"""Types of nodes that have a property with the source of an arrow to the node."""
FAILURE_PROPERTIES = {"OnFailure": "when it fails", "DeadLetterConfig": "undeliverable", "RedrivePolicy": "unprocessed"}
"""Properties that contain the target for failures, and the label of the arrow to this target."""
RUNS_ON_PROPERTIES = {"AutoScalingGroupArn": "runs on", "ComputeEnvironment": "runs on"}
"""Properties that contain the machines of a service or job, and the label of the arrow to the machines."""
VERBS = {
    r"Send|Publish|ManageConnections": "sends",
    r"Invoke": "invokes",
    r"(Batch)?Get(?!Queue|Bucket)|Query|Scan|List|Receive|Download": "reads",
    r"(Batch)?(Put|Write|Update|Delete|Upload)": "writes",
}
"""Patterns of the names of permitted actions, and the verb in the label of the arrow."""
PUBLIC_TYPES: Mapping[str, str] = {
    "AWS::ApiGateway::RestApi": "HTTPS",
    "AWS::ApiGatewayV2::Api": "HTTPS",
    "AWS::CloudFront::Distribution": "HTTPS",
}
"""Types that everybody on the internet can call, and the protocol."""


@dataclass(frozen=True)
class Edge:
    """An arrow. A dotted arrow shows a failure or monitoring."""

    source: str
    target: str
    label: str = ""
    dotted: bool = False


@dataclass(frozen=True)
class Architecture:
    """The nodes and arrows of a template."""

    nodes: Resources
    """The resources that are nodes, by logical id, in the order of the template."""
    edges: list[Edge]
    vpc_of_node: Mapping[str, str]
    """The logical id of the VPC, for each node in a VPC."""
    monitoring_types: list[str]
    """The type of each log group, alarm and dashboard."""


def architecture(template: Mapping[str, Any]) -> Architecture:
    """Return the nodes and arrows of a template."""
    resources: Resources = template["Resources"]
    helpers = {target for found in resources.values() for target in _targets_of_property(found, "ServiceToken")}
    nodes = {name: found for name, found in resources.items() if name not in helpers and is_drawn(found["Type"])}
    links = [link for name in resources for link in _links(name, resources) if link.target in resources]
    paths = [path for name in nodes for path in _arrows_from(name, links, resources)]
    monitoring = _monitoring_ids(paths, resources)
    between_nodes = [path for path in paths if path.target in nodes]
    monitored = [Edge(path.source, MONITORING, dotted=True) for path in paths if path.target in monitoring]
    return Architecture(
        nodes=nodes,
        edges=_merged([*_from_outside(nodes, paths, resources), *between_nodes, *monitored]),
        vpc_of_node=_vpcs_of_nodes(paths, resources),
        monitoring_types=[resources[name]["Type"] for name in monitoring],
    )


def _monitoring_ids(paths: list[Edge], resources: Resources) -> list[str]:
    reached = {path.target for path in paths}  # no arrow reaches the log groups of CDK's helper functions
    found = [name for name, resource in resources.items() if _has_type(MONITORING_TYPES, resource)]
    return [name for name in found if name in reached or not resources[name]["Type"].endswith("::LogGroup")]


def _vpcs_of_nodes(paths: list[Edge], resources: Resources) -> dict[str, str]:
    found = {
        path.source: _vpc_of(path.target, resources)
        for path in paths
        if _has_type(NETWORK_TYPES, resources[path.target])
    }
    for path in paths:  # a service on EC2 is in the VPC of its instances
        if path.target in found and resources[path.source]["Type"] == "AWS::ECS::Service":
            found[path.source] = found[path.target]
    return found


def is_drawn(kind: str) -> bool:
    """Whether a resource of this type becomes a node."""
    return kind not in JOINING_TYPES and not any(
        types.fullmatch(kind) for types in (LEFT_OUT_TYPES, NETWORK_TYPES, MONITORING_TYPES)
    )


def references(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each logical id that a value refers to, after a tuple with the keys that lead to the id."""
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


def _has_type(types: re.Pattern[str], resource: Mapping[str, Any]) -> bool:
    return types.fullmatch(resource["Type"]) is not None


def _targets_of_property(resource: Mapping[str, Any], key: str) -> list[str]:
    return [target for _, target in references(resource.get("Properties", {}).get(key))]


def _vpc_of(part: str, resources: Resources) -> str:
    return next(iter(_targets_of_property(resources[part], "VpcId")), part)


def _links(name: str, resources: Resources) -> Iterator[Edge]:
    """Yield an arrow for each reference of one resource. The arrow has the direction of the call or the data."""
    kind, properties = resources[name]["Type"], resources[name].get("Properties", {})
    if kind == "AWS::IAM::Policy":
        yield from _grants(properties)
    if _has_type(LEFT_OUT_TYPES, resources[name]) or _has_type(NETWORK_TYPES, resources[name]):
        return
    for path, target in references(properties):
        failure_label = next((FAILURE_PROPERTIES[key] for key in path if key in FAILURE_PROPERTIES), "")
        runs_on_label = next((RUNS_ON_PROPERTIES[key] for key in path if key in RUNS_ON_PROPERTIES), "")
        if _has_type(MONITORING_TYPES, resources[name]) or path[0] == (
            JOINING_TYPES.get(kind) or SOURCE_PROPERTIES.get(kind)
        ):
            yield Edge(target, name, _label_of_arrow_to(kind, properties))
        else:
            yield Edge(
                name,
                _owning_node(target, resources) if target in resources else target,
                failure_label or runs_on_label,
                dotted=bool(failure_label),
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


def _label_of_arrow_to(kind: str, properties: Mapping[str, Any]) -> str:
    if kind == "Custom::S3BucketNotifications":
        found = re.findall(r'"s3:Object([A-Z][a-z]+)(?::([A-Z][a-z]+))?', json.dumps(properties))
        return ", ".join(" ".join(event).strip().lower() for event in dict.fromkeys(found))
    if kind == "AWS::ECS::Service":
        return "port " + " or ".join(str(target["ContainerPort"]) for target in properties["LoadBalancers"])
    return ""


def _owning_node(name: str, resources: Resources) -> str:
    """Return the node that a joining resource belongs to. For any other resource, return its own name."""
    key = JOINING_TYPES.get(resources[name]["Type"])
    return _owning_node(_targets_of_property(resources[name], key)[0], resources) if key else name


def _arrows_from(start: str, links: list[Edge], resources: Resources) -> Iterator[Edge]:
    """Yield the arrows from a node to every resource that it reaches through joining resources."""
    seen, ahead = {start}, [Edge(start, start)]
    while ahead:
        path = ahead.pop(0)
        for link in links:
            if link.source != path.target or link.target == start:
                continue
            labels = dict.fromkeys(part for part in (path.label, link.label) if part)
            longer_path = Edge(start, link.target, ", ".join(labels), dotted=path.dotted or link.dotted)
            yield longer_path
            if resources[link.target]["Type"] in JOINING_TYPES and link.target not in seen:
                seen.add(link.target)
                ahead.append(longer_path)


def _from_outside(nodes: Resources, paths: list[Edge], resources: Resources) -> Iterator[Edge]:
    for name, found in nodes.items():
        if label := _public_access(name, found, resources):
            yield Edge(INTERNET, name, label)
        joining = {
            path.target for path in paths if path.source == name and resources[path.target]["Type"] in JOINING_TYPES
        }
        if any("-container-assets-" in json.dumps(resources[part]) for part in {name, *joining}):
            yield Edge(ASSETS, name)


def _public_access(name: str, found: Mapping[str, Any], resources: Resources) -> str:
    """Return the protocol and port on which the internet reaches a resource, or an empty string."""
    properties = found.get("Properties", {})
    if found["Type"] == "AWS::ElasticLoadBalancingV2::LoadBalancer" and properties["Scheme"] == "internet-facing":
        listeners = [
            one["Properties"] for one in resources.values() if name in _targets_of_property(one, "LoadBalancerArn")
        ]
        return ", ".join(f"{one['Protocol']}, port {one['Port']}" for one in listeners)
    if found["Type"] == "AWS::Lightsail::StaticIp":
        (server,) = _targets_of_property(found, "AttachedTo")
        ports = resources[server]["Properties"]["Networking"]["Ports"]
        return "ports " + ", ".join(str(port["FromPort"]) for port in ports if "0.0.0.0/0" in port.get("Cidrs", []))
    return PUBLIC_TYPES.get(found["Type"], "")


def _merged(edges: list[Edge]) -> list[Edge]:
    """Return one arrow for each pair of nodes. If a pair has dotted arrows, only their labels are kept."""
    found: dict[tuple[str, str], list[Edge]] = {}
    for edge in edges:
        found.setdefault((edge.source, edge.target), []).append(edge)
    return [_merge(parallel) for parallel in found.values()]


def _merge(parallel: list[Edge]) -> Edge:
    labelled = [edge for edge in parallel if edge.dotted] or parallel
    words = dict.fromkeys(word for edge in labelled for word in edge.label.split(", ") if word)
    return replace(labelled[0], label=", ".join(words))
