"""Tests of the patches of ECS tasks and load balancers, with a service whose tasks are ordinary processes.

Only the patched engine runs here, because the stock engine needs Docker to run tasks.
"""

import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from botocore.exceptions import WaiterError
from conftest import Client
from helpers import apply_change_set, deploy_stack, physical_ids, wait_for
from ministack.services import ecs

from localaws import Engine, LocalAws, Settings, StandIn
from localaws.patches import ecs_tasks, elb
from localaws.patches.ecs_tasks import _wait_until_healthy, _wait_until_steady
from localaws.urls import local_url

WEB_SERVER = """
import http.server, os, signal, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{os.environ.get('VERSION')} {os.getpid()}".encode())

signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def aws_and_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalAws, Engine]]:
    """Start a local AWS without containers. Two stand-ins replace images: a web server, and a program that crashes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_CONTAINERS", "none")
        server = StandIn(image="web:1", command=(sys.executable, "-c", WEB_SERVER))
        crashing_program = StandIn(image="crash:1", command=(sys.executable, "-c", "raise SystemExit(1)"))
        settings = Settings(stand_ins=(server, crashing_program), seconds_per_minute=1)
        aws = LocalAws(tmp_path_factory.mktemp("ecs"), settings)
        yield aws, aws.start()
        aws.stop()


@pytest.fixture(scope="module")
def client(aws_and_engine: tuple[LocalAws, Engine]) -> Client:
    aws, engine = aws_and_engine
    return lambda service: aws.client(service, engine)


def service_resources(
    cluster: str, *, image: str = "web:1", version: str = "1", subnets: tuple[str, ...] = ("SubnetA", "SubnetB")
) -> dict[str, tuple[str, Any]]:
    """Return the resources of a service with a load balancer and two tasks, by default in two zones."""
    vpc = {"VpcId": {"Ref": "Vpc"}}
    zone_a = {**vpc, "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "us-east-1a"}
    zone_b = {**vpc, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1b"}
    network = {"Subnets": [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]}
    http = {"Port": 80, "Protocol": "HTTP"}
    target_group = {**vpc, **http, "TargetType": "ip", "HealthCheckIntervalSeconds": 5}
    forward_action = {"Type": "forward", "TargetGroupArn": {"Ref": "Targets"}}
    listener = {**http, "LoadBalancerArn": {"Ref": "Balancer"}, "DefaultActions": [forward_action]}
    health_check = {"Command": ["CMD", "true"]}
    container = {"Name": "web", "Image": image, "PortMappings": [{"ContainerPort": 8080}], "HealthCheck": health_check}
    container["Environment"] = [{"Name": "VERSION", "Value": version}]
    definition = {"Cpu": "256", "Memory": "512", "NetworkMode": "awsvpc", "ContainerDefinitions": [container]}
    service = {
        "ServiceName": "web",
        "Cluster": {"Ref": "Cluster"},
        "TaskDefinition": {"Ref": "Definition"},
        "DesiredCount": 2,
        "LaunchType": "FARGATE",
        "LoadBalancers": [{"ContainerName": "web", "ContainerPort": 8080, "TargetGroupArn": {"Ref": "Targets"}}],
        "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": [{"Ref": subnet} for subnet in subnets]}},
        "DeploymentConfiguration": {"DeploymentCircuitBreaker": {"Enable": True, "Rollback": True}},
    }
    return {
        "Vpc": ("AWS::EC2::VPC", {"CidrBlock": "10.0.0.0/16"}),
        "SubnetA": ("AWS::EC2::Subnet", zone_a),
        "SubnetB": ("AWS::EC2::Subnet", zone_b),
        "Balancer": ("AWS::ElasticLoadBalancingV2::LoadBalancer", network),
        "Targets": ("AWS::ElasticLoadBalancingV2::TargetGroup", target_group),
        "Listener": ("AWS::ElasticLoadBalancingV2::Listener", listener),
        "Cluster": ("AWS::ECS::Cluster", {"ClusterName": cluster}),
        "Definition": ("AWS::ECS::TaskDefinition", definition),
        "Service": ("AWS::ECS::Service", service),
    }


