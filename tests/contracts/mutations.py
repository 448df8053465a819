"""Changes to the templates that a contract must notice, each a mistake that somebody made or could make."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from config import PROFILES
from tests.apps import Template, resources

Change = Callable[[Template], None]
WEB = ("ecs_ec2", "fargate")


@dataclass(frozen=True)
class Mutation:
    """A mistake, and what its contract says of it."""

    name: str
    contract: str
    """The module's name."""
    stems: tuple[str, ...]
    change: Change
    """Changes a template in place."""
    says: str
    """A part of a fault that was not there before."""
    profiles: tuple[str, ...] = tuple(PROFILES)


def drop(kind: str) -> Change:
    """Take out every resource of a type."""

    def change(template: Template) -> None:
        for name in resources(template, kind):
            del template["Resources"][name]

    return change


def put(kind: str, key: str, value: Any) -> Change:
    """Set a property of every resource of a type."""

    def change(template: Template) -> None:
        for resource in resources(template, kind).values():
            resource["Properties"][key] = value

    return change


def _open_the_targets(template: Template) -> None:
    rule = {"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    for name, group in resources(template, "AWS::EC2::SecurityGroup").items():
        if not name.startswith("LoadBalancer"):
            group["Properties"]["SecurityGroupIngress"] = [rule]


def _close_the_door(template: Template) -> None:
    for group in resources(template, "AWS::EC2::SecurityGroup").values():
        group["Properties"].pop("SecurityGroupIngress", None)


def _no_public_addresses(template: Template) -> None:
    for subnet in resources(template, "AWS::EC2::Subnet").values():
        subnet["Properties"]["MapPublicIpOnLaunch"] = False
    for service in resources(template, "AWS::ECS::Service").values():
        if "NetworkConfiguration" in service["Properties"]:
            service["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] = "DISABLED"
    for name, route in resources(template, "AWS::EC2::Route").items():
        if "NatGatewayId" in route["Properties"]:
            del template["Resources"][name]


def _other_port(template: Template) -> None:
    for kind in ("Ingress", "Egress"):
        for rule in resources(template, f"AWS::EC2::SecurityGroup{kind}").values():
            rule["Properties"]["ToPort"] = rule["Properties"]["FromPort"] = 80


def _swap_target_type(template: Template) -> None:
    for group in resources(template, "AWS::ElasticLoadBalancingV2::TargetGroup").values():
        was = group["Properties"]["TargetType"]
        group["Properties"]["TargetType"] = "ip" if was == "instance" else "instance"


def _forward_nowhere(template: Template) -> None:
    for listener in resources(template, "AWS::ElasticLoadBalancingV2::Listener").values():
        listener["Properties"]["DefaultActions"] = [{"Type": "fixed-response"}]


REACHABLE = [
    Mutation(name, "reachable", WEB, change, says)
    for name, change, says in (
        (
            "the load balancer gets no rule towards the targets (aws-cdk-examples #695)",
            drop("AWS::EC2::SecurityGroupEgress"),
            "may not reach its targets",
        ),
        ("the targets get no rule for the load balancer", drop("AWS::EC2::SecurityGroupIngress"), "do not let"),
        ("both rules are for another port", _other_port, "may not reach its targets"),
        ("no rule lets the world in", _close_the_door, "the world does not reach"),
        ("SSH is open to the world", _open_the_targets, "the targets are open to 0.0.0.0/0"),
        ("no route leads out", drop("AWS::EC2::Route"), "the internet does not lead to"),
        ("no subnet has a route table", drop("AWS::EC2::SubnetRouteTableAssociation"), "to the registry"),
        ("neither public addresses nor NAT", _no_public_addresses, "to the registry"),
        ("targets of the other type", _swap_target_type, "where the tasks are"),
        (
            "health is asked at another port",
            put("AWS::ElasticLoadBalancingV2::TargetGroup", "HealthCheckPort", "9000"),
            "asks after the health of another port",
        ),
        ("the listener forwards to nobody", _forward_nowhere, "no listener forwards"),
        ("all in one zone", put("AWS::EC2::Subnet", "AvailabilityZone", "us-east-1a"), "not in two zones"),
    )
]


def _add(kind: str, **properties: Any) -> Change:
    def change(template: Template) -> None:
        template["Resources"]["Added"] = {"Type": kind, "Properties": properties}

    return change


def _keep_machines(template: Template) -> None:
    for environment in resources(template, "AWS::Batch::ComputeEnvironment").values():
        environment["Properties"]["ComputeResources"]["MinvCpus"] = 2


def _take_a_larger_machine(template: Template) -> None:
    for launch in resources(template, "AWS::EC2::LaunchTemplate").values():
        launch["Properties"]["LaunchTemplateData"]["InstanceType"] = "u7i-12tb.224xlarge"


def _mix_machines(template: Template) -> None:
    for group in resources(template, "AWS::AutoScaling::AutoScalingGroup").values():
        launch = group["Properties"].pop("LaunchTemplate")
        group["Properties"]["MixedInstancesPolicy"] = {"LaunchTemplate": {"LaunchTemplateSpecification": launch}}


PRICED = [
    Mutation(name, "priced", stems, change, says)
    for name, stems, change, says in (
        ("a type that nobody has priced", ("cron",), _add("AWS::OpenSearchService::Domain"), "in [free] there"),
        (
            "capacity is provisioned",
            ("thumbnail", "api", "cron"),
            put("AWS::DynamoDB::Table", "BillingMode", "PROVISIONED"),
            "provisioned capacity",
        ),
        ("the API has a cache", ("api",), put("AWS::ApiGateway::Stage", "CacheClusterEnabled", value=True), "cache"),
        (
            "functions are kept warm",
            ("ecr",),
            put("AWS::Lambda::Version", "ProvisionedConcurrencyConfig", {"ProvisionedConcurrentExecutions": 1}),
            "provisioned concurrency",
        ),
        ("Batch keeps instances without a job", ("batch",), _keep_machines, "always keeps"),
        ("instances of another type", ("ecs_ec2",), _take_a_larger_machine, "u7i-12tb.224xlarge"),
        (
            "a larger server",
            ("lightsail",),
            put("AWS::Lightsail::Instance", "BundleId", "2xlarge_3_0"),
            "server-2xlarge",
        ),
        ("instances of many types", ("ecs_ec2",), _mix_machines, "only with 'LaunchTemplate'"),
        (
            "a load balancer of another kind",
            WEB,
            put("AWS::ElasticLoadBalancingV2::LoadBalancer", "Type", "network"),
            "network load balancer",
        ),
        (
            "insights of the dearer kind",
            WEB,
            put("AWS::ECS::Cluster", "ClusterSettings", [{"Name": "containerInsights", "Value": "enhanced"}]),
            "enhanced",
        ),
        ("alarms that look every ten seconds", ("thumbnail",), put("AWS::CloudWatch::Alarm", "Period", 10), "minute"),
    )
]

MUTATIONS = [*REACHABLE, *PRICED]
