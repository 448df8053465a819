"""What the engine's load balancers lack: health checks that ask, and turns. Its own call every target healthy."""

import http.client
import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import alb

Target = tuple[str, int]
"""What the target group knows it by: an instance or address, and a port."""
Address = tuple[str, int]
"""Where it really is: a host and port of this machine."""
_UNAVAILABLE = b"<html><body><center><h1>503 Service Temporarily Unavailable</h1></center></body></html>"


@dataclass
class Health:
    """What the health checks of one target told."""

    address: Address
    state: str = "initial"
    reason: str = "Elb.RegistrationInProgress"
    watched: threading.Event = field(default_factory=threading.Event)
    """Set when it is registered no more."""


_groups: dict[str, dict[Target, Health]] = {}
_turns = itertools.count()
_lock = threading.Lock()
_seconds_a_minute: float = 60


def check_health_and_take_turns(seconds_a_minute: float) -> None:
    """Ask each target of ECS as its group says, show what it answered, and pass on to the healthy ones in turn."""
    global _seconds_a_minute  # noqa: PLW0603
    _seconds_a_minute = seconds_a_minute
    forward, describe = alb._forward_to_tg, alb._describe_target_health

    async def take_turns(arn: str, method: str, path: str, headers: Any, body: Any, *query: Any, **raw: Any) -> Any:
        if arn not in _groups:
            return await forward(arn, method, path, headers, body, *query, **raw)
        chosen = _next(arn)
        if chosen is None:
            return 503, {"Content-Type": "text/html"}, _UNAVAILABLE
        host, port = chosen
        given = dict(zip(("query_params", "raw_query_string", "raw_path"), query, strict=False)) | raw
        way = given.pop("raw_path", None) or path
        target = {"Id": host, "Port": port}
        return await alb._proxy_http_target(target, alb._tgs[arn], method, way, headers, body, **given)

    def describe_truly(parameters: Any) -> Any:
        group = _groups.get(alb._p(parameters, "TargetGroupArn"))
        return describe(parameters) if group is None else _described(group)

    alb._forward_to_tg = take_turns
    alb._describe_target_health = describe_truly
    alb._ACTION_MAP["DescribeTargetHealth"] = describe_truly


def publish(arn: str, targets: Mapping[Target, Address]) -> None:
    """Make these the targets of the group that ECS has registered. Unknown groups are left alone."""
    group = alb._tgs.get(arn)
    if group is None:
        return
    with _lock:
        known = _groups.setdefault(arn, {})
        for target in known.keys() - targets.keys():
            known.pop(target).watched.set()
        for target in targets.keys() - known.keys():
            known[target] = health = Health(targets[target])
            threading.Thread(
                target=_watch, args=(group, health, get_account_id(), get_region()), daemon=True, name="health check"
            ).start()
        alb._targets[arn] = [{"Id": name, "Port": port} for name, port in known]


def health_of(address: Address) -> str:
    """What is known of a target at that address: `unused` where none is registered."""
    found = [health.state for group in list(_groups.values()) for health in group.values() if health.address == address]
    return found[0] if found else "unused"


def _next(arn: str) -> Address | None:
    # When none is healthy all unhealthy ones are asked, as AWS does: something may be better than nothing.
    healths = list(_groups[arn].values())
    for state in ("healthy", "unhealthy"):
        addresses = [health.address for health in healths if health.state == state]
        if addresses:
            return addresses[next(_turns) % len(addresses)]
    return None


def _watch(group: Mapping[str, Any], health: Health, account: str, region: str) -> None:
    good = bad = 0
    with request_scope(account, region):
        while not health.watched.is_set():
            fault = _fault(group, health.address)
            good, bad = (good + 1, 0) if fault is None else (0, bad + 1)
            # The first good answer will do for a new target, as AWS does.
            if good >= (1 if health.state == "initial" else group["HealthyThresholdCount"]):
                health.state, health.reason = "healthy", ""
            elif bad >= group["UnhealthyThresholdCount"]:
                health.state, health.reason = "unhealthy", fault or ""
            health.watched.wait(group["HealthCheckIntervalSeconds"] * _seconds_a_minute / 60)


def _fault(group: Mapping[str, Any], address: Address) -> str | None:
    connection = http.client.HTTPConnection(*address, timeout=group["HealthCheckTimeoutSeconds"])
    try:
        connection.request("GET", group["HealthCheckPath"], headers={"User-Agent": "ELB-HealthChecker/2.0"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return "Target.Timeout"
    finally:
        connection.close()
    return None if _matches(status, group["Matcher"]["HttpCode"]) else "Target.ResponseCodeMismatch"


def _matches(status: int, matcher: str) -> bool:
    # "200", "200,204" or "200-299".
    ranges = [part.partition("-") for part in matcher.split(",")]
    return any(int(first) <= status <= int(last or first) for first, _, last in ranges)


def _described(group: Mapping[Target, Health]) -> Any:
    members = "".join(
        f"<member><Target><Id>{name}</Id><Port>{port}</Port></Target><TargetHealth><State>{health.state}</State>"
        + (f"<Reason>{health.reason}</Reason>" if health.reason else "")
        + "</TargetHealth></member>"
        for (name, port), health in sorted(group.items())
    )
    answer = f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
    return alb._xml(200, "DescribeTargetHealth", answer)
