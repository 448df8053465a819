"""Every patch of permissions is still necessary: the stock engine allows what the patched engine checks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from ministack.core import iam_evaluator
from ministack.services import cloudwatch_logs, eventbridge, lambda_svc, sqs

from localaws import LocalAws
from localaws.patches.iam import (
    require_permission_to_invoke_scheduled,
    require_permission_to_log,
    require_permission_to_send_failures,
)

ROLE = "arn:aws:iam::000000000000:role/role"
FUNCTION = {
    "config": {
        "FunctionName": "f",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "Role": ROLE,
        "LoggingConfig": {"LogGroup": "given"},
    }
}


# -- actions that AWS's services do with a role, in this process


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that grants the role actions on a resource."""

    def allow(resource: str, *actions: str) -> None:
        statement = {"Effect": "Allow", "Action": [*actions], "Resource": resource}
        policies = [iam_evaluator.parse_policy_document({"Statement": [statement]})]
        monkeypatch.setattr(iam_evaluator, "_gather_role_policies", lambda *_: policies)

    monkeypatch.setattr(iam_evaluator, "_gather_role_policies", lambda *_: [])
    return allow


def test_a_function_logs_only_with_permission(monkeypatch: pytest.MonkeyPatch, allow: Callable[..., None]) -> None:
    streams: dict[str, Any] = {}
    monkeypatch.setattr(cloudwatch_logs, "_log_groups", {"given": {"streams": streams}})
    monkeypatch.setattr(lambda_svc, "_emit_lambda_logs", lambda_svc._emit_lambda_logs)

    def streams_after_a_line() -> int:
        streams.clear()
        lambda_svc._emit_lambda_logs(FUNCTION, "id", "a line", error=False, duration_ms=1)
        return len(streams)

    assert streams_after_a_line() == 1
    require_permission_to_log()
    assert streams_after_a_line() == 0
    group = "arn:aws:logs:us-east-1:000000000000:log-group:given:*"
    allow(group, "logs:PutLogEvents")
    assert streams_after_a_line() == 0
    allow(group, "logs:PutLogEvents", "logs:CreateLogStream")
    assert streams_after_a_line() == 1


def test_a_failure_is_sent_only_with_permission(monkeypatch: pytest.MonkeyPatch, allow: Callable[..., None]) -> None:
    queue: dict[str, Any] = {"messages": [], "attributes": {}}
    monkeypatch.setattr(sqs, "_queue_by_arn", lambda _arn: queue)
    monkeypatch.setattr(lambda_svc, "_functions", {"f": FUNCTION})
    monkeypatch.setattr(lambda_svc, "_route_async_failure", lambda_svc._route_async_failure)
    target = "arn:aws:sqs:us-east-1:000000000000:letters"

    def messages_after_a_failure() -> int:
        queue["messages"].clear()
        lambda_svc._route_async_failure(target, "f", {}, {})
        return len(queue["messages"])

    assert messages_after_a_failure() == 1
    require_permission_to_send_failures()
    assert messages_after_a_failure() == 0
    allow(target, "sqs:SendMessage")
    assert messages_after_a_failure() == 1


def test_a_schedule_invokes_only_with_permission(monkeypatch: pytest.MonkeyPatch, allow: Callable[..., None]) -> None:
    invoked: list[str] = []
    monkeypatch.setattr(eventbridge, "_dispatch_to_lambda", lambda arn, _payload: invoked.append(arn))
    monkeypatch.setattr(eventbridge, "_invoke_target", eventbridge._invoke_target)
    function = FUNCTION["config"]["FunctionArn"]

    def invocations() -> int:
        invoked.clear()
        event = {"Source": "aws.scheduler", "Detail": "{}", "Time": 0.0, "DetailType": "", "Account": "", "Region": ""}
        target = {"Arn": function, "RoleArn": ROLE, "Input": "{}"}
        eventbridge._invoke_target(target, {**event, "EventId": "e", "Resources": []}, {})
        return len(invoked)

    assert invocations() == 1
    require_permission_to_invoke_scheduled()
    assert invocations() == 0
    allow(str(function), "lambda:InvokeFunction")
    assert invocations() == 1


# -- permissions that S3 checks


def outcomes(aws: LocalAws) -> list[str]:
    """Return the error codes of requests by a role that may read and delete objects and is denied to write any."""
    engine = aws.start()
    iam = aws.client("iam", engine)
    aws.client("s3", engine).create_bucket(Bucket="things")
    objects = "arn:aws:s3:::things/*"
    policy = [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:DeleteObject"], "Resource": objects},
        {"Effect": "Deny", "Action": "s3:PutObject", "Resource": objects},
    ]
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}]}
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=json.dumps({"Statement": policy}))
    session = aws.client("sts", engine).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    s3 = boto3.client(
        "s3",
        endpoint_url=engine.endpoint,
        region_name="us-east-1",
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )

    def outcome(call: Callable[[], Any]) -> str:
        try:
            call()
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "done"

    version: Any = {"Objects": [{"Key": "a", "VersionId": "null"}]}
    return [
        outcome(lambda: s3.get_object(Bucket="things", Key="missing")),
        outcome(lambda: s3.head_object(Bucket="things", Key="missing")),
        outcome(lambda: s3.delete_object(Bucket="things", Key="a")),
        outcome(lambda: s3.delete_objects(Bucket="things", Delete=version)),
        outcome(lambda: s3.put_object(Bucket="things", Key="a")),
    ]


def test_s3_checks_permissions_as_aws_does_and_uses_are_recorded(aws: LocalAws, tmp_path: Path) -> None:
    stock = LocalAws(tmp_path / "stock", patched=False)
    try:
        assert outcomes(stock) == ["NoSuchKey", "404", "done", "done", "AccessDenied"]
        assert not stock.permissions_file.exists()
    finally:
        stock.stop()
    assert outcomes(aws) == ["AccessDenied", "403", "done", "AccessDenied", "AccessDenied"]
    uses = [json.loads(line) for line in aws.permissions_file.read_text().splitlines()]
    assert [use for use in uses if use[0] == "reader"] == [
        ["reader", "s3:GetObject", "arn:aws:s3:::things/*", True],
        ["reader", "s3:ListBucket", "arn:aws:s3:::things", False],
        ["reader", "s3:DeleteObject", "arn:aws:s3:::things/*", True],
        ["reader", "s3:DeleteObjectVersion", "arn:aws:s3:::things/a", False],
    ], "an explicit Deny is not recorded"
