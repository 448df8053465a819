"""The shape and text of a diagram's nodes: the name, the type, and important numbers from the template."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tools.diagrams.model import Resources, references

SHAPES = {
    '(["{}"])': r".*(Schedule|Rule)",
    '[("{}")]': r".*(Bucket|Table|Repository|Database|Disk|FileSystem|Volume)",
    '[["{}"]]': r".*(Queue|Topic|Stream)",
}
"""Mermaid's shapes of nodes, with patterns of resource types. Other types are rectangles."""
TYPE_NAMES = {
    "AWS::ApiGateway::RestApi": "API Gateway",
    "AWS::ApiGateway::ApiKey": "API key",
    "AWS::ApiGatewayV2::Api": "API Gateway",
    "AWS::AutoScaling::AutoScalingGroup": "Auto Scaling group",
    "AWS::Batch::JobDefinition": "Batch job",
    "AWS::Batch::JobQueue": "Batch job queue",
    "AWS::Cognito::UserPool": "Cognito user pool",
    "AWS::ECS::Service": "ECS service",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Application Load Balancer",
    "AWS::Events::Rule": "EventBridge rule",
    "AWS::KinesisFirehose::DeliveryStream": "Firehose",
    "AWS::Lightsail::Instance": "Lightsail server",
    "AWS::Lightsail::StaticIp": "static IP",
    "AWS::Scheduler::Schedule": "EventBridge Scheduler",
}
"""The usual name of a resource type, if it differs from the name in CloudFormation."""


def node(name: str, label: str, resources: Resources) -> str:
    """Return the mermaid line of a resource. `label` is the name in the diagram."""
    kind = resources[name]["Type"]
    shape = next((shape for shape, types in SHAPES.items() if re.fullmatch(types, kind)), '["{}"]')
    service, _, own = kind.removeprefix("AWS::").partition("::")
    type_name = TYPE_NAMES.get(kind, f"{service} {re.sub('(?<=[a-z])(?=[A-Z])', ' ', own).lower()}")
    details = DETAILS[kind](name, resources) if kind in DETAILS else ""
    return label + shape.format("<br>".join(part for part in (label, type_name, details) if part))


def vpc_frame_text(resources: Resources) -> str:
    """Return the text of the frame around the nodes in a VPC."""
    open_tables = {
        table
        for route in _properties_list(resources, "AWS::EC2::Route")
        if "GatewayId" in route
        for _, table in references(route["RouteTableId"])
    }
    public = {
        subnet
        for one in _properties_list(resources, "AWS::EC2::SubnetRouteTableAssociation")
        if open_tables & {table for _, table in references(one["RouteTableId"])}
        for _, subnet in references(one["SubnetId"])
    }
    subnets = _properties_by_id(resources, "AWS::EC2::Subnet")
    access = " and ".join(sorted({"public" if name in public else "private" for name in subnets}, reverse=True))
    zones = len({json.dumps(subnet["AvailabilityZone"]) for subnet in subnets.values()})
    gateways = len(_properties_list(resources, "AWS::EC2::NatGateway"))
    # The console's drawing program makes no frame wider for its text, so the text is short.
    return f"VPC: {access} subnets in {zones} zones{f', {gateways} NAT gateway' if gateways else ''}"


def monitoring_text(kinds: list[str]) -> str:
    """Return the text of the node for monitoring. `kinds` has the type of each log group, alarm and dashboard."""
    services = dict.fromkeys(kind.split("::")[1].replace("Logs", "CloudWatch") for kind in kinds)
    alarms = sum(kind.endswith("::Alarm") for kind in kinds)
    texts = {
        "logs": any(kind.endswith("::LogGroup") for kind in kinds),
        "1 alarm" if alarms == 1 else f"{alarms} alarms": alarms > 0,
        "dashboard": any(kind.endswith("::Dashboard") for kind in kinds),
    }
    return f"{' and '.join(services)}<br>{', '.join(text for text, exists in texts.items() if exists)}"


