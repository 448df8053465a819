"""Patches of Elastic Load Balancing: health checks, and turns between the targets."""

import http.client
import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import alb

Target = tuple[str, int]
"""A target as its target group names it: an instance or address, and a port."""
Address = tuple[str, int]
"""The host and port of this machine where the target answers."""
_UNAVAILABLE = b"<html><body><center><h1>503 Service Temporarily Unavailable</h1></center></body></html>"


@dataclass
class Health:
    """The result of the health checks of one target."""

    address: Address
    state: str = "initial"
    reason: str = "Elb.RegistrationInProgress"
    deregistered: threading.Event = field(default_factory=threading.Event)


_health: dict[str, dict[Target, Health]] = {}
"""The targets of ECS services, by the ARN of their target group."""
_request_numbers = itertools.count()
_lock = threading.Lock()
_check_factor = 1.0
"""The time between two health checks, as a part of the time that the target group says."""


def check_target_health(seconds_per_minute: float) -> None:
    """Check the health of ECS tasks as their target group says, and forward requests to the healthy ones in turn.

    Stock engine: reports every target as healthy, and forwards each request to a random one.
    AWS: checks each target, reports its state, and forwards only to healthy targets. If none is healthy, it forwards to
    all unhealthy ones.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
    Upstream issue: none known for health checks. Registration came with
    https://github.com/ministackorg/ministack/issues/1547
    """
    global _check_factor  # noqa: PLW0603 - the engine calls these functions, and passes no state
    _check_factor = seconds_per_minute / 60
    forward, describe = alb._forward_to_tg, alb._describe_target_health

    async def forward_in_turn(
        arn: str, method: str, path: str, headers: Any, body: Any, *query: Any, **raw: Any
    ) -> Any:
        if arn not in _health:
            return await forward(arn, method, path, headers, body, *query, **raw)
        chosen = _next_address(arn)
        if chosen is None:
            return 503, {"Content-Type": "text/html"}, _UNAVAILABLE
        host, port = chosen
        options = dict(zip(("query_params", "raw_query_string", "raw_path"), query, strict=False)) | raw
        raw_path = options.pop("raw_path", None) or path
        target = {"Id": host, "Port": port}
        return await alb._proxy_http_target(target, alb._tgs[arn], method, raw_path, headers, body, **options)

    def describe_health(parameters: Any) -> Any:
        targets = _health.get(alb._p(parameters, "TargetGroupArn"))
        return describe(parameters) if targets is None else _description(targets)

    alb._forward_to_tg = forward_in_turn
    alb._describe_target_health = describe_health
    alb._ACTION_MAP["DescribeTargetHealth"] = describe_health


def register(arn: str, targets: Mapping[Target, Address]) -> None:
    """Register exactly these targets of ECS in the target group. An unknown target group is left alone."""
    target_group = alb._tgs.get(arn)
    if target_group is None:
        return
    with _lock:
        known = _health.setdefault(arn, {})
        for target in known.keys() - targets.keys():
            known.pop(target).deregistered.set()
        for target in targets.keys() - known.keys():
            known[target] = health = Health(targets[target])
            threading.Thread(
                target=_check, args=(target_group, health, get_account_id(), get_region()), daemon=True, name="health"
            ).start()
        alb._targets[arn] = [{"Id": name, "Port": port} for name, port in known]


def target_state(address: Address) -> str:
    """Return the state of the target at that address, or `unused` if none is registered."""
    all_health = [health for targets in list(_health.values()) for health in targets.values()]
    return next((health.state for health in all_health if health.address == address), "unused")


def _next_address(arn: str) -> Address | None:
    for state in ("healthy", "unhealthy"):
        addresses = [health.address for health in list(_health[arn].values()) if health.state == state]
        if addresses:
            return addresses[next(_request_numbers) % len(addresses)]
    return None


def _check(target_group: Mapping[str, Any], health: Health, account: str, region: str) -> None:
    successes = failures = 0
    with request_scope(account, region):
        while not health.deregistered.is_set():
            fault = _failure_reason(target_group, health.address)
            successes, failures = (successes + 1, 0) if fault is None else (0, failures + 1)
            # A new target is healthy after one success, as on AWS.
            if successes >= (1 if health.state == "initial" else target_group["HealthyThresholdCount"]):
                health.state, health.reason = "healthy", ""
            elif failures >= target_group["UnhealthyThresholdCount"]:
                health.state, health.reason = "unhealthy", fault or ""
            health.deregistered.wait(target_group["HealthCheckIntervalSeconds"] * _check_factor)


def _failure_reason(target_group: Mapping[str, Any], address: Address) -> str | None:
    connection = http.client.HTTPConnection(*address, timeout=target_group["HealthCheckTimeoutSeconds"])
    try:
        connection.request("GET", target_group["HealthCheckPath"], headers={"User-Agent": "ELB-HealthChecker/2.0"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return "Target.Timeout"
    finally:
        connection.close()
    return None if _matches(status, target_group["Matcher"]["HttpCode"]) else "Target.ResponseCodeMismatch"


def _matches(status: int, matcher: str) -> bool:
    # "200", "200,204" or "200-299".
    ranges = [part.partition("-") for part in matcher.split(",")]
    return any(int(first) <= status <= int(last or first) for first, _, last in ranges)


def _description(targets: Mapping[Target, Health]) -> Any:
    members = "".join(
        f"<member><Target><Id>{name}</Id><Port>{port}</Port></Target><TargetHealth><State>{health.state}</State>"
        + (f"<Reason>{health.reason}</Reason>" if health.reason else "")
        + "</TargetHealth></member>"
        for (name, port), health in sorted(targets.items())
    )
    answer = f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
    return alb._xml(200, "DescribeTargetHealth", answer)
