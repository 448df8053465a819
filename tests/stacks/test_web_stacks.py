"""What both stacks of the web service mean to be. What only one is, stands in its own test."""

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
    only_resource,
    properties_of,
    stack_name,
    synthesize_example,
    template_with,
    templates,
)
from tools.templates import Template, resources, templates_in

STEMS = ("ecs_ec2", "fargate")
each = pytest.mark.parametrize("stem", STEMS)
every = pytest.mark.parametrize(
    "template",
    [templates(profile)[stem] for stem in STEMS for profile in ("sandbox", "production")],
    ids=[f"{stem}.{profile}" for stem in STEMS for profile in ("sandbox", "production")],
)


def container(template: Template) -> dict[str, Any]:
    (found,) = properties_of(template, "AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    return dict(found)


CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"


OTHERWISE = {
    "architecture": "x86_64",
    "web_certificate_arn": CERTIFICATE,
    "web_image": "compute-ecr-web-1a2b:v1",
    "container_insights": "true",
    "publish_web_image": "false",
}
"""Every setting of the web service, and another value than its default."""


@every
def test_the_outputs_are_what_the_smoke_tests_and_lessons_use(template: Template) -> None:
    assert set(template["Outputs"]) == {"ServiceUrl", "ClusterName", "ServiceName"}


# -- the container


@every
def test_the_container_cannot_write_to_its_image_and_has_time_to_drain(template: Template) -> None:
    assert container(template)["ReadonlyRootFilesystem"] is True
    assert container(template)["StopTimeout"] == 30
    assert not container(template).get("Privileged")
    assert properties_of(template, "AWS::ECS::Service").get("EnableExecuteCommand", False) is False


@every
def test_the_container_is_asked_for_its_health_by_what_is_in_the_image(template: Template) -> None:
    assert container(template)["HealthCheck"]["Command"] == ["CMD", "python", "-m", "web.healthcheck"]


@every
def test_logs_go_to_a_group_of_the_stack_and_never_hold_up_a_request(template: Template) -> None:
    options = container(template)["LogConfiguration"]["Options"]
    assert options["awslogs-group"]["Ref"] in resources(template, "AWS::Logs::LogGroup")
    assert options["mode"] == "non-blocking"
    assert "awslogs-create-group" not in options


@every
def test_the_task_may_do_nothing_and_the_agent_pulls_and_logs(template: Template) -> None:
    task = properties_of(template, "AWS::ECS::TaskDefinition")
    roles = {"TaskRoleArn": "TaskTaskRole", "ExecutionRoleArn": "TaskExecutionRole"}
    assert all(task[key]["Fn::GetAtt"][0].startswith(role) for key, role in roles.items()), "they are easily swapped"
    holders = {
        role["Ref"]
        for policy in resources(template, "AWS::IAM::Policy").values()
        for role in policy["Properties"]["Roles"]
    }
    assert not any(holder.startswith("TaskTaskRole") for holder in holders)
    statements = properties_of(template, "AWS::IAM::Policy", "TaskExecutionRole")["PolicyDocument"]["Statement"]
    assert {json.dumps(statement["Action"]) for statement in statements if statement["Resource"] == "*"} == {
        '"ecr:GetAuthorizationToken"'
    }


# -- the service


@every
def test_a_deployment_that_fails_rolls_back_and_none_takes_tasks_away_first(template: Template) -> None:
    service = properties_of(template, "AWS::ECS::Service")
    assert service["DeploymentConfiguration"] == {
        "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
        "MinimumHealthyPercent": 100,
        "MaximumPercent": 200,
    }
    assert service["HealthCheckGracePeriodSeconds"] == 60
    assert service["AvailabilityZoneRebalancing"] == "ENABLED"
    assert "DesiredCount" not in service, "each deployment would take back what scaling has added"
    assert "LaunchType" not in service, "it would use no capacity provider"


@every
def test_the_service_comes_after_the_capacity_providers_and_goes_before_them(template: Template) -> None:
    (associations,) = resources(template, "AWS::ECS::ClusterCapacityProviderAssociations")
    assert associations in only_resource(template, "AWS::ECS::Service")["DependsOn"]


@every
def test_no_task_starts_before_its_image_may_be_pulled(template: Template) -> None:
    (policy,) = [name for name in resources(template, "AWS::IAM::Policy") if name.startswith("TaskExecutionRole")]
    assert policy in only_resource(template, "AWS::ECS::Service")["DependsOn"]


@every
def test_two_to_ten_tasks_follow_cpu_and_requests(template: Template) -> None:
    target = properties_of(template, "AWS::ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 10)
    tracked = {
        policy["PredefinedMetricSpecification"]["PredefinedMetricType"]: policy["TargetValue"]
        for policy in (
            one["Properties"]["TargetTrackingScalingPolicyConfiguration"]
            for one in resources(template, "AWS::ApplicationAutoScaling::ScalingPolicy").values()
        )
    }
    assert tracked == {"ECSServiceAverageCPUUtilization": 60, "ALBRequestCountPerTarget": 12_000}


# -- the load balancer


@every
def test_the_load_balancer_asks_whether_a_task_is_ready_and_lets_it_drain(template: Template) -> None:
    group = properties_of(template, "AWS::ElasticLoadBalancingV2::TargetGroup")
    assert group["HealthCheckPath"] == "/readyz"
    attributes = {one["Key"]: one["Value"] for one in group["TargetGroupAttributes"]}
    assert attributes["deregistration_delay.timeout_seconds"] == "30"


def attributes_of(template: Template) -> dict[str, Any]:
    balancer = properties_of(template, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    return {one["Key"]: one["Value"] for one in balancer["LoadBalancerAttributes"]}


@every
def test_requests_with_invalid_headers_lose_them(template: Template) -> None:
    assert attributes_of(template)["routing.http.drop_invalid_header_fields.enabled"] == "true"


@each
def test_production_is_protected_and_writes_access_logs(stem: str) -> None:
    template = templates("production")[stem]
    attributes = attributes_of(template)
    (bucket,) = resources(template, "AWS::S3::Bucket")
    assert attributes["deletion_protection.enabled"] == "true"
    assert attributes["access_logs.s3.enabled"] == "true"
    assert attributes["access_logs.s3.bucket"] == {"Ref": bucket}
    (policy,) = resources(template, "AWS::S3::BucketPolicy")
    balancer = only_resource(template, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert policy in balancer["DependsOn"], "the load balancer writes at once"
    (allowed,) = [
        statement
        for statement in properties_of(template, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert allowed["Principal"] == {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    assert allowed["Action"] == "s3:PutObject"
    where = "".join(part if isinstance(part, str) else "<>" for part in allowed["Resource"]["Fn::Join"][1])
    assert where == "<>/AWSLogs/<>/*"
    assert resources(templates("sandbox")[stem], "AWS::S3::Bucket") == {}


@every
def test_without_a_certificate_it_speaks_http(template: Template) -> None:
    listener = properties_of(template, "AWS::ElasticLoadBalancingV2::Listener")
    assert (listener["Port"], listener["Protocol"]) == (80, "HTTP")
    assert template["Outputs"]["ServiceUrl"]["Value"]["Fn::Join"][1][0] == "http://"


@each
def test_with_a_certificate_http_only_redirects(stem: str) -> None:
    template = template_with(stem, **OTHERWISE)
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
    assert template["Outputs"]["ServiceUrl"]["Value"]["Fn::Join"][1][0] == "https://"
    assert faults(template) == []


@each
def test_a_certificate_can_be_given_to_what_is_deployed(stem: str) -> None:
    before, after = templates("sandbox")[stem], template_with(stem, **OTHERWISE)
    (http,) = resources(before, "AWS::ElasticLoadBalancingV2::Listener")
    listeners = resources(after, "AWS::ElasticLoadBalancingV2::Listener")
    assert listeners[http]["Properties"]["Port"] == 80, "a second listener would be made for a port that has one"
    (https,) = {*listeners} - {http}
    assert https in listeners[http]["DependsOn"], "nobody is redirected to where nothing listens yet"
    group = "AWS::ElasticLoadBalancingV2::TargetGroup"
    assert {*resources(before, group)} == {*resources(after, group)}, "all tasks would have to move to the new one"


# -- the network


@each
def test_only_production_pays_for_a_nat_gateway_and_one_address_of_the_accounts_five(stem: str) -> None:
    assert resources(templates("sandbox")[stem], "AWS::EC2::NatGateway") == {}
    assert len(resources(templates("production")[stem], "AWS::EC2::NatGateway")) == 1
    assert len(resources(templates("production")[stem], "AWS::EC2::EIP")) == 1


@every
def test_layers_come_past_the_nat_gateway_and_refused_packets_are_recorded(template: Template) -> None:
    endpoint = properties_of(template, "AWS::EC2::VPCEndpoint")
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert endpoint["ServiceName"]["Fn::Join"][1][-1] == ".s3"
    flow = properties_of(template, "AWS::EC2::FlowLog")
    assert flow["TrafficType"] == "REJECT"
    assert flow["LogGroupName"]["Ref"] in resources(template, "AWS::Logs::LogGroup")


# -- where the image comes from


@each
def test_the_image_is_the_cdks_asset(stem: str) -> None:
    assets = json.loads((assembly("sandbox") / f"{stack_name(stem)}.assets.json").read_text())
    ((name, asset),) = assets["dockerImages"].items()
    assert container(templates("sandbox")[stem])["Image"]["Fn::Sub"].endswith(f":{name}")
    assert asset["source"]["platform"] == "linux/arm64"


@pytest.mark.parametrize(
    ("configured", "image", "pulls_from"),
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
)
def test_the_image_may_come_from_a_registry(
    configured: str, image: str, pulls_from: str | None, tmp_path: Path
) -> None:
    app = cdk.App(outdir=str(tmp_path))
    stack = cdk.Stack(app, "Task")
    task = ecs.FargateTaskDefinition(stack, "Task")
    task.add_container("Web", image=web_image(stack, configured, "arm64"))
    app.synth()
    template = json.loads((tmp_path / "Task.template.json").read_text())
    assert _joined(container(template)["Image"]) == image
    readable = {
        _joined(statement["Resource"])
        for policy in resources(template, "AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "ecr:BatchGetImage" in statement["Action"]
    }
    assert readable == ({pulls_from} if pulls_from else set())


@each
def test_a_configured_image_is_run_and_none_is_built(stem: str, tmp_path: Path) -> None:
    synthesize_example(stem, tmp_path, **OTHERWISE)
    assert _joined(container(templates_in(tmp_path)[stem])["Image"]).endswith("/compute-ecr-web-1a2b:v1")
    assets = json.loads((tmp_path / f"{stack_name(stem)}.assets.json").read_text())
    assert assets.get("dockerImages", {}) == {}


def test_x86_if_it_is_asked_for() -> None:
    task = properties_of(template_with("fargate", **OTHERWISE), "AWS::ECS::TaskDefinition")
    assert task["RuntimePlatform"]["CpuArchitecture"] == "X86_64"
    instances = template_with("ecs_ec2", **OTHERWISE)
    launched = properties_of(instances, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert launched["InstanceType"] == "t3.micro"
    assert instances["Parameters"][launched["ImageId"]["Ref"]]["Default"].endswith("2023/recommended/image_id")


@each
def test_container_insights_are_productions_unless_they_are_asked_for(stem: str) -> None:
    found = {
        name: properties_of(template, "AWS::ECS::Cluster")["ClusterSettings"][0]["Value"]
        for name, template in {
            "sandbox": templates("sandbox")[stem],
            "production": templates("production")[stem],
            "otherwise": template_with(stem, **OTHERWISE),
        }.items()
    }
    assert found == {"sandbox": "disabled", "production": "enabled", "otherwise": "enabled"}


def _joined(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "".join(part if isinstance(part, str) else "<>" for part in value["Fn::Join"][1])


# -- the alarms


@every
def test_somebody_hears_of_it(template: Template) -> None:
    alarms = {
        name.removesuffix(name[-8:]).removesuffix("Alarm"): one["Properties"]
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
        "one node of the load balancer that misses it is enough"
    )
    missing = {name: alarm["TreatMissingData"] for name, alarm in alarms.items()}
    assert missing.pop("NoTargets") == "breaching", "a load balancer without targets writes no such metric"
    assert {*missing.values()} == {"notBreaching"}
