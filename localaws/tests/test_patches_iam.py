"""Tests of the patches of permissions. The stock engine allows the actions, and the patched engine needs a grant.

Each test fails if a patch does not work or is no longer necessary.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from helpers import policy, s3_client, trust_policy
from ministack.core import iam_evaluator
from ministack.services import cloudwatch_logs, eventbridge, lambda_svc, sqs

from localaws import LocalAws
from localaws.patches.iam import (
    require_permission_to_invoke_scheduled_functions,
    require_permission_to_log,
    require_permission_to_send_failures,
)

ROLE = "arn:aws:iam::000000000000:role/role"
FUNCTION = {
    "config": {
        "FunctionName": "f",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "Role": ROLE,
        "LoggingConfig": {"LogGroup": "configured"},
    }
}


# -- actions for which an AWS service uses a role. These tests call the functions of ministack in this process.


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that gives the role permission for actions on a resource. At first it has no permission."""

    def allow(resource: str, *actions: str) -> None:
        document = json.loads(policy({"Action": [*actions], "Resource": resource}))
        policies = [iam_evaluator.parse_policy_document(document)]
        monkeypatch.setattr(iam_evaluator, "_gather_role_policies", lambda *_: policies)

    monkeypatch.setattr(iam_evaluator, "_gather_role_policies", lambda *_: [])
    return allow


def test_a_function_writes_its_log_only_with_permission(
    monkeypatch: pytest.MonkeyPatch, allow: Callable[..., None]
) -> None:
    streams: dict[str, Any] = {}
    monkeypatch.setattr(cloudwatch_logs, "_log_groups", {"configured": {"streams": streams}})
    monkeypatch.setattr(lambda_svc, "_emit_lambda_logs", lambda_svc._emit_lambda_logs)

    def count_streams_after_log_line() -> int:
        streams.clear()
        lambda_svc._emit_lambda_logs(FUNCTION, "id", "a line", error=False, duration_ms=1)
        return len(streams)

    assert count_streams_after_log_line() == 1
    require_permission_to_log()
    assert count_streams_after_log_line() == 0
    log_group_arn = "arn:aws:logs:us-east-1:000000000000:log-group:configured:*"
    allow(log_group_arn, "logs:PutLogEvents")
    assert count_streams_after_log_line() == 0
    allow(log_group_arn, "logs:PutLogEvents", "logs:CreateLogStream")
    assert count_streams_after_log_line() == 1


@pytest.mark.parametrize(
    ("actions", "is_created"),
    [
        (("logs:PutLogEvents", "logs:CreateLogStream"), False),
        (("logs:CreateLogGroup",), False),
        (("logs:PutLogEvents", "logs:CreateLogStream", "logs:CreateLogGroup"), True),
    ],
)
def test_a_function_creates_its_log_group_only_with_permission(
    monkeypatch: pytest.MonkeyPatch, allow: Callable[..., None], actions: tuple[str, ...], *, is_created: bool
) -> None:
    log_groups: dict[str, Any] = {}
    monkeypatch.setattr(cloudwatch_logs, "_log_groups", log_groups)
    monkeypatch.setattr(lambda_svc, "_emit_lambda_logs", lambda_svc._emit_lambda_logs)
    lambda_svc._emit_lambda_logs(FUNCTION, "id", "a line", error=False, duration_ms=1)
    assert [*log_groups] == ["configured"], "the stock engine creates it"
    log_groups.clear()
    require_permission_to_log()
    allow("arn:aws:logs:us-east-1:000000000000:log-group:configured*", *actions)
    lambda_svc._emit_lambda_logs(FUNCTION, "id", "a line", error=False, duration_ms=1)
    assert [*log_groups] == (["configured"] if is_created else [])


