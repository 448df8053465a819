"""The amounts in what is said of the container examples, as they must stand there."""

from collections.abc import Iterator

import pytest

from stacks import _network, _web_service, ecs_ec2, ecs_ec2_capacity, fargate
from tests.support.reckoning import PRODUCTION, costs, hourly, idles, month, of
from tools.costs import work
from tools.costs.prices import HOURS, listed

TASKS_PER_INSTANCE = work.INSTANCE_MIB["t4g.micro"] // ecs_ec2.MEMORY_MIB
BASELINE_VCPU = 0.2  # of a t4g.micro, all credits spent
NATS = hourly("nat-gateway") + hourly("address")


def instances(count: int) -> float:
    return count * HOURS * costs("ecs_ec2", "an instance hour")


def _tasks(count: int, spot: int = 0) -> float:
    return HOURS * ((count - spot) * costs("fargate", "a task hour") + spot * costs("fargate", "a task hour on Spot"))


def _busy() -> float:
    borrowed = _web_service.MAX_TASKS * fargate.CPU_UNITS / 1024 - 4 * BASELINE_VCPU
    return instances(4) + borrowed * hourly("t4g-surplus")


def _table() -> Iterator[str]:
    ten = _web_service.MAX_TASKS
    assert -(-ten // TASKS_PER_INSTANCE) == 4
    gb = fargate.MEMORY_MIB / 1024
    yield (
        f"| **one task, a month** | ${instances(1):.2f}: one t4g.micro with disk and address "
        f"| ${_tasks(1):.2f}: {fargate.CPU_UNITS / 1024} vCPU, {gb} GB and address |"
    )
    yield (
        f"| **ten tasks, a month** | ${instances(4):.2f}: four instances "
        f"| ${_tasks(ten):.2f}, or ${_tasks(ten, 7):.2f} with Spot as here |"
    )
    yield f"| ${_busy():.2f}: the CPU that the instances borrowed on top"
    assert _busy() == pytest.approx(_tasks(ten), rel=0.1), "the same, says the table"


def _both(stem: str) -> Iterator[str]:
    yield from _table()
    yield f"The sandbox idles at ${idles(stem):.2f} a month**, ${idles(stem) / 365 * 12:.2f} a day"
    yield f"| load balancer | ${of(stem, 'load balancer'):.2f} |"
    yield f"| its two public addresses | ${of(stem, 'addresses of the load balancer'):.2f} |"
    yield f"| **together** | **${idles(stem):.2f}** | |"
    insights = of(stem, "Container Insights", profile=PRODUCTION)
    yield f"a NAT gateway with its address ${NATS:.2f}"
    yield f"Container Insights ${insights:.2f}, and no addresses"


def ecs_ec2_lesson() -> Iterator[str]:
    yield from _both("ecs_ec2")
    yield f"| two instances | ${listed(p for p in month('ecs_ec2') if p.what == 'instances'):.2f} |"
    yield f"| their disks | ${of('ecs_ec2', 'disks'):.2f} | {ecs_ec2_capacity.DISK_GB} GB each"
    yield f"| their two public addresses | ${of('ecs_ec2', 'addresses of instances'):.2f} |"
    yield f"| eleven alarms, five and scaling's six | ${of('ecs_ec2', 'alarms'):.2f} |"
    yield f"ten tasks would take four instances, ${instances(4):.2f}."
    yield f"Production idles at ${idles('ecs_ec2', PRODUCTION):.2f}"


def fargate_lesson() -> Iterator[str]:
    yield from _both("fargate")
    yield f"| a regular task | ${of('fargate', 'regular task'):.2f} |"
    yield f"| a Spot task | ${of('fargate', 'Spot task'):.2f} |"
    yield f"| their two public addresses | ${of('fargate', 'addresses of tasks'):.2f} |"
    yield f"| nine alarms, five and scaling's four | ${of('fargate', 'alarms'):.2f} |"
    yield f"ten tasks and their addresses would come to ${_tasks(10, 7):.2f}, and ${_tasks(10):.2f} without Spot."
    yield f"idle ${idles('fargate', PRODUCTION):.2f} a month"
    yield f"gives it that for ${hourly('address'):.2f} a month; a NAT gateway costs ${NATS:.2f}."
    yield f"three in two zones, cost ${3 * _network.ZONES * hourly('interface-endpoint'):.0f}"
    yield f"**Container Insights** (${of('fargate', 'Container Insights', profile=PRODUCTION):.2f} a month here)"


def network_source() -> Iterator[str]:
    yield f"one NAT gateway, ${NATS:.2f} a month with its address"


def web_source() -> Iterator[str]:
    yield f"Ten tasks cost ${_tasks(_web_service.MAX_TASKS):.0f} a month on Fargate, addresses included"
