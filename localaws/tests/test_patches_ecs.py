"""An ECS service behind a load balancer, as processes: placement, health checks, turns, stops, and CloudFormation."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import WaiterError
from conftest import Client
from helpers import deploy_stack, wait_for

from localaws import LocalAws, Settings, StandIn
from localaws.urls import local_url

SERVER = """
import http.server, os, signal, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())

signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_CONTAINERS", "none")
        server = StandIn(image="web:1", command=(sys.executable, "-c", SERVER))
        crash = StandIn(image="crash:1", command=(sys.executable, "-c", "raise SystemExit(1)"))
        settings = Settings(stand_ins=(server, crash), seconds_per_minute=1)
        aws = LocalAws(tmp_path_factory.mktemp("ecs"), settings)
        aws.start()
        yield aws
        aws.stop()


@pytest.fixture(scope="module")
def client(aws: LocalAws) -> Client:
    engine = aws.running_engine()
    assert engine
    return lambda service: aws.client(service, engine)


def service(cluster: str, *, image: str = "web:1") -> dict[str, tuple[str, Any]]:
    """Return the resources of a service with two tasks in two zones behind a load balancer."""
    network = {"Subnets": [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]}
    container = {
        "Name": "web",
        "Image": image,
        "PortMappings": [{"ContainerPort": 8080}],
        "HealthCheck": {"Command": ["CMD", "true"]},
    }
    definition = {"Cpu": "256", "Memory": "512", "NetworkMode": "awsvpc", "ContainerDefinitions": [container]}
    forward = {"Type": "forward", "TargetGroupArn": {"Ref": "Targets"}}
    return {
        "Vpc": ("AWS::EC2::VPC", {"CidrBlock": "10.0.0.0/16"}),
        **{
            f"Subnet{zone.upper()}": (
                "AWS::EC2::Subnet",
                {"VpcId": {"Ref": "Vpc"}, "CidrBlock": block, "AvailabilityZone": f"us-east-1{zone}"},
            )
            for zone, block in (("a", "10.0.0.0/24"), ("b", "10.0.1.0/24"))
        },
        "Balancer": ("AWS::ElasticLoadBalancingV2::LoadBalancer", network),
        "Targets": (
            "AWS::ElasticLoadBalancingV2::TargetGroup",
            {
                "Port": 80,
                "Protocol": "HTTP",
                "TargetType": "ip",
                "VpcId": {"Ref": "Vpc"},
                "HealthCheckIntervalSeconds": 5,
            },
        ),
        "Listener": (
            "AWS::ElasticLoadBalancingV2::Listener",
            {"LoadBalancerArn": {"Ref": "Balancer"}, "Port": 80, "Protocol": "HTTP", "DefaultActions": [forward]},
        ),
        "Cluster": ("AWS::ECS::Cluster", {"ClusterName": cluster}),
        "Definition": ("AWS::ECS::TaskDefinition", definition),
        "Service": (
            "AWS::ECS::Service",
            {
                "ServiceName": "web",
                "Cluster": {"Ref": "Cluster"},
                "TaskDefinition": {"Ref": "Definition"},
                "DesiredCount": 2,
                "LaunchType": "FARGATE",
                "LoadBalancers": [
                    {"ContainerName": "web", "ContainerPort": 8080, "TargetGroupArn": {"Ref": "Targets"}}
                ],
                "NetworkConfiguration": {"AwsvpcConfiguration": network},
                "DeploymentConfiguration": {"DeploymentCircuitBreaker": {"Enable": True, "Rollback": True}},
            },
        ),
    }


def tasks(client: Client, cluster: str) -> list[Any]:
    ecs = client("ecs")
    arns = ecs.list_tasks(cluster=cluster)["taskArns"]
    found = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    return [task for task in found if task["lastStatus"] == "RUNNING"]


def test_a_service_runs_behind_its_load_balancer(client: Client, aws: LocalAws) -> None:
    ids = deploy_stack(client, "good", service("good"))
    running = tasks(client, "good")
    assert {task["availabilityZone"] for task in running} == {"us-east-1a", "us-east-1b"}
    elb = client("elbv2")
    health = elb.describe_target_health(TargetGroupArn=ids["Targets"])["TargetHealthDescriptions"]
    assert [target["TargetHealth"]["State"] for target in health] == ["healthy", "healthy"]
    definition = client("ecs").describe_task_definition(taskDefinition=ids["Definition"])["taskDefinition"]
    assert definition["containerDefinitions"][0]["healthCheck"]["command"] == ["CMD", "true"]

    (balancer,) = elb.describe_load_balancers(LoadBalancerArns=[ids["Balancer"]])["LoadBalancers"]
    engine = aws.running_engine()
    assert engine
    url = local_url(f"http://{balancer['DNSName']}/", engine.endpoint)
    answers = [requests.get(url, timeout=10).text for _ in range(4)]
    assert answers[:2] == answers[2:]
    assert len({*answers}) == 2

    stopped = running[0]["taskArn"]
    client("ecs").stop_task(cluster="good", task=stopped)
    wait_for(lambda: {stopped} <= {*_stopped(client, "good", stopped)})
    wait_for(lambda: len(tasks(client, "good")) == 2)
    (task,) = client("ecs").describe_tasks(cluster="good", tasks=[stopped])["tasks"]
    assert task["containers"][0]["exitCode"] == 7, "the task got SIGTERM"


def _stopped(client: Client, cluster: str, arn: str) -> list[str]:
    found = client("ecs").describe_tasks(cluster=cluster, tasks=[arn])["tasks"]
    return [task["taskArn"] for task in found if task["lastStatus"] == "STOPPED"]


def test_a_service_whose_tasks_crash_fails_its_stack(client: Client) -> None:
    with pytest.raises(WaiterError):
        deploy_stack(client, "bad", service("bad", image="crash:1"))
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in client("cloudformation").describe_stack_events(StackName="bad")["StackEvents"]
    ]
    assert any("Circuit Breaker" in reason or "steady" in reason for reason in reasons)