def test_a_failure_is_sent_to_the_destination_only_with_permission(
    monkeypatch: pytest.MonkeyPatch, allow: Callable[..., None]
) -> None:
    queue: dict[str, Any] = {"messages": [], "attributes": {}}
    monkeypatch.setattr(sqs, "_queue_by_arn", lambda _arn: queue)
    monkeypatch.setattr(lambda_svc, "_functions", {"f": FUNCTION})
    monkeypatch.setattr(lambda_svc, "_route_async_failure", lambda_svc._route_async_failure)
    target = "arn:aws:sqs:us-east-1:000000000000:failures"

    def count_messages_after_failure() -> int:
        queue["messages"].clear()
        lambda_svc._route_async_failure(target, "f", {}, {})
        return len(queue["messages"])

    assert count_messages_after_failure() == 1
    require_permission_to_send_failures()
    assert count_messages_after_failure() == 0
    allow(target, "sqs:SendMessage")
    assert count_messages_after_failure() == 1


def test_a_schedule_invokes_its_function_only_with_permission(
    monkeypatch: pytest.MonkeyPatch, allow: Callable[..., None]
) -> None:
    invoked_arns: list[str] = []
    monkeypatch.setattr(eventbridge, "_dispatch_to_lambda", lambda arn, _payload: invoked_arns.append(arn))
    monkeypatch.setattr(eventbridge, "_invoke_target", eventbridge._invoke_target)
    function = FUNCTION["config"]["FunctionArn"]

    def count_invocations() -> int:
        invoked_arns.clear()
        event = {"Source": "aws.scheduler", "Detail": "{}", "Time": 0.0, "DetailType": "", "Account": "", "Region": ""}
        target = {"Arn": function, "RoleArn": ROLE, "Input": "{}"}
        eventbridge._invoke_target(target, {**event, "EventId": "e", "Resources": []}, {})
        return len(invoked_arns)

    assert count_invocations() == 1
    require_permission_to_invoke_scheduled_functions()
    assert count_invocations() == 0
    allow(str(function), "lambda:InvokeFunction")
    assert count_invocations() == 1


# -- permissions of requests to S3


def request_results(aws: LocalAws) -> list[str]:
    """Send requests with a role, and return the error code of each request, or `success`.

    The role has permission to read and delete objects. A policy explicitly denies the permission to write objects.
    """
    engine = aws.start()
    iam = aws.client("iam", engine)
    aws.client("s3", engine).create_bucket(Bucket="photos")
    objects = "arn:aws:s3:::photos/*"
    document = policy(
        {"Action": ["s3:GetObject", "s3:DeleteObject"], "Resource": objects},
        {"Effect": "Deny", "Action": "s3:PutObject", "Resource": objects},
    )
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust_policy({"AWS": "*"}))["Role"]["Arn"]
    iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=document)
    credentials = aws.client("sts", engine).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    s3 = s3_client(engine.endpoint, credentials)

    def result(send_request: Callable[[], Any]) -> str:
        try:
            send_request()
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "success"

    versioned_objects: Any = {"Objects": [{"Key": "a", "VersionId": "null"}]}
    return [
        result(lambda: s3.get_object(Bucket="photos", Key="missing")),
        result(lambda: s3.head_object(Bucket="photos", Key="missing")),
        result(lambda: s3.delete_object(Bucket="photos", Key="a")),
        result(lambda: s3.delete_objects(Bucket="photos", Delete=versioned_objects)),
        result(lambda: s3.put_object(Bucket="photos", Key="a")),
    ]


def test_s3_checks_permissions_as_on_aws_and_each_use_is_recorded(aws: LocalAws, tmp_path: Path) -> None:
    stock = LocalAws(tmp_path / "stock", patched=False)
    try:
        assert request_results(stock) == ["NoSuchKey", "404", "success", "success", "AccessDenied"]
        assert not stock.permissions_file.exists()
    finally:
        stock.stop()
    assert request_results(aws) == ["AccessDenied", "403", "success", "AccessDenied", "AccessDenied"]
    uses = [json.loads(line) for line in aws.permissions_file.read_text().splitlines()]
    assert [use for use in uses if use[0] == "reader"] == [
        ["reader", "s3:GetObject", "arn:aws:s3:::photos/*", True],
        ["reader", "s3:ListBucket", "arn:aws:s3:::photos", False],
        ["reader", "s3:DeleteObject", "arn:aws:s3:::photos/*", True],
        ["reader", "s3:DeleteObjectVersion", "arn:aws:s3:::photos/a", False],
    ], "an explicit Deny is not recorded"
