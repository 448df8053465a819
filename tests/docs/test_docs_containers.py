"""What the container lessons say is the stacks': their figures add up, and their alarms, settings and ids exist."""

import re
from typing import Any

import pytest

from config import CONTEXT_SETTINGS
from stacks import _network, ecr, ecs_ec2, ecs_ec2_capacity
from stacks import _web_service as web
from tests.docs.test_docs import lesson, section
from tests.support.apps import templates
from tests.support.folders import ROOT
from tools.costs.comparisons import TASKS_PER_INSTANCE
from tools.templates import resources

SERVICES = ["ecs_ec2", "fargate"]


def words(stem: str) -> str:
    return " ".join(lesson(stem).split())


def template(stem: str) -> dict[str, Any]:
    return templates("sandbox")[stem]


def table() -> str:
    return section(lesson("fargate"), "What is deployed").split("\n| | ECS on EC2 |")[1].split("\n\n")[0]


def weights() -> tuple[int, float]:
    """The tasks that are regular in any case, and the share of the others that is Spot."""
    (service,) = resources(template("fargate"), "AWS::ECS::Service").values()
    regular, spot = service["Properties"]["CapacityProviderStrategy"]
    return regular["Base"], spot["Weight"] / (regular["Weight"] + spot["Weight"])


def test_both_lessons_have_the_same_table() -> None:
    assert "\n| | ECS on EC2 |" + table() + "\n" in lesson("ecs_ec2")


def test_the_fargate_lessons_figures_are_the_stacks() -> None:
    text = words("fargate")
    base, share = weights()
    assert base == 1
    assert share == 3 / 4
    assert (
        f"between {web.MIN_TASKS} and {web.MAX_TASKS} tasks: scaling keeps the average CPU at {web.CPU_PERCENT} %"
        in text
    )
    assert f"each task at {web.REQUESTS_PER_TASK:,} requests a minute" in text
    assert f"after the {web.STOP_TIMEOUT.to_seconds():.0f} seconds of its stop timeout" in text
    assert f"on port {web.PORT}" in text


def test_the_lessons_times_are_the_templates() -> None:
    text = words("fargate")
    (service,) = resources(template("fargate"), "AWS::ECS::Service").values()
    (group,) = resources(template("fargate"), "AWS::ElasticLoadBalancingV2::TargetGroup").values()
    checks = group["Properties"]
    delay = checks["TargetGroupAttributes"][0]["Value"]
    assert f"For {service['Properties']['HealthCheckGracePeriodSeconds']} seconds after its start" in text
    assert checks["HealthyThresholdCount"] == 2
    assert checks["HealthCheckIntervalSeconds"] == 5
    assert "answered 200 twice, five seconds apart" in text
    noticed = checks["UnhealthyThresholdCount"] * checks["HealthCheckIntervalSeconds"]
    assert f"after two failed checks, {noticed} seconds" in text
    assert f"gives requests in flight {delay} seconds" in text
    server = (ROOT / "containers/web/web/server.py").read_text()
    quiet, limit, finish = (
        re.search(rf"^{name}_SECONDS = (\d+)", server, re.MULTILINE) for name in ("QUIET", "LIMIT", "FINISH")
    )
    assert quiet
    assert limit
    assert finish
    assert noticed < int(limit[1]), "a Spot task would be gone before the load balancer knows"
    assert f"no request has arrived for {quiet[1]} seconds, and for {limit[1]} seconds at most." in text
    assert f"within {finish[1]} seconds, and exits with 0" in text


def test_the_ecs_ec2_lessons_figures_are_the_stacks() -> None:
    text = words("ecs_ec2")
    assert f"from {_network.ZONES} to {ecs_ec2_capacity.MAX_INSTANCES} instances" in text
    assert f"A task has {ecs_ec2.MEMORY_MIB} MiB" in text
    assert f"The {ecs_ec2.CPU_UNITS} units of CPU" in text
    assert TASKS_PER_INSTANCE == 3
    assert f"{ecs_ec2_capacity.DISK_GB} GB each" in text
    assert ecs_ec2_capacity.MAX_INSTANCES * TASKS_PER_INSTANCE >= 2 * web.MAX_TASKS, (
        "a deployment at ten tasks has room"
    )
    line = re.search(r"```python\n(.*?)\n```", lesson("ecs_ec2"), re.DOTALL)
    assert line
    assert line[1] in (ROOT / "stacks/ecs_ec2.py").read_text()
    rules = resources(template("ecs_ec2"), "AWS::EC2::SecurityGroupIngress").values()
    assert [(rule["Properties"]["FromPort"], rule["Properties"]["ToPort"]) for rule in rules] == [(32768, 65535)]


def test_the_ecr_lessons_figures_are_the_stacks() -> None:
    text = words("ecr")
    assert f"all but the last {ecr.KEPT_IMAGES}" in text
    (repository,) = resources(template("ecr"), "AWS::ECR::Repository").values()
    assert repository["Properties"]["ImageTagMutability"] == "IMMUTABLE"
    policy = resources(template("ecr"), "AWS::IAM::Policy")["RoleDefaultPolicy5FFB7DAB"]
    write_log, read, write = policy["Properties"]["PolicyDocument"]["Statement"]
    assert [len(statement["Action"]) for statement in (read, write, write_log)] == [2, 6, 2]
    assert "read from the one repository (two actions), write to the other (six), and write its log (two)" in text


@pytest.mark.parametrize("stem", SERVICES)
def test_every_alarm_is_told_of(stem: str) -> None:
    alarms = resources(template(stem), "AWS::CloudWatch::Alarm")
    told = re.findall(r"^\| ([A-Z]\w+) \|", section(lesson(stem), "Watch it"), re.MULTILINE)
    assert {re.sub(r"Alarm[0-9A-F]{8}$", "", name) for name in alarms} == set(told)


def test_the_settings_are_told_of() -> None:
    told = re.findall(r"^\| `(\w+)`", section(lesson("fargate"), "Deploy it"), re.MULTILINE)
    assert set(told) == {"web_image", "architecture", "web_certificate_arn", "container_insights"}
    assert set(told) <= set(CONTEXT_SETTINGS)
    assert "publish_web_image" in lesson("ecr")
