"""These tests check properties that ecs_ec2 and fargate share. Both stacks run the web service."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs

from stacks._web_image import web_image
from tests.contracts.reachable import faults
from tests.support.apps import (
    assembly,
    example_assembly,
    only_resource,
    properties_of,
    stack_name,
    template_with,
    templates,
)
from tests.support.folders import ROOT
from tools.templates import Template, resources, templates_in

STEMS = ("ecs_ec2", "fargate")
both_stacks = pytest.mark.parametrize("stem", STEMS)
all_templates = pytest.mark.parametrize(
    "template",
    [templates(profile)[stem] for stem in STEMS for profile in ("sandbox", "production")],
    ids=[f"{stem}.{profile}" for stem in STEMS for profile in ("sandbox", "production")],
)
CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"
ALL_SETTINGS = {
    "architecture": "x86_64",
    "web_certificate_arn": CERTIFICATE,
    "web_image": "compute-ecr-web-1a2b:v1",
    "container_insights": "true",
    "publish_web_image": "false",
}
"""Every setting of the web service. No setting has its default value."""


def container_of(template: Template) -> dict[str, Any]:
    (container,) = properties_of(template, "AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    return dict(container)


def balancer_attributes(template: Template) -> dict[str, Any]:
    balancer = properties_of(template, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    return {one["Key"]: one["Value"] for one in balancer["LoadBalancerAttributes"]}


def joined_text(value: Any) -> str:
    """Return the text of Fn::Join. It has `<>` in place of each value that CloudFormation inserts at deployment."""
    if isinstance(value, str):
        return value
    return "".join(part if isinstance(part, str) else "<>" for part in value["Fn::Join"][1])


# -- the task


@all_templates
def test_the_container_has_few_permissions_and_30_seconds_to_stop(template: Template) -> None:
    container = container_of(template)
    assert container["ReadonlyRootFilesystem"] is True
    assert f"\nUSER {container['User']}\n" in (ROOT / "containers/web/Dockerfile").read_text()
    assert container["StopTimeout"] == 30
    assert not container.get("Privileged")
    assert properties_of(template, "AWS::ECS::Service").get("EnableExecuteCommand", False) is False


@all_templates
def test_slow_logs_do_not_delay_requests(template: Template) -> None:
    assert container_of(template)["LogConfiguration"]["Options"]["mode"] == "non-blocking"


# -- the service


@all_templates
def test_ecs_rolls_back_a_failed_deployment_and_stops_old_tasks_last(template: Template) -> None:
    service = properties_of(template, "AWS::ECS::Service")
    assert service["DeploymentConfiguration"] == {
        "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
        "MinimumHealthyPercent": 100,
        "MaximumPercent": 200,
    }
    assert service["HealthCheckGracePeriodSeconds"] == 60
    assert service["AvailabilityZoneRebalancing"] == "ENABLED"
    assert "DesiredCount" not in service, "with a fixed number of tasks, each deployment would undo the scaling"
    assert "LaunchType" not in service, "with a launch type, the service would not use the capacity provider"


@all_templates
def test_capacity_providers_are_created_before_the_service_and_deleted_after_it(template: Template) -> None:
    (associations,) = resources(template, "AWS::ECS::ClusterCapacityProviderAssociations")
    assert associations in only_resource(template, "AWS::ECS::Service")["DependsOn"]


@all_templates
def test_the_service_starts_after_its_permission_to_pull_the_image_exists(template: Template) -> None:
    (policy,) = [name for name in resources(template, "AWS::IAM::Policy") if name.startswith("TaskExecutionRole")]
    assert policy in only_resource(template, "AWS::ECS::Service")["DependsOn"]


@all_templates
def test_ecs_runs_two_to_ten_tasks_depending_on_cpu_and_requests(template: Template) -> None:
    target = properties_of(template, "AWS::ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 10)
    policies = [
        one["Properties"]["TargetTrackingScalingPolicyConfiguration"]
        for one in resources(template, "AWS::ApplicationAutoScaling::ScalingPolicy").values()
    ]
    assert {
        policy["PredefinedMetricSpecification"]["PredefinedMetricType"]: policy["TargetValue"] for policy in policies
    } == {"ECSServiceAverageCPUUtilization": 60, "ALBRequestCountPerTarget": 12_000}


# -- the load balancer


@all_templates
def test_the_load_balancer_checks_readiness_and_waits_for_requests_in_progress(template: Template) -> None:
    target_group = properties_of(template, "AWS::ElasticLoadBalancingV2::TargetGroup")
    assert target_group["HealthCheckPath"] == "/readyz"
    attributes = {one["Key"]: one["Value"] for one in target_group["TargetGroupAttributes"]}
    assert attributes["deregistration_delay.timeout_seconds"] == "30"


@all_templates
def test_the_load_balancer_drops_invalid_headers(template: Template) -> None:
    assert balancer_attributes(template)["routing.http.drop_invalid_header_fields.enabled"] == "true"


@all_templates
def test_the_network_logs_rejected_packets(template: Template) -> None:
    assert properties_of(template, "AWS::EC2::FlowLog")["TrafficType"] == "REJECT"


@both_stacks
def test_only_the_production_load_balancer_writes_access_logs(stem: str) -> None:
    assert resources(templates("sandbox")[stem], "AWS::S3::Bucket") == {}
    template = templates("production")[stem]
    attributes = balancer_attributes(template)
    (bucket,) = resources(template, "AWS::S3::Bucket")
    assert attributes["access_logs.s3.enabled"] == "true"
    assert attributes["access_logs.s3.bucket"] == {"Ref": bucket}
    (policy,) = resources(template, "AWS::S3::BucketPolicy")
    balancer = only_resource(template, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert policy in balancer["DependsOn"], "the load balancer tries to write as soon as it exists"
    statements = properties_of(template, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    (grant,) = [statement for statement in statements if statement["Effect"] == "Allow"]
    assert grant["Principal"] == {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    assert grant["Action"] == "s3:PutObject"
    assert joined_text(grant["Resource"]) == "<>/AWSLogs/<>/*"


@all_templates
def test_without_a_certificate_the_service_uses_http(template: Template) -> None:
    listener = properties_of(template, "AWS::ElasticLoadBalancingV2::Listener")
    assert (listener["Port"], listener["Protocol"]) == (80, "HTTP")
    assert joined_text(template["Outputs"]["ServiceUrl"]["Value"]) == "http://<>/"


@both_stacks
def test_with_a_certificate_the_load_balancer_redirects_http_to_https(stem: str) -> None:
    template = template_with(stem, **ALL_SETTINGS)
    listeners = {
        one["Properties"]["Port"]: one["Properties"]
        for one in resources(template, "AWS::ElasticLoadBalancingV2::Listener").values()
    }
    assert set(listeners) == {80, 443}
    (redirect,) = listeners[80]["DefaultActions"]
    assert redirect["Type"] == "redirect"
    assert redirect["RedirectConfig"] == {"Port": "443", "Protocol": "HTTPS", "StatusCode": "HTTP_301"}
    assert listeners[443]["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    assert listeners[443]["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2")
    assert joined_text(template["Outputs"]["ServiceUrl"]["Value"]) == "https://<>/"
    assert faults(template) == []


@both_stacks
def test_a_certificate_can_be_added_to_a_deployed_stack(stem: str) -> None:
    before, after = templates("sandbox")[stem], template_with(stem, **ALL_SETTINGS)
    (http,) = resources(before, "AWS::ElasticLoadBalancingV2::Listener")
    listeners = resources(after, "AWS::ElasticLoadBalancingV2::Listener")
    assert listeners[http]["Properties"]["Port"] == 80, (
        "with another logical id, CloudFormation would create a second listener on the same port, and fail"
    )
    (https,) = {*listeners} - {http}
    assert https in listeners[http]["DependsOn"], "the redirect must not start before HTTPS works"
    kind = "AWS::ElasticLoadBalancingV2::TargetGroup"
    assert {*resources(before, kind)} == {*resources(after, kind)}, (
        "with another logical id, all tasks would have to move to a new target group"
    )


# -- the network


@pytest.mark.parametrize(("profile", "count"), [("sandbox", 0), ("production", 1)])
@both_stacks
def test_only_production_has_a_nat_gateway(stem: str, profile: str, count: int) -> None:
    """An account has five Elastic IP addresses, and a NAT gateway uses one."""
    template = templates(profile)[stem]
    assert len(resources(template, "AWS::EC2::NatGateway")) == count
    assert len(resources(template, "AWS::EC2::EIP")) == count


@all_templates
def test_image_layers_come_through_an_endpoint_and_not_through_the_nat_gateway(template: Template) -> None:
    endpoint = properties_of(template, "AWS::EC2::VPCEndpoint")
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert joined_text(endpoint["ServiceName"]).endswith(".s3")


# -- settings


@both_stacks
def test_cdk_builds_the_image_by_default(stem: str) -> None:
    assets = json.loads((assembly("sandbox") / f"{stack_name(stem)}.assets.json").read_text())
    ((name, asset),) = assets["dockerImages"].items()
    assert container_of(templates("sandbox")[stem])["Image"]["Fn::Sub"].endswith(f":{name}")
    assert asset["source"]["platform"] == "linux/arm64"


@pytest.mark.parametrize(
    ("configured", "image", "repository"),
    [
        (
            "compute-ecr-web-1a2b:v1",
            "<>.dkr.ecr.<>.<>/compute-ecr-web-1a2b:v1",
            "arn:<>:ecr:<>:<>:repository/compute-ecr-web-1a2b",
        ),
        (
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/web@sha256:" + "0f" * 32,
            "111122223333.dkr.ecr.eu-west-1.<>/team/web@sha256:" + "0f" * 32,
            "arn:<>:ecr:eu-west-1:111122223333:repository/team/web",
        ),
        ("public.ecr.aws/nginx/nginx:1.29", "public.ecr.aws/nginx/nginx:1.29", None),
        ("localhost:5000/web:1", "localhost:5000/web:1", None),
    ],
    ids=["repository of this account", "repository of another account", "public registry", "registry with a port"],
)
def test_the_image_can_come_from_any_registry(
    configured: str, image: str, repository: str | None, tmp_path: Path
) -> None:
    app = cdk.App(outdir=str(tmp_path))
    stack = cdk.Stack(app, "Task")
    task = ecs.FargateTaskDefinition(stack, "Task")
    task.add_container("Web", image=web_image(stack, configured, "arm64"))
    app.synth()
    template = json.loads((tmp_path / "Task.template.json").read_text())
    assert joined_text(container_of(template)["Image"]) == image
    repositories = {
        joined_text(statement["Resource"])
        for policy in resources(template, "AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "ecr:BatchGetImage" in statement["Action"]
    }
    assert repositories == ({repository} if repository else set())


@both_stacks
def test_with_a_configured_image_cdk_builds_no_image(stem: str) -> None:
    folder = example_assembly(stem, **ALL_SETTINGS)
    assert joined_text(container_of(templates_in(folder)[stem])["Image"]).endswith("/compute-ecr-web-1a2b:v1")
    assets = json.loads((folder / f"{stack_name(stem)}.assets.json").read_text())
    assert assets.get("dockerImages", {}) == {}


def test_the_setting_architecture_changes_tasks_and_instances() -> None:
    task = properties_of(template_with("fargate", **ALL_SETTINGS), "AWS::ECS::TaskDefinition")
    assert task["RuntimePlatform"]["CpuArchitecture"] == "X86_64"
    template = template_with("ecs_ec2", **ALL_SETTINGS)
    launch = properties_of(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert launch["InstanceType"] == "t3.micro"
    assert template["Parameters"][launch["ImageId"]["Ref"]]["Default"].endswith("2023/recommended/image_id")


@both_stacks
def test_container_insights_are_on_in_production_and_when_configured(stem: str) -> None:
    for template, value in (
        (templates("sandbox")[stem], "disabled"),
        (templates("production")[stem], "enabled"),
        (template_with(stem, **ALL_SETTINGS), "enabled"),
    ):
        assert properties_of(template, "AWS::ECS::Cluster")["ClusterSettings"][0]["Value"] == value


# -- the alarms


@all_templates
def test_alarms_report_missing_tasks_errors_and_a_busy_cpu(template: Template) -> None:
    alarms = {
        name[:-8].removesuffix("Alarm"): one["Properties"]
        for name, one in resources(template, "AWS::CloudWatch::Alarm").items()
    }
    assert {name: (alarm["MetricName"], alarm["Threshold"]) for name, alarm in alarms.items()} == {
        "NoTargets": ("HealthyHostCount", 1),
        "UnhealthyTargets": ("UnHealthyHostCount", 1),
        "ServerErrors": ("HTTPCode_Target_5XX_Count", 5),
        "BalancerErrors": ("HTTPCode_ELB_5XX_Count", 5),
        "Cpu": ("CPUUtilization", 90),
    }
    assert alarms["UnhealthyTargets"]["Statistic"] == "Maximum", (
        "one node of the load balancer may find a problem that its other nodes do not find"
    )
    missing = {name: alarm["TreatMissingData"] for name, alarm in alarms.items()}
    assert missing.pop("NoTargets") == "breaching", "a load balancer without targets does not report this metric"
    assert {*missing.values()} == {"notBreaching"}
