"""The checks of `make doctor`. Each check yields results for the stacks that are about to be deployed."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.aws_errors import problem_and_remedy
from scripts.check_profile import architecture_errors, profile_errors
from scripts.doctor.account import Account, UnansweredError
from scripts.doctor.needs import Stack
from scripts.doctor.report import Result, State

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

DEPLOYED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")
"""Statuses of stacks that run and can be updated."""
FAILED_CREATION = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
"""Statuses of stacks that CDK's CLI (2.1148) deletes before it deploys them. It cannot delete a protected stack."""
MIN_UNRESERVED = 100
"""Concurrent executions that must stay unreserved. A new account has only 10, so it can reserve none.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""
ZONES = 2
"""The number of Availability Zones that each VPC uses."""

Check = Callable[[Account, Sequence[Stack]], Iterator[Result]]


def run_checks(account: Account, stacks: Sequence[Stack], profile: str, architecture: str) -> Iterator[Result]:
    """Yield the results of all checks. A check that AWS does not answer is `unknown` and never `fine`."""
    if account.region is None:
        yield Result(State.FAILS, "region", "no region is set", "export AWS_REGION=eu-west-1, or: aws configure")
        return
    try:
        number, who = account.identity()
    except UnansweredError as unanswered:
        yield Result(State.FAILS, "credentials", *problem_and_remedy(unanswered.error))
        return
    yield Result(State.FINE, "credentials", f"{who} in account {number}, region {account.region}")
    try:
        deployed = account.stacks()
    except UnansweredError as error:
        yield Result(
            State.UNKNOWN,
            "stacks",
            f"cannot list them ({error}), so all count as new",
            "allow cloudformation:DescribeStacks",
        )
        deployed = {}
    for stack in stacks:
        if stack.name in deployed:
            yield from _stack_results(account, deployed[stack.name], profile, architecture)
    running = {name for name, description in deployed.items() if description["StackStatus"] in DEPLOYED}
    updated = [stack for stack in stacks if stack.name in running]
    new = [stack for stack in stacks if stack not in updated]
    checks: list[tuple[str, Check, Sequence[Stack]]] = [
        ("CDK bootstrap", _bootstrap, stacks),
        ("Free plan", _free_plan, stacks),
        ("zones", _zones, new),
        ("service-linked roles", _service_roles, new),
        ("Lambda concurrency", _concurrency, new),
    ]
    for subject, check, checked_stacks in checks:
        yield from _answered(subject, check, account, checked_stacks)
    yield from _quota_results(account, new, updated)
    yield from _container_tool(stacks)


def _answered(subject: str, check: Check, account: Account, stacks: Sequence[Stack]) -> Iterator[Result]:
    try:
        yield from check(account, stacks)
    except UnansweredError as error:
        yield Result(State.UNKNOWN, subject, f"AWS does not say ({error})")


def _stack_results(account: Account, deployed: "StackTypeDef", profile: str, architecture: str) -> Iterator[Result]:
    name, status = deployed["StackName"], deployed["StackStatus"]
    errors = [*profile_errors([deployed], profile), *architecture_errors([deployed], architecture)]
    if errors:
        yield from errors
    elif status in DEPLOYED:
        yield Result(State.FINE, name, f"is deployed ({status}) and will be updated")
    elif status == "REVIEW_IN_PROGRESS":  # somebody stopped a deployment before it started
        yield Result(State.FINE, name, f"has no resources yet ({status}) and will be created")
    elif status in FAILED_CREATION:
        yield _failed_creation(account, name, status, profile)
    elif status.endswith("_IN_PROGRESS"):
        yield Result(State.FAILS, name, f"is changing now ({status})", "wait until it ends")
    else:
        yield Result(
            State.FAILS, name, f"is in the status {status}, which cannot be updated", _recover_command(name, profile)
        )


def _failed_creation(account: Account, name: str, status: str, profile: str) -> Result:
    try:
        is_protected = account.is_protected(name)
    except UnansweredError as error:
        return Result(
            State.UNKNOWN, name, f"has failed before ({status}); AWS does not say if it is protected ({error})"
        )
    if is_protected:
        text = f"has failed before ({status}), and is protected, so the deployment cannot delete it"
        return Result(State.FAILS, name, text, _recover_command(name, profile))
    return Result(State.FINE, name, f"has failed before ({status}); the deployment deletes it first")


def _recover_command(name: str, profile: str) -> str:
    return f"make recover STACK={name} PROFILE={profile}"


def _bootstrap(account: Account, stacks: Sequence[Stack]) -> Iterator[Result]:
    needed = max(stack.bootstrap_version for stack in stacks)
    version = account.bootstrap_version()
    if version is None:
        yield Result(State.FAILS, "CDK bootstrap", "is missing in this region", "npx cdk bootstrap")
    elif version < needed:
        yield Result(State.FAILS, "CDK bootstrap", f"has version {version}; {needed} is needed", "npx cdk bootstrap")
    else:
        yield Result(State.FINE, "CDK bootstrap", f"has version {version}")


def _free_plan(account: Account, stacks: Sequence[Stack]) -> Iterator[Result]:
    if not account.has_free_plan():
        yield Result(State.FINE, "account plan", "is not the Free plan, so all instance types are allowed")
        return
    allowed = account.free_plan_types()
    yield Result(State.FINE, "account plan", f"is the Free plan, which allows only: {', '.join(sorted(allowed))}")
    for stack in stacks:
        refused = sorted(stack.instance_types - allowed)
        if refused:
            text = f"uses {', '.join(refused)}, which the Free plan does not start"
            yield Result(
                State.FAILS, stack.name, text, "set batch_instance_types: see docs/batch.md; or upgrade the plan"
            )


def _zones(account: Account, stacks: Sequence[Stack]) -> Iterator[Result]:
    with_vpc = [stack for stack in stacks if stack.count("AWS::EC2::VPC")]  # an existing VPC has its own zones
    kinds = sorted({kind for stack in with_vpc for kind in stack.instance_types if not kind.startswith("default_")})
    if not kinds:
        return
    zones = sorted({zone for stack in stacks for zone in stack.zones}) or account.zones()[:ZONES]
    for kind in kinds:
        zones_without = [zone for zone in zones if zone not in account.zones_with(kind)]
        if zones_without:
            remedy = "set availability_zones or architecture in config.py, or use another region"
            yield Result(State.FAILS, "zones", f"{kind} is not available in {' and '.join(zones_without)}", remedy)
        else:
            yield Result(State.FINE, "zones", f"{kind} is available in {' and '.join(zones)}")


def _service_roles(account: Account, stacks: Sequence[Stack]) -> Iterator[Result]:
    for role in sorted({role for stack in stacks for role in stack.service_roles}):
        if account.has_role(role):
            continue
        if role == "AWSServiceRoleForEC2Spot":
            command = "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com"
            yield Result(State.WAITS, role, "does not exist, so jobs get no Spot instances", command)
        else:
            yield Result(State.FINE, role, "does not exist yet; AWS creates it during the deployment")


def _concurrency(account: Account, stacks: Sequence[Stack]) -> Iterator[Result]:
    reserved = sum(stack.reserved_concurrency for stack in stacks)
    total, unreserved = account.concurrency()
    if reserved and unreserved - reserved < MIN_UNRESERVED:
        text = f"{reserved} to reserve, {unreserved} of {total} are free, and {MIN_UNRESERVED} must stay free"
        yield Result(State.FAILS, "Lambda concurrency", text, "lower thumbnail_concurrency, or ask for a higher quota")
    else:
        yield Result(State.FINE, "Lambda concurrency", f"{unreserved} of {total} executions are free")


# -- quotas


@dataclass(frozen=True)
class Quota:
    """A quota of the account, how much of it is in use, and how much the stacks need."""

    name: str
    service: str
    code: str
    used: Callable[[Account], float]
    needed: Callable[[Account, Sequence[Stack], Sequence[Stack]], float]
    """The parameters are the account, the new stacks and the deployed stacks."""
    only_waits: bool = False
    """Whether the deployment works even if this quota is too low. Then only jobs wait."""


def _resources(kind: str) -> Callable[[Account, Sequence[Stack], Sequence[Stack]], float]:
    return lambda _account, new, _updated: sum(stack.count(kind) for stack in new)


def _instance_vcpus(account: Account, new: Sequence[Stack], updated: Sequence[Stack]) -> float:
    new_vcpus = sum(number * account.vcpus(kind) for stack in new for kind, number in stack.instances.items())
    additional_vcpus = sum(
        (number - stack.instances[kind]) * account.vcpus(kind)
        for stack in updated
        for kind, number in stack.instances_of_update.items()
    )
    return new_vcpus + additional_vcpus


QUOTAS = (
    Quota("VPCs", "vpc", "L-F678F1CE", lambda a: a.count("ec2", "describe_vpcs", "Vpcs"), _resources("AWS::EC2::VPC")),
    Quota(
        "internet gateways",
        "vpc",
        "L-A4707A72",
        lambda a: a.count("ec2", "describe_internet_gateways", "InternetGateways"),
        _resources("AWS::EC2::InternetGateway"),
    ),
    Quota("Elastic IP addresses", "ec2", "L-0263D0A3", lambda a: a.addresses(), _resources("AWS::EC2::EIP")),
    Quota(
        "Application Load Balancers",
        "elasticloadbalancing",
        "L-53DA6B97",
        lambda a: a.load_balancers(),
        _resources("AWS::ElasticLoadBalancingV2::LoadBalancer"),
    ),
    Quota("on-demand vCPUs", "ec2", "L-1216C47A", lambda a: a.running_vcpus(spot=False), _instance_vcpus),
    Quota(
        "Fargate vCPUs",
        "fargate",
        "L-3032A538",
        lambda _: 0,  # no API counts them; a new account has none in use
        lambda _account, new, updated: sum(stack.fargate_vcpus for stack in (*new, *updated)),
    ),
    Quota(
        "Spot vCPUs for Batch",
        "ec2",
        "L-34B43A08",
        lambda a: a.running_vcpus(spot=True),
        lambda _account, new, updated: sum(stack.max_spot_vcpus for stack in (*new, *updated)),
        only_waits=True,
    ),
    Quota(
        "on-demand vCPUs for Batch",
        "ec2",
        "L-1216C47A",
        lambda a: a.running_vcpus(spot=False),
        lambda account, new, updated: (
            _instance_vcpus(account, new, updated) + sum(stack.max_on_demand_vcpus for stack in (*new, *updated))
        ),
        only_waits=True,
    ),
)
"""The quotas that the examples use. The codes are those of Service Quotas: `aws service-quotas list-service-quotas`."""


def _quota_results(account: Account, new: Sequence[Stack], updated: Sequence[Stack]) -> Iterator[Result]:
    for quota in QUOTAS:

        def check(account: Account, _stacks: Sequence[Stack], quota: Quota = quota) -> Iterator[Result]:
            needed = quota.needed(account, new, updated)
            if needed:
                yield _compare(quota, needed, account.quota(quota.service, quota.code), quota.used(account))

        yield from _answered(quota.name, check, account, new)


def _compare(quota: Quota, needed: float, limit: float, used: float) -> Result:
    text = f"{needed:g} needed, {used:g} of {limit:g} in use"
    if used + needed <= limit:
        return Result(State.FINE, quota.name, text)
    required_quota = used + needed
    command = (
        f"aws service-quotas request-service-quota-increase --service-code {quota.service} "
        f"--quota-code {quota.code} --desired-value {required_quota:g}"
    )
    return Result(State.WAITS if quota.only_waits else State.FAILS, quota.name, text, command)


def _container_tool(stacks: Sequence[Stack]) -> Iterator[Result]:
    with_images = [stack.name for stack in stacks if stack.has_images]
    if not with_images:
        return
    tool = os.environ.get("CDK_DOCKER", "docker")
    remedy = "install Docker, or podman with CDK_DOCKER=podman; or name existing images in config.py"
    if shutil.which(tool) is None:
        yield Result(State.FAILS, "container tool", f"{tool} is missing; {', '.join(with_images)} need it", remedy)
        return
    if subprocess.run([tool, "info"], capture_output=True, check=False).returncode:
        yield Result(State.FAILS, "container tool", f"{tool} does not work: {tool} info fails", f"start {tool}")
    elif tool == "docker" and subprocess.run([tool, "buildx", "version"], capture_output=True, check=False).returncode:
        yield Result(State.FAILS, "container tool", "docker has no BuildKit", "install the plugin docker-buildx")
    else:
        yield Result(State.FINE, "container tool", f"{tool} can build the images")
