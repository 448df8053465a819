"""What the container lessons say is the stacks': their figures add up, and their alarms, settings and ids exist."""

import re
from typing import Any

import pytest

from config import OVERRIDES
from stacks import _network, _web, ecr, ecs_ec2, fargate
from tests.apps import ROOT, resources, templates
from tests.test_docs import lesson, section

HOURS = 730
# us-east-1, dollars, November 2026: aws.amazon.com/{ec2/pricing/on-demand,ebs/pricing,vpc/pricing,fargate/pricing,
# elasticloadbalancing/pricing,cloudwatch/pricing,ecr/pricing}
T4G_MICRO = 0.0084 * HOURS
DISK = 0.08 * ecs_ec2.DISK_GB
ADDRESS = 0.005 * HOURS
SURPLUS_VCPU = 0.04 * HOURS
ARM_VCPU, ARM_GB = 0.03238 * HOURS, 0.00356 * HOURS
SPOT = 0.3
BALANCER = 0.0225 * HOURS
NAT = 0.045 * HOURS
ENDPOINT = 0.01 * HOURS
ALARM = 0.10
INSIGHTS = 8
ECR_GB = 0.10
LAMBDA_GB_SECOND = 0.0000133334

INSTANCE_MIB = 900  # what an instance of 1 GiB has to give away, as ecs_ec2.MEMORY_MIB says
TASKS_PER_INSTANCE = INSTANCE_MIB // ecs_ec2.MEMORY_MIB
BASELINE_VCPU = 0.2  # of a t4g.micro, all credits spent
INSTANCE = T4G_MICRO + DISK + ADDRESS
VCPU = fargate.CPU_UNITS / 1024
TASK = VCPU * ARM_VCPU + fargate.MEMORY_MIB / 1024 * ARM_GB
TEN = _web.MAX_TASKS
COMMON = BALANCER + _network.ZONES * ADDRESS
NATS = NAT + ADDRESS
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


def tasks_cost(count: int) -> float:
    base, share = weights()
    spot = round((count - base) * share)
    return (count - spot) * TASK + spot * TASK * SPOT + count * ADDRESS


def test_both_lessons_have_the_same_table() -> None:
    assert "\n| | ECS on EC2 |" + table() + "\n" in lesson("ecs_ec2")


def test_the_tables_figures_are_the_stacks() -> None:
    instances = -(-TEN // TASKS_PER_INSTANCE)
    busy = (TEN * VCPU - instances * BASELINE_VCPU) * SURPLUS_VCPU
    gb = fargate.MEMORY_MIB / 1024
    assert instances == 4
    assert f"| ${INSTANCE:.2f}: one t4g.micro with disk and address " in table()
    assert f"| ${TASK + ADDRESS:.2f}: {VCPU} vCPU, {gb} GB and address |" in table()
    assert f"| ${instances * INSTANCE:.2f}: four instances " in table()
    assert f"| ${TEN * (TASK + ADDRESS):.2f}, or ${tasks_cost(TEN):.2f} with Spot as here |" in table()
    assert f"| ${instances * INSTANCE + busy:.2f}: the CPU that the instances borrowed on top" in table()


@pytest.mark.parametrize(
    ("stem", "capacity", "alarms"),
    [
        ("fargate", tasks_cost(_web.MIN_TASKS), 5 + 2 * 2),
        ("ecs_ec2", _network.ZONES * INSTANCE, 5 + 2 * 2 + 2),  # a capacity provider is tracked, too
    ],
)
def test_what_the_sandbox_idles_at_is_the_sum_of_its_parts(stem: str, capacity: float, alarms: int) -> None:
    costs = section(lesson(stem), "What it costs")
    idle = COMMON + capacity + alarms * ALARM
    parts = [float(cost) for cost in re.findall(r"^\| [^*|]+ \| \$(\d+\.\d\d) \|", costs, re.MULTILINE)]
    policies = resources(template(stem), "AWS::ApplicationAutoScaling::ScalingPolicy")
    assert len(resources(template(stem), "AWS::CloudWatch::Alarm")) + 2 * len(policies) <= alarms
    assert sum(parts) == pytest.approx(idle, abs=0.011)
    assert f"| **together** | **${idle:.2f}** | |" in costs
    assert f"The sandbox idles at ${idle:.2f} a month**, ${idle / 365 * 12:.2f} a day" in " ".join(costs.split())
    assert f"${idle:.0f}" in (ROOT / "README.md").read_text()


def test_what_production_idles_at() -> None:
    fixed = COMMON + NATS + INSIGHTS
    on_fargate = fixed + tasks_cost(_web.MIN_TASKS) - _web.MIN_TASKS * ADDRESS + 9 * ALARM
    on_ec2 = fixed + _network.ZONES * (INSTANCE - ADDRESS) + 11 * ALARM
    assert f"idle about ${on_fargate:.0f} a month" in words("fargate")
    assert f"Production idles at about ${on_ec2:.0f}" in words("ecs_ec2")
    assert f"a NAT gateway costs ${NATS:.2f}" in words("fargate")
    assert f"three in two zones, cost ${3 * _network.ZONES * ENDPOINT:.0f}" in words("fargate")
    for stem in SERVICES:
        assert len(resources(templates("production")[stem], "AWS::EC2::NatGateway")) == 1
        assert f"NAT gateway with its address ${NATS:.2f}" in words(stem)


def test_the_fargate_lessons_figures_are_the_stacks() -> None:
    text = words("fargate")
    base, share = weights()
    assert base == 1
    assert share == 3 / 4
    assert f"between {_web.MIN_TASKS} and {TEN} tasks: the average CPU is kept at {_web.CPU_PERCENT} %" in text
    assert f"the requests at {_web.REQUESTS_PER_TASK:,} a minute and task" in text
    assert f"after the {_web.STOP_TIMEOUT.to_seconds():.0f} seconds of its stop timeout" in text
    assert f"${TEN * (TASK + ADDRESS):.2f} without Spot" in text
    assert f"on port {_web.PORT}" in text


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
    assert f"nobody has asked for {quiet[1]} seconds, {limit[1]} at most; then it finishes what is left, within" in text
    assert f"within {finish[1]}, and exits with 0" in text


def test_the_ecs_ec2_lessons_figures_are_the_stacks() -> None:
    text = words("ecs_ec2")
    assert f"from {_network.ZONES} to {ecs_ec2.MAX_INSTANCES} instances" in text
    assert f"A task has {ecs_ec2.MEMORY_MIB} MiB" in text
    assert f"The {ecs_ec2.CPU_UNITS} units of CPU" in text
    assert TASKS_PER_INSTANCE == 3
    assert f"{ecs_ec2.DISK_GB} GB each" in text
    assert ecs_ec2.MAX_INSTANCES * TASKS_PER_INSTANCE >= 2 * TEN, "a deployment at ten tasks has room"
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
    assert f"| ${0.05 * ECR_GB:.3f} |" in lesson("ecr")
    assert f"| ${ecr.KEPT_IMAGES * 0.05 * ECR_GB:.2f} |" in lesson("ecr")
    assert f"| ${30 * ecr.MEMORY_MB / 1024 * LAMBDA_GB_SECOND:.4f} | some 30 seconds of {ecr.MEMORY_MB} MB" in text
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
    assert set(told) <= set(OVERRIDES)
    assert "publish_web_image" in lesson("ecr")