def running_tasks(client: Client, cluster: str) -> list[Any]:
    """Return the descriptions of the tasks in the cluster that have the status RUNNING."""
    ecs = client("ecs")
    arns = ecs.list_tasks(cluster=cluster)["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    return [task for task in tasks if task["lastStatus"] == "RUNNING"]


def test_a_service_runs_two_tasks_and_replaces_a_stopped_task(client: Client) -> None:
    ids = deploy_stack(client, "good", service_resources("good"))
    tasks = running_tasks(client, "good")
    assert {task["availabilityZone"] for task in tasks} == {"us-east-1a", "us-east-1b"}
    elb = client("elbv2")
    health = elb.describe_target_health(TargetGroupArn=ids["Targets"])["TargetHealthDescriptions"]
    assert [target["TargetHealth"]["State"] for target in health] == ["healthy", "healthy"]
    definition = client("ecs").describe_task_definition(taskDefinition=ids["Definition"])["taskDefinition"]
    assert definition["containerDefinitions"][0]["healthCheck"]["command"] == ["CMD", "true"]

    (balancer,) = elb.describe_load_balancers(LoadBalancerArns=[ids["Balancer"]])["LoadBalancers"]
    url = local_url(f"http://{balancer['DNSName']}/", client("ecs").meta.endpoint_url)
    answers = [requests.get(url, timeout=10).text for _ in range(4)]
    assert answers[:2] == answers[2:]
    assert len({*answers}) == 2

    arn = tasks[0]["taskArn"]
    client("ecs").stop_task(cluster="good", task=arn)

    def stopped_task() -> Any:
        (task,) = client("ecs").describe_tasks(cluster="good", tasks=[arn])["tasks"]
        return task["lastStatus"] == "STOPPED" and task

    assert wait_for(stopped_task)["containers"][0]["exitCode"] == 7, "the server exits with 7 after SIGTERM"
    wait_for(lambda: len(running_tasks(client, "good")) == 2)


def deploy_service(client: Client, **options: Any) -> tuple[str, set[str], set[str]]:
    """Deploy a service. Return the status of its stack, the versions that answer, and the zones of its tasks."""
    resources = service_resources("updated", **options)
    template = {name: {"Type": kind, "Properties": properties} for name, (kind, properties) in resources.items()}
    status = apply_change_set(client, "updated", template)
    balancer = physical_ids(client, "updated")["Balancer"]
    (description,) = client("elbv2").describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"]
    url = local_url(f"http://{description['DNSName']}/", client("ecs").meta.endpoint_url)
    versions = {requests.get(url, timeout=10).text.split()[0] for _ in range(4)}
    return status, versions, {task["availabilityZone"] for task in running_tasks(client, "updated")}


def deployments(client: Client) -> list[tuple[str, str]]:
    """Return the status and the state of each deployment of the service."""
    (service,) = client("ecs").describe_services(cluster="updated", services=["web"])["services"]
    return [(deployment["status"], deployment["rolloutState"]) for deployment in service["deployments"]]


def test_each_deployment_replaces_the_tasks_and_a_failed_one_is_forgotten(client: Client) -> None:
    zones = {"us-east-1a", "us-east-1b"}
    assert deploy_service(client) == ("CREATE_COMPLETE", {"1"}, zones)
    assert deploy_service(client, version="2") == ("UPDATE_COMPLETE", {"2"}, zones)
    assert deploy_service(client, image="crash:1") == ("UPDATE_ROLLBACK_COMPLETE", {"2"}, zones)
    assert deployments(client) == [("PRIMARY", "COMPLETED")]
    one_subnet: dict[str, Any] = {"version": "2", "subnets": ("SubnetB",)}
    assert deploy_service(client, **one_subnet) == ("UPDATE_COMPLETE", {"2"}, {"us-east-1b"})


def test_cloudformation_waits_until_the_number_of_tasks_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service with a new number of tasks has no new deployment, and its last deployment is complete."""
    deployment = {"status": "PRIMARY", "rolloutState": "COMPLETED"}
    service = {"deployments": [deployment], "runningCount": 1, "desiredCount": 2, "events": []}
    monkeypatch.setattr(ecs, "_services", {"cluster/web": service})
    threading.Timer(0.3, service.update, [{"runningCount": 2}]).start()
    _wait_until_steady("arn:aws:ecs:us-east-1:000000000000:service/cluster/web")
    assert service["runningCount"] == 2


@pytest.mark.parametrize(
    ("setting", "is_deployed"),
    [
        ({"serviceRegistries": [{"registryArn": "new"}]}, True),
        ({"serviceRegistries": [{"registryArn": "old"}]}, False),
        ({"desiredCount": 2}, False),
    ],
)
def test_changed_service_registries_start_a_deployment(
    monkeypatch: pytest.MonkeyPatch, setting: dict[str, Any], *, is_deployed: bool
) -> None:
    requests_to_stock: list[Any] = []
    service = {"serviceRegistries": [{"registryArn": "old"}]}
    monkeypatch.setattr(ecs, "_services", {"default/web": service})
    monkeypatch.setattr(ecs, "_resolve_cluster_name", lambda name: name)
    ecs_tasks._deploy_again(requests_to_stock.append)({"service": "web", **setting})
    assert [request.get("forceNewDeployment", False) for request in requests_to_stock] == [is_deployed]
    assert service["serviceRegistries"] == setting.get("serviceRegistries", [{"registryArn": "old"}])


@pytest.mark.parametrize(("state", "seconds"), [("healthy", 0), (None, 1)])
def test_only_a_task_without_a_load_balancer_must_run_for_a_second(
    monkeypatch: pytest.MonkeyPatch, state: str | None, seconds: int
) -> None:
    """The load balancer has already checked the others. So a deployment replaces its tasks a second sooner."""
    waits: list[float] = []
    service = {"loadBalancers": [{"targetGroupArn": "group"}] if state else []}
    monkeypatch.setattr(ecs_tasks, "_service_of_task", lambda _: service)
    monkeypatch.setattr(elb, "target_state", lambda _: state)
    monkeypatch.setattr(ecs_tasks, "time", SimpleNamespace(sleep=waits.append, monotonic=time.monotonic))
    recorded: list[str] = []
    _wait_until_healthy(lambda key, _: recorded.append(key))("cluster/web", {"_address": ("127.0.0.1", 1)})
    assert (recorded, sum(waits)) == (["cluster/web"], seconds)


def test_two_threads_do_not_start_the_same_missing_task() -> None:
    """Both a crashed task and a healthy task make ECS count the tasks of the service."""
    tasks: list[str] = []
    first_has_counted, second_has_counted = threading.Event(), threading.Event()

    def reconcile(_cluster: str, key: str) -> None:
        missing = 1 - len(tasks)
        if first_has_counted.is_set():
            second_has_counted.set()
        else:
            first_has_counted.set()
            second_has_counted.wait(1)  # with the patch, the second thread cannot count yet
        tasks.extend([key] * missing)

    threads = [
        threading.Thread(target=ecs_tasks._reconcile_once(reconcile), args=("cluster", "cluster/web")) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
        first_has_counted.wait(10)
    for thread in threads:
        thread.join(10)
    assert tasks == ["cluster/web"]


def test_the_deployment_of_a_service_with_crashing_tasks_fails(client: Client) -> None:
    with pytest.raises(WaiterError):
        deploy_stack(client, "bad", service_resources("bad", image="crash:1"))
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in client("cloudformation").describe_stack_events(StackName="bad")["StackEvents"]
    ]
    assert any("Circuit Breaker" in reason or "steady" in reason for reason in reasons)
