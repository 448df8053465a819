"""The patches of permissions: the stock engine lets pass what the patched one asks permission for."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from ministack.core import iam_evaluator
from ministack.services import cloudwatch_logs, eventbridge, lambda_svc, sqs

from localaws.aws import LocalAws
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


# -- what AWS's services do as a role, tried in this process


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Grants the role actions, on a resource."""

    def allow(resource: str, *actions: str) -> None:
        statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
        policies = [iam_evaluator.parse_policy_document(json.loads(json.dumps({"Statement": [statement]})))]
        monkeypatch.setattr(iam_evaluator, "_gather_role_policies", lambda *_: policies)

    monkeypatch.setattr(iam_evaluator, "_gather_role_policies", lambda *_: [])
    return allow


def test_functions_log_as_permitted(monkeypatch: pytest.MonkeyPatch, allow: Callable[..., None]) -> None:
    streams: dict[str, Any] = {}
    monkeypatch.setattr(cloudwatch_logs, "_log_groups", {"given": {"streams": streams}})
    monkeypatch.setattr(lambda_svc, "_emit_lambda_logs", lambda_svc._emit_lambda_logs)

    def lines() -> int:
        streams.clear()
        lambda_svc._emit_lambda_logs(FUNCTION, "id", "a line", error=False, duration_ms=1)
        return len(streams)

    assert lines() == 1
    require_permission_to_log()
    assert lines() == 0
    group = "arn:aws:logs:us-east-1:000000000000:log-group:given:*"
    allow(group, "logs:PutLogEvents")
    assert lines() == 0
    allow(group, "logs:PutLogEvents", "logs:CreateLogStream")
    assert lines() == 1


def test_failures_are_sent_as_permitted(monkeypatch: pytest.MonkeyPatch, allow: Callable[..., None]) -> None:
    queue: dict[str, Any] = {"messages": [], "attributes": {}}
    monkeypatch.setattr(sqs, "_queue_by_arn", lambda _arn: queue)
    monkeypatch.setattr(lambda_svc, "_functions", {"f": FUNCTION})
    monkeypatch.setattr(lambda_svc, "_route_async_failure", lambda_svc._route_async_failure)
    target = "arn:aws:sqs:us-east-1:000000000000:letters"

    def letters() -> int:
        queue["messages"].clear()
        lambda_svc._route_async_failure(target, "f", {}, {})
        return len(queue["messages"])

    assert letters() == 1
    require_permission_to_send_failures()
    assert letters() == 0
    allow(target, "sqs:SendMessage")
    assert letters() == 1


def test_schedules_fire_as_permitted(monkeypatch: pytest.MonkeyPatch, allow: Callable[..., None]) -> None:
    fired: list[str] = []
    monkeypatch.setattr(eventbridge, "_dispatch_to_lambda", lambda arn, _payload: fired.append(arn))
    monkeypatch.setattr(eventbridge, "_invoke_target", eventbridge._invoke_target)
    function = FUNCTION["config"]["FunctionArn"]

    def times() -> int:
        fired.clear()
        event = {"Source": "aws.scheduler", "Detail": "{}", "Time": 0.0, "DetailType": "", "Account": "", "Region": ""}
        target = {"Arn": function, "RoleArn": ROLE, "Input": "{}"}
        eventbridge._invoke_target(target, {**event, "EventId": "e", "Resources": []}, {})
        return len(fired)

    assert times() == 1
    require_permission_to_invoke_scheduled()
    assert times() == 0
    allow(str(function), "lambda:InvokeFunction")
    assert times() == 1


# -- what a role asks S3 for


@pytest.fixture
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalAws, LocalAws]]:
    stock = LocalAws(tmp_path_factory.mktemp("stock"), patched=False)
    extended = LocalAws(tmp_path_factory.mktemp("extended"))
    yield stock, extended
    stock.stop()
    extended.stop()


def outcomes(aws: LocalAws) -> list[str]:
    """What a role hears that may read and delete objects, and must not write any: for reading what is not there, for
    deleting a version, and for writing.
    """
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
    found = aws.client("sts", engine).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    s3 = boto3.client(
        "s3",
        endpoint_url=engine.endpoint,
        region_name="us-east-1",
        aws_access_key_id=found["AccessKeyId"],
        aws_secret_access_key=found["SecretAccessKey"],
        aws_session_token=found["SessionToken"],
    )

    def told(call: Callable[[], Any]) -> str:
        try:
            call()
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "done"

    version: Any = {"Objects": [{"Key": "a", "VersionId": "null"}]}
    return [
        told(lambda: s3.get_object(Bucket="things", Key="gone")),
        told(lambda: s3.head_object(Bucket="things", Key="gone")),
        told(lambda: s3.delete_object(Bucket="things", Key="a")),
        told(lambda: s3.delete_objects(Bucket="things", Delete=version)),
        told(lambda: s3.put_object(Bucket="things", Key="a")),
    ]


def test_s3_is_asked_as_in_aws_and_it_is_written_down(engines: tuple[LocalAws, LocalAws]) -> None:
    stock, extended = engines
    assert outcomes(stock) == ["NoSuchKey", "404", "done", "done", "AccessDenied"]
    assert not stock.permissions.exists()
    assert outcomes(extended) == ["AccessDenied", "403", "done", "AccessDenied", "AccessDenied"]
    written = [json.loads(line) for line in extended.permissions.read_text().splitlines()]
    assert [line for line in written if line[0] == "reader"] == [
        ["reader", "s3:GetObject", "arn:aws:s3:::things/*", True],
        ["reader", "s3:ListBucket", "arn:aws:s3:::things", False],
        ["reader", "s3:DeleteObject", "arn:aws:s3:::things/*", True],
        ["reader", "s3:DeleteObjectVersion", "arn:aws:s3:::things/a", False],
    ], "and not what is denied on purpose"
