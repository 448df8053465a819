"""The patches of Elastic Load Balancing: health checks of targets, protection from deletion, and access logs.

A target group is the list of targets, here ECS tasks, to which a load balancer forwards requests.
"""

import http.client
import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import alb, s3

from localaws.patches.cloudformation import call_after_provisioning, check_before_deletion

Target = tuple[str, int]
"""The name of a target in its target group: an instance id or IP address, and a port."""
Address = tuple[str, int]
"""The host and port on which the target answers on this machine."""
_UNAVAILABLE = b"<html><body><center><h1>503 Service Temporarily Unavailable</h1></center></body></html>"


@dataclass
class Health:
    """The result of the health checks of one target."""

    address: Address
    state: str = "initial"
    reason: str = "Elb.RegistrationInProgress"
    deregistered: threading.Event = field(default_factory=threading.Event)


_health: dict[str, dict[Target, Health]] = {}
"""The health of all targets of ECS services. The outer key is the ARN of the target group."""
_request_numbers: dict[str, "itertools.count[int]"] = {}
"""The number of the next request to each target group. The key is the ARN of the target group."""
_lock = threading.Lock()
_check_factor = 1.0
"""The engine multiplies the HealthCheckIntervalSeconds of each target group by this factor."""


def check_target_health(seconds_per_minute: float) -> None:
    """Check the health of ECS tasks regularly, and forward requests to the healthy tasks in turn.

    Stock engine: reports every target as healthy, and forwards each request to a random target.
    AWS: checks each target, reports its state, and forwards requests only to healthy targets. If all targets are
    unhealthy, AWS forwards requests to all of them.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
    Upstream issue: none known for health checks. This issue added the registration of targets:
    https://github.com/ministackorg/ministack/issues/1547
    """
    global _check_factor  # noqa: PLW0603 - the engine passes no additional arguments to these functions
    _check_factor = seconds_per_minute / 60
    stock_forward, stock_describe = alb._forward_to_tg, alb._describe_target_health

    async def forward_in_turn(
        arn: str, method: str, path: str, headers: Any, body: Any, *query: Any, **raw: Any
    ) -> Any:
        if arn not in _health:
            return await stock_forward(arn, method, path, headers, body, *query, **raw)
        address = _next_address(arn)
        if address is None:
            return 503, {"Content-Type": "text/html"}, _UNAVAILABLE
        host, port = address
        options = dict(zip(("query_params", "raw_query_string", "raw_path"), query, strict=False)) | raw
        raw_path = options.pop("raw_path", None) or path
        target = {"Id": host, "Port": port}
        return await alb._proxy_http_target(target, alb._tgs[arn], method, raw_path, headers, body, **options)

    def describe_health(parameters: Any) -> Any:
        targets = _health.get(alb._p(parameters, "TargetGroupArn"))
        return stock_describe(parameters) if targets is None else _health_answer(targets)

    alb._forward_to_tg = forward_in_turn
    alb._describe_target_health = describe_health
    alb._ACTION_MAP["DescribeTargetHealth"] = describe_health


def refuse_to_delete_protected_balancers() -> None:
    """Refuse to delete a load balancer with deletion protection, for requests and for CloudFormation.

    Stock engine: deletes the load balancer.
    AWS: refuses with the error OperationNotPermitted, and the deletion or the rollback of the stack fails.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html
    https://github.com/aws-cloudformation/rain/issues/187 shows the message.
    Upstream issue: none known.
    """
    stock_delete = alb._delete_lb

    def delete(parameters: Any) -> Any:
        reason = _reason_to_refuse(alb._p(parameters, "LoadBalancerArn"))
        return alb._error("OperationNotPermitted", reason) if reason else stock_delete(parameters)

    alb._delete_lb = delete
    alb._ACTION_MAP["DeleteLoadBalancer"] = delete
    check_before_deletion("AWS::ElasticLoadBalancingV2::LoadBalancer", _reason_to_refuse)


def _reason_to_refuse(arn: str) -> str | None:
    protected = {"Key": "deletion_protection.enabled", "Value": "true"}
    if protected in alb._lb_attrs.get(arn, []):
        return f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
    return None


def write_test_file() -> None:
    """Write a test file into the bucket of the access log as soon as the log is turned on.

    Stock engine: never writes into the bucket.
    AWS: writes the file ELBAccessLogTestFile, to check the bucket's policy. So the bucket is never empty. The key of
    the file begins with the prefix of the log.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
    Upstream issue: none known.
    """
    call_after_provisioning("AWS::ElasticLoadBalancingV2::LoadBalancer", _write_into_log_bucket)


def _write_into_log_bucket(properties: Any, _arn: str) -> None:
    attributes = {attribute["Key"]: attribute["Value"] for attribute in properties.get("LoadBalancerAttributes", [])}
    if attributes.get("access_logs.s3.enabled") == "true":
        prefix = attributes.get("access_logs.s3.prefix", "").strip("/")
        key = f"{prefix}/AWSLogs/{get_account_id()}/ELBAccessLogTestFile".removeprefix("/")
        s3._put_object(attributes["access_logs.s3.bucket"], key, b"a test file", {})


def set_targets(arn: str, targets: Mapping[Target, Address]) -> None:
    """Register these targets in the target group, and deregister all others. Do nothing without a target group."""
    target_group = alb._tgs.get(arn)
    if target_group is None:
        return
    with _lock:
        group_health = _health.setdefault(arn, {})
        for target in group_health.keys() - targets.keys():
            group_health.pop(target).deregistered.set()
        for target in targets.keys() - group_health.keys():
            group_health[target] = health = Health(targets[target])
            threading.Thread(
                target=_check, args=(target_group, health, get_account_id(), get_region()), daemon=True, name="health"
            ).start()
        alb._targets[arn] = [{"Id": name, "Port": port} for name, port in group_health]


def target_state(address: Address) -> str:
    """Return the state of the target at this address, such as `healthy`, or `unused` without a target."""
    all_health = [health for targets in list(_health.values()) for health in targets.values()]
    return next((health.state for health in all_health if health.address == address), "unused")


def _next_address(arn: str) -> Address | None:
    for state in ("healthy", "unhealthy"):
        addresses = [health.address for health in list(_health[arn].values()) if health.state == state]
        if addresses:
            return addresses[next(_request_numbers.setdefault(arn, itertools.count())) % len(addresses)]
    return None


def _check(target_group: Mapping[str, Any], health: Health, account: str, region: str) -> None:
    successes = failures = 0
    with request_scope(account, region):
        while not health.deregistered.is_set():
            fault = _failure_reason(target_group, health.address)
            successes, failures = (successes + 1, 0) if fault is None else (0, failures + 1)
            # As on AWS, one successful check is enough for a new target.
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
    # A matcher looks like "200", "200,204" or "200-299".
    ranges = [part.partition("-") for part in matcher.split(",")]
    return any(int(first) <= status <= int(last or first) for first, _, last in ranges)


def _health_answer(targets: Mapping[Target, Health]) -> Any:
    members = "".join(
        f"<member><Target><Id>{name}</Id><Port>{port}</Port></Target><TargetHealth><State>{health.state}</State>"
        + (f"<Reason>{health.reason}</Reason>" if health.reason else "")
        + "</TargetHealth></member>"
        for (name, port), health in sorted(targets.items())
    )
    answer = f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
    return alb._xml(200, "DescribeTargetHealth", answer)
