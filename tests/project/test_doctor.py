"""These tests run the checks of `make doctor` with the answers of several accounts.

One account is new, one has the Free plan, one has nearly reached its quotas, and so on.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

from scripts.doctor.account import Account
from scripts.doctor.checks import run_checks
from scripts.doctor.needs import Stack, stacks_of
from scripts.doctor.report import Result, State, print_results
from tests.support.apps import assembly, stack_name

API_STACK = stack_name("api")
Answers = dict[str, Any]
"""The answers of AWS, by service and operation. An answer may be an error code, or a function of the parameters."""
QUOTAS = {
    "L-F678F1CE": 5,  # VPCs
    "L-A4707A72": 5,  # internet gateways
    "L-0263D0A3": 5,  # Elastic IP addresses
    "L-53DA6B97": 50,  # Application Load Balancers
    "L-1216C47A": 5,  # on-demand vCPUs
    "L-34B43A08": 5,  # Spot vCPUs
    "L-3032A538": 6,  # Fargate vCPUs
}
"""Quotas of a new account."""
NEW_ACCOUNT: Answers = {
    "sts.GetCallerIdentity": {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/me", "UserId": "me"},
    "cloudformation.DescribeStacks": {"Stacks": []},
    "ssm.GetParameter": "ParameterNotFound",
    "freetier.GetAccountPlanState": {
        "accountId": "123456789012",
        "accountPlanType": "PAID",
        "accountPlanStatus": "ACTIVE",
    },
    "ec2.DescribeInstanceTypes": lambda parameters: {
        "InstanceTypes": [
            {"InstanceType": kind, "VCpuInfo": {"DefaultVCpus": 2}}
            for kind in parameters.get("InstanceTypes", ["t3.micro", "t4g.micro", "t4g.small"])
        ]
    },
    "ec2.DescribeAvailabilityZones": {"AvailabilityZones": [{"ZoneName": f"eu-west-1{zone}"} for zone in "cab"]},
    "ec2.DescribeSubnets": {"Subnets": []},
    "ec2.DescribeInstanceTypeOfferings": {
        "InstanceTypeOfferings": [{"Location": f"eu-west-1{zone}"} for zone in "ab"],
    },
    "ec2.DescribeVpcs": {"Vpcs": [{"VpcId": "vpc-default"}]},
    "ec2.DescribeInternetGateways": {"InternetGateways": [{"InternetGatewayId": "igw-default"}]},
    "ec2.DescribeAddresses": {"Addresses": []},
    "ec2.DescribeInstances": {"Reservations": []},
    "elasticloadbalancingv2.DescribeLoadBalancers": {"LoadBalancers": []},
    "lambda.GetAccountSettings": {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}},
    "iam.GetRole": "NoSuchEntity",
    "servicequotas.GetServiceQuota": lambda parameters: {"Quota": {"Value": QUOTAS[parameters["QuotaCode"]]}},
}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Account]:
    """Return a function that makes an account. Its parameters are answers that replace those of a new account."""

    def make(**changes: Any) -> Account:
        answers = {**NEW_ACCOUNT, **{name.replace("__", "."): answer for name, answer in changes.items()}}

        def answer_call(client: BaseClient, operation: str, parameters: Any) -> Any:
            service = client.meta.service_model.service_name.replace("-", "").replace("elbv2", "elasticloadbalancingv2")
            answer = answers[f"{service}.{operation}"]
            if isinstance(answer, str):
                error: Any = client.exceptions.from_code(answer)
                raise error({"Error": {"Code": answer, "Message": "no"}}, operation)
            answer = answer(parameters) if callable(answer) else answer
            shape = client.meta.service_model.operation_model(operation).output_shape
            assert shape is not None
            validate_parameters(answer, shape)
            return answer

        monkeypatch.setattr(BaseClient, "_make_api_call", answer_call)
        return Account(boto3.Session("id", "key", region_name="eu-west-1"))

    return make


def deployed(*stacks: tuple[str, str, str], protected: bool = False) -> Callable[[Any], Answers]:
    """Return CloudFormation's answers for stacks with a name, a status and a profile.

    Only the answer for a single stack says whether the stack is protected from deletion.
    """
    created = datetime(2026, 11, 28, tzinfo=UTC)
    descriptions = [
        {"StackName": name, "StackStatus": status, "CreationTime": created, "Tags": [{"Key": "profile", "Value": tag}]}
        for name, status, tag in stacks
    ]

    def answer(parameters: Any) -> Answers:
        asked = parameters.get("StackName")
        protection = {"EnableTerminationProtection": protected} if asked else {}
        return {"Stacks": [{**one, **protection} for one in descriptions if asked in (None, one["StackName"])]}

    return answer


@pytest.fixture
def container_tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Put a container tool that works on the PATH."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CDK_DOCKER", raising=False)


def stacks(profile: str = "sandbox", *examples: str) -> list[Stack]:
    return [stack for stack in stacks_of(assembly(profile)) if not examples or stack.example in examples]


def check(account: Account, profile: str = "sandbox", *examples: str) -> dict[str, Result]:
    """Return the results by subject."""
    return {result.subject: result for result in run_checks(account, stacks(profile, *examples), profile, "arm64")}


@pytest.mark.usefixtures("container_tool")
def test_a_new_account_needs_the_bootstrap(account: Callable[..., Account]) -> None:
    results = check(account())
    assert results["CDK bootstrap"] == Result(
        State.FAILS, "CDK bootstrap", "is missing in this region", "npx cdk bootstrap"
    )
    assert results["VPCs"].text == "3 needed, 1 of 5 in use"
    assert results["internet gateways"].state is State.FINE
    assert results["on-demand vCPUs"].text == "4 needed, 0 of 5 in use"
    assert results["zones"].text == "t4g.micro is available in eu-west-1a and eu-west-1b"
    assert [subject for subject, result in results.items() if result.state is State.FAILS] == ["CDK bootstrap"]


@pytest.mark.usefixtures("container_tool")
def test_the_vpc_uses_the_zones_that_have_a_default_subnet(account: Callable[..., Account]) -> None:
    subnets = {"Subnets": [{"AvailabilityZone": f"eu-west-1{zone}"} for zone in "cb"]}
    results = check(account(ec2__DescribeSubnets=subnets))
    assert results["zones"].text == "t4g.micro is not available in eu-west-1c"


@pytest.mark.parametrize(
    ("instance_type", "vcpus"), [("t4g.micro", 2), ("im4gn.large", 2), ("inf2.xlarge", 0), ("trn1.2xlarge", 0)]
)
def test_only_standard_instances_use_their_quota(
    account: Callable[..., Account], instance_type: str, vcpus: int
) -> None:
    instance = {"InstanceType": instance_type, "CpuOptions": {"CoreCount": 2, "ThreadsPerCore": 1}}
    reservations = {"Reservations": [{"Instances": [instance]}]}
    assert account(ec2__DescribeInstances=reservations).running_vcpus(spot=False) == vcpus


@pytest.mark.parametrize(
    ("zones", "text"),
    [
        ("a", "t4g.micro is not available in eu-west-1b"),
        ("", "t4g.micro is not available in eu-west-1a and eu-west-1b"),
    ],
)
def test_a_zone_without_the_instance_type_fails(account: Callable[..., Account], zones: str, text: str) -> None:
    offerings = {"InstanceTypeOfferings": [{"Location": f"eu-west-1{zone}"} for zone in zones]}
    result = check(account(ec2__DescribeInstanceTypeOfferings=offerings), "sandbox", "ecs_ec2")["zones"]
    assert (result.state, result.text) == (State.FAILS, text)
    assert "availability_zones" in result.remedy


@pytest.mark.usefixtures("container_tool")
@pytest.mark.parametrize(("version", "state"), [("5", State.FAILS), ("30", State.FINE)])
def test_the_bootstrap_needs_a_recent_version(account: Callable[..., Account], version: str, state: State) -> None:
    results = check(account(ssm__GetParameter={"Parameter": {"Value": version}}))
    assert results["CDK bootstrap"].state is state


@pytest.mark.usefixtures("container_tool")
def test_the_free_plan_excludes_batch_and_nothing_else(account: Callable[..., Account]) -> None:
    plan = {"accountId": "123456789012", "accountPlanType": "FREE", "accountPlanStatus": "ACTIVE"}
    results = check(account(freetier__GetAccountPlanState=plan))
    refused = [subject for subject, result in results.items() if "Free plan does not start" in result.text]
    assert refused == [stack_name("batch")]


@pytest.mark.usefixtures("container_tool")
def test_the_vpc_quota_is_too_low_if_the_account_has_three_vpcs(account: Callable[..., Account]) -> None:
    results = check(account(ec2__DescribeVpcs={"Vpcs": [{"VpcId": f"vpc-{number}"} for number in range(3)]}))
    assert results["VPCs"].state is State.FAILS
    assert results["VPCs"].text == "3 needed, 3 of 5 in use"
    assert results["VPCs"].remedy.endswith("--service-code vpc --quota-code L-F678F1CE --desired-value 6")


@pytest.mark.usefixtures("container_tool")
def test_a_deployed_stack_needs_no_second_vpc(account: Callable[..., Account]) -> None:
    answer = deployed(
        (stack_name("fargate"), "UPDATE_COMPLETE", "sandbox"), (stack_name("batch"), "CREATE_COMPLETE", "sandbox")
    )
    results = check(account(cloudformation__DescribeStacks=answer))
    assert results["VPCs"].text == "1 needed, 1 of 5 in use"
    assert results[stack_name("fargate")].state is State.FINE


@pytest.mark.usefixtures("container_tool")
def test_jobs_wait_if_batch_may_use_more_than_the_quota(account: Callable[..., Account]) -> None:
    low_quota = {"Quota": {"Value": 1}}
    results = check(account(servicequotas__GetServiceQuota=low_quota), "sandbox", "batch")
    assert results["Spot vCPUs for Batch"].state is State.WAITS


@pytest.mark.usefixtures("container_tool")
@pytest.mark.parametrize(("unreserved", "state"), [(149, State.FAILS), (150, State.FINE)])
def test_a_reservation_must_leave_100_executions(
    account: Callable[..., Account], monkeypatch: pytest.MonkeyPatch, unreserved: int, state: State
) -> None:
    monkeypatch.setattr(Stack, "reserved_concurrency", 50)
    limits = {"ConcurrentExecutions": 200, "UnreservedConcurrentExecutions": unreserved}
    results = check(account(lambda__GetAccountSettings={"AccountLimit": limits}), "sandbox", "thumbnail")
    assert results["Lambda concurrency"].state is state


@pytest.mark.usefixtures("container_tool")
@pytest.mark.parametrize("code", ["AccessDenied", "UnrecognizedClientException", "OptInRequired"])
def test_without_permissions_everything_is_unknown_and_nothing_is_fine(
    account: Callable[..., Account], code: str
) -> None:
    denied = {name.replace(".", "__"): code for name in NEW_ACCOUNT if not name.startswith("sts")}
    results = check(account(**denied))
    states = {result.state for subject, result in results.items() if subject not in ("credentials", "container tool")}
    assert states == {State.UNKNOWN}


def test_credentials_that_aws_rejects_end_the_checks(account: Callable[..., Account]) -> None:
    (result,) = run_checks(account(sts__GetCallerIdentity="ExpiredToken"), stacks(), "sandbox", "arm64")
    assert (result.state, result.remedy) == (State.FAILS, "aws configure")
    assert result.text.startswith("AWS does not accept the credentials (")


@pytest.mark.usefixtures("container_tool")
@pytest.mark.parametrize(
    ("status", "profile", "text", "remedy"),
    [
        ("ROLLBACK_COMPLETE", "production", "is protected", f"make recover STACK={API_STACK} PROFILE=production"),
        ("ROLLBACK_FAILED", "production", "is protected", f"make recover STACK={API_STACK} PROFILE=production"),
        ("DELETE_FAILED", "production", "cannot be updated", f"make recover STACK={API_STACK} PROFILE=production"),
        ("UPDATE_IN_PROGRESS", "production", "is changing now", "wait until it ends"),
        ("CREATE_COMPLETE", "sandbox", "is deployed with the profile sandbox", "make deploy PROFILE=sandbox"),
        ("CREATE_COMPLETE", "prod", "is deployed with the profile prod", "add the profile prod to config.py"),
    ],
)
def test_the_result_for_a_stack_that_cannot_be_deployed_contains_a_remedy(
    account: Callable[..., Account], status: str, profile: str, text: str, remedy: str
) -> None:
    answer = deployed((API_STACK, status, profile), protected=True)
    result = check(account(cloudformation__DescribeStacks=answer), "production", "api")[API_STACK]
    assert result.state is State.FAILS
    assert text in result.text
    assert result.remedy.startswith(remedy)


@pytest.mark.usefixtures("container_tool")
@pytest.mark.parametrize(
    ("status", "profile", "text"),
    [
        ("ROLLBACK_COMPLETE", "sandbox", "the deployment deletes it first"),
        ("ROLLBACK_FAILED", "sandbox", "the deployment deletes it first"),
        ("REVIEW_IN_PROGRESS", "sandbox", "will be created"),
        ("REVIEW_IN_PROGRESS", "production", "will be created"),
        ("ROLLBACK_COMPLETE", "production", "the deployment deletes it first"),
    ],
)
def test_a_stack_that_the_cli_creates_again_does_not_stop_the_deployment(
    account: Callable[..., Account], status: str, profile: str, text: str
) -> None:
    """Otherwise `make deploy` would refuse what docs/failures.md tells the user to do."""
    answer = deployed((API_STACK, status, profile))
    result = check(account(cloudformation__DescribeStacks=answer), profile, "api")[API_STACK]
    assert result.state is State.FINE
    assert text in result.text


@pytest.mark.usefixtures("container_tool")
def test_a_sandbox_stack_that_is_protected_must_be_recovered(account: Callable[..., Account]) -> None:
    """A sandbox is protected if `retain_data` in config.py is True, or if a person has protected it."""
    answer = deployed(("compute-api", "ROLLBACK_COMPLETE", "sandbox"), protected=True)
    result = check(account(cloudformation__DescribeStacks=answer), "sandbox", "api")["compute-api"]
    assert (result.state, result.remedy) == (State.FAILS, "make recover STACK=compute-api PROFILE=sandbox")


@pytest.mark.usefixtures("container_tool")
def test_an_unanswered_question_for_the_protection_is_unknown(account: Callable[..., Account]) -> None:
    answer = deployed(("compute-api", "ROLLBACK_COMPLETE", "sandbox"))

    def answer_only_for_all(parameters: Any) -> Answers:
        if "StackName" in parameters:
            raise ClientError({"Error": {"Code": "Throttling", "Message": "no"}}, "DescribeStacks")
        return answer(parameters)

    result = check(account(cloudformation__DescribeStacks=answer_only_for_all), "sandbox", "api")["compute-api"]
    assert (result.state, result.remedy) == (State.UNKNOWN, "")
    assert "AWS does not say if it is protected (Throttling)" in result.text


@pytest.mark.usefixtures("container_tool")
def test_another_processor_type_of_deployed_instances_fails(account: Callable[..., Account]) -> None:
    """`make deploy` refuses this change, so `make doctor` must report it."""
    parameter = {"ParameterKey": "Image", "ParameterValue": "/aws/service/ecs/optimized-ami/amazon-linux-2023/x"}
    answer = deployed(("compute-ecs-ec2", "CREATE_COMPLETE", "sandbox"))({})
    answer["Stacks"][0]["Parameters"] = [parameter]
    result = check(account(cloudformation__DescribeStacks=answer), "sandbox", "ecs_ec2")["compute-ecs-ec2"]
    assert (result.state, result.text) == (
        State.FAILS,
        "has instances of the type x86_64, and their tasks cannot move to arm64",
    )


def test_a_missing_container_tool_fails_only_stacks_with_images(
    account: Callable[..., Account], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check(account(), "sandbox", "fargate")["container tool"].state is State.FAILS
    assert "container tool" not in check(account(), "sandbox", "api")


def test_the_exit_code_depends_on_failures_alone(capsys: pytest.CaptureFixture[str]) -> None:
    waits = Result(State.WAITS, "jobs", "may wait", "ask for more")
    assert print_results([waits])
    assert capsys.readouterr().out == "may wait  | jobs | may wait | ask for more\n"
    assert not print_results([waits, Result(State.FAILS, "region", "no region is set")])


def test_the_operations_exist_in_aws() -> None:
    """The result for a misspelt operation would always be `unknown`."""
    session = botocore.session.get_session()
    names = {"elasticloadbalancingv2": "elbv2", "servicequotas": "service-quotas"}
    for name in NEW_ACCOUNT:
        service, _, operation = name.partition(".")
        assert operation in session.get_service_model(names.get(service, service)).operation_names