def _properties_by_id(resources: Resources, kind: str) -> dict[str, Mapping[str, Any]]:
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}


def _properties_list(resources: Resources, kind: str) -> list[Mapping[str, Any]]:
    return list(_properties_by_id(resources, kind).values())


# -- details of a node, by type


def _function(name: str, resources: Resources) -> str:
    function = resources[name]["Properties"]
    runtime = function.get("Runtime", "an image").replace("python", "Python ")
    return f"{runtime}, {function.get('Architectures', ['x86_64'])[0]},<br>{function.get('MemorySize', 128):,} MB"


def _table(name: str, resources: Resources) -> str:
    table = resources[name]["Properties"]
    indexes = "".join(f"<br>index {index['IndexName']}" for index in table.get("GlobalSecondaryIndexes", []))
    return "by " + ", ".join(key["AttributeName"] for key in table["KeySchema"]) + indexes


def _repository(name: str, resources: Resources) -> str:
    return f"{resources[name]['Properties'].get('ImageTagMutability', 'mutable').lower()} tags"


def _api_key(_: str, resources: Resources) -> str:
    plans = _properties_list(resources, "AWS::ApiGateway::UsagePlan")
    return "<br>".join(
        f"{plan['Throttle']['RateLimit']} requests a second,<br>{plan['Quota']['Limit']:,} a {plan['Quota']['Period']}"
        for plan in plans
    ).lower()


def _service(name: str, resources: Resources) -> str:
    scaling = [
        f"{target['MinCapacity']} to {target['MaxCapacity']} tasks"
        for target in _properties_list(resources, "AWS::ApplicationAutoScaling::ScalableTarget")
        if name in {service for _, service in references(target)}
    ]
    providers = resources[name]["Properties"].get("CapacityProviderStrategy", [])
    named = [str(one["CapacityProvider"]).replace("_", " ").title() for one in providers if not list(references(one))]
    return ",<br>".join(part for part in [*scaling, " and ".join(named)] if part)


def _auto_scaling_group(name: str, resources: Resources) -> str:
    group = resources[name]["Properties"]
    machines = [
        template["LaunchTemplateData"].get("InstanceType", "")
        for template_id, template in _properties_by_id(resources, "AWS::EC2::LaunchTemplate").items()
        if template_id in {machine for _, machine in references(group)}
    ]
    return ",<br>".join([f"{group['MinSize']} to {group['MaxSize']} instances", *machines])


def _job(name: str, resources: Resources) -> str:
    wanted = resources[name]["Properties"]["ContainerProperties"]["ResourceRequirements"]
    needs = {need["Type"]: int(need["Value"]) for need in wanted}
    units = {"VCPU": "vCPUs", "MEMORY": "MiB", "GPU": "GPUs"}
    return ", ".join(f"{needs[kind]:,} {unit}" for kind, unit in units.items() if kind in needs)


def _environment(name: str, resources: Resources) -> str:
    machines = resources[name]["Properties"]["ComputeResources"]
    return f"{machines.get('MinvCpus', 0)} to {machines['MaxvCpus']} vCPUs"


def _server(name: str, resources: Resources) -> str:
    server = resources[name]["Properties"]
    return f"{server['BlueprintId']}, {server['BundleId']}"


def _schedule(name: str, resources: Resources) -> str:
    return str(resources[name]["Properties"]["ScheduleExpression"])


DETAILS: Mapping[str, Callable[[str, Resources], str]] = {
    "AWS::ApiGateway::ApiKey": _api_key,
    "AWS::AutoScaling::AutoScalingGroup": _auto_scaling_group,
    "AWS::Batch::ComputeEnvironment": _environment,
    "AWS::Batch::JobDefinition": _job,
    "AWS::DynamoDB::Table": _table,
    "AWS::ECR::Repository": _repository,
    "AWS::ECS::Service": _service,
    "AWS::Lambda::Function": _function,
    "AWS::Lightsail::Instance": _server,
    "AWS::Scheduler::Schedule": _schedule,
}
