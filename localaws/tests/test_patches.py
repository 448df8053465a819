"""Every patch is still needed and still fits: the stock engine fails where the patched one works."""

import contextlib
import io
import json
import subprocess
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.exceptions import ClientError, WaiterError
from conftest import Client
from ministack.core import lambda_runtime
from ministack.services import eventbridge, lambda_svc, scheduler
from waiting import until

from localaws.aws import PORT
from localaws.environment import engine_variables
from localaws.patches.lambda_functions import (
    keep_last_log_lines,
    run_bundles_for_other_processors,
    unpack_without_compiled_packages,
)
from localaws.patches.scheduler import replace_context_attributes, retry_scheduled_invocations


def test_the_engine_is_the_version_that_the_extension_knows() -> None:
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]
    assert f"ministack=={version('ministack')}" in project["dependencies"]


# -- treat_loopback_as_tls


def tls_only_bucket_can_be_read(client: Client) -> bool:
    s3 = client("s3")
    s3.create_bucket(Bucket="tls-only")
    s3.put_object(Bucket="tls-only", Key="a", Body=b"a")
    denial = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::tls-only", "arn:aws:s3:::tls-only/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket="tls-only", Policy=json.dumps({"Version": "2012-10-17", "Statement": [denial]}))
    iam = client("iam")
    iam.create_user(UserName="reader")
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="reader", PolicyName="s3", PolicyDocument=json.dumps(allowed))
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    reader = boto3.client(
        "s3",
        endpoint_url=s3.meta.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    try:
        reader.get_object(Bucket="tls-only", Key="a")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"  # noqa: PT017 - the other outcome is none
        return False
    return True


def test_buckets_that_demand_tls_can_be_used(stock: Client, extended: Client) -> None:
    assert not tls_only_bucket_can_be_read(stock)
    assert tls_only_bucket_can_be_read(extended)


# -- store_bucket_tags


def deploy_tagged_bucket(client: Client, operation: str, own: str) -> dict[str, str]:
    properties = {"BucketName": "tagged", "Tags": [{"Key": "own", "Value": own}]}
    template = {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": properties}}}
    cloudformation = client("cloudformation")
    getattr(cloudformation, f"{operation}_stack")(
        StackName="tags", TemplateBody=json.dumps(template), Tags=[{"Key": "stacks", "Value": "2"}]
    )
    waiter = cloudformation.get_waiter(f"stack_{operation}_complete")
    waiter.wait(StackName="tags", WaiterConfig={"Delay": 1})
    try:
        tags = client("s3").get_bucket_tagging(Bucket="tagged")["TagSet"]
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchTagSet"  # noqa: PT017 - the other outcome is tags
        return {}
    return {tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")}


def test_buckets_keep_their_tags(stock: Client, extended: Client) -> None:
    assert deploy_tagged_bucket(stock, "create", "1") == {}
    assert deploy_tagged_bucket(extended, "create", "1") == {"own": "1", "stacks": "2"}
    assert deploy_tagged_bucket(extended, "update", "3") == {"own": "3", "stacks": "2"}


# -- run_bundles_for_other_processors


def bundle_for_another_processor() -> bytes:
    return zipped(
        {
            "index.py": "import wrapt\ndef handler(event, context): return wrapt.__version__",
            "wrapt/__init__.py": "from wrapt._wrappers import ObjectProxy",
            "wrapt/_wrappers.cpython-314-aarch64-linux-gnu.so": "for another processor",
            "wrapt.libs/libc.so.6": "too",
        }
    )


def zipped(files: dict[str, str]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for name, text in files.items():
            target.writestr(zipfile.ZipInfo(name), text)  # of no time: the same bytes whenever it is made
    return archive.getvalue()


def role_of_a_function(client: Client, name: str) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
        ],
    }
    made = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    return str(made["Role"]["Arn"])


def what_the_function_returns(client: Client) -> Any:
    functions = client("lambda")
    functions.create_function(
        FunctionName="foreign",
        Runtime="python3.14",
        Handler="index.handler",
        Role=role_of_a_function(client, "foreign"),
        Code={"ZipFile": bundle_for_another_processor()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="foreign", WaiterConfig={"Delay": 1})
    response = functions.invoke(FunctionName="foreign")
    return json.loads(response["Payload"].read())


def test_bundles_for_lambdas_processor_run_here(stock: Client, extended: Client) -> None:
    assert "errorMessage" in what_the_function_returns(stock)
    assert what_the_function_returns(extended) == version("wrapt")


def test_only_packages_with_compiled_code_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = unpack_without_compiled_packages(bundle_for_another_processor())
    assert [path.name for path in kept.rglob("*")] == ["index.py"]
    pure = {"index.py": "", "package/__init__.py": ""}
    kept = unpack_without_compiled_packages(zipped(pure))
    assert {str(path.relative_to(kept)) for path in kept.rglob("*.py")} == {*pure}


@pytest.fixture
def pipes_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """ministack leaves them open, and Python would complain of it in some later test."""
    started: list[subprocess.Popen[str]] = []

    class Noted(subprocess.Popen[str]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    yield
    for process in started:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()


def invoked(code: str, **variables: str) -> dict[str, Any]:
    """What the engine has of a function that was invoked in an environment of its own."""
    config = {
        "FunctionName": "here",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:here",
        "Runtime": "python3.14",
        "Handler": "index.handler",
        "Environment": {"Variables": variables},
    }
    source = f"import os\ndef handler(event, context): {code}"
    worker = lambda_runtime.Worker("here", config, zipped({"index.py": source}))
    try:
        return dict(worker.invoke({}, "1"))
    finally:
        worker.kill()


@pytest.mark.usefixtures("pipes_closed")
def test_the_environments_of_a_function_share_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def places() -> list[str]:
        return [invoked(code, PYTHONPATH="/its/own")["result"] for _ in range(2)]

    code = "return __file__ + ' ' + os.environ['PYTHONPATH'].split(os.pathsep)[-1]"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(lambda_runtime.Worker, "_spawn", lambda_runtime.Worker._spawn)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", engine_variables(PORT, tmp_path, tmp_path)["PYTHONDONTWRITEBYTECODE"])
    one, other = places()
    assert one != other
    run_bundles_for_other_processors()
    one, other = places()
    assert one == other
    assert one.endswith("/index.py /its/own")
    assert [*tmp_path.glob("code-*/__pycache__/index.*.pyc")], "or each would compile it anew"


# -- limit_environments

PROCESS = "import os, time\ndef handler(event, context):\n    time.sleep(0.3)\n    return os.getpid()"


def environments_for(client: Client, requests_: int) -> int:
    """How many environments serve so many requests at once."""
    functions = client("lambda")
    role = role_of_a_function(client, "process")
    code = {"ZipFile": zipped({"index.py": PROCESS})}
    functions.create_function(
        FunctionName="process", Runtime="python3.14", Handler="index.handler", Role=role, Code=code, Timeout=30
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="process", WaiterConfig={"Delay": 1})
    with ThreadPoolExecutor(requests_) as pool:
        answers = pool.map(lambda _: functions.invoke(FunctionName="process")["Payload"].read(), range(requests_))
        return len({*answers})


def test_fifty_requests_do_not_start_fifty_processes(stock: Client, extended: Client) -> None:
    assert environments_for(stock, 12) > 8
    assert environments_for(extended, 12) <= 8


# -- validate_request_bodies, pass_api_key_to_functions

ECHO = "def handler(event, context): return {'statusCode': 200, 'body': str(event['requestContext']['identity'])}"


def deploy_api(client: Client) -> str:
    """An API whose POST takes an object, and answers with the identity of the caller."""
    api = {"RestApiId": {"Ref": "Api"}}
    role = "arn:aws:iam::000000000000:role/echo"
    function = {"Runtime": "python3.14", "Handler": "index.handler", "Role": role, "Code": {"ZipFile": ECHO}}
    method = {
        **api,
        "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
        "HttpMethod": "POST",
        "AuthorizationType": "NONE",
        "RequestModels": {"application/json": {"Ref": "Model"}},
        "RequestValidatorId": {"Ref": "Validator"},
        "Integration": {
            "Type": "AWS_PROXY",
            "IntegrationHttpMethod": "POST",
            "Uri": {
                "Fn::Sub": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"
            },
        },
    }
    resources = {
        "Api": ("RestApi", {"Name": "echo"}),
        "Model": ("Model", {**api, "ContentType": "application/json", "Schema": {"type": "object"}}),
        "Validator": ("RequestValidator", {**api, "ValidateRequestBody": True}),
        "Method": ("Method", method),
        "Deployment": ("Deployment", api),
        "Stage": ("Stage", {**api, "StageName": "live", "DeploymentId": {"Ref": "Deployment"}}),
        "Key": ("ApiKey", {"Enabled": True, "Value": "a-key-for-this-test-alone"}),
    }
    template = {
        "Resources": {
            "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
            **{
                name: {"Type": f"AWS::ApiGateway::{kind}", "Properties": properties}
                for name, (kind, properties) in resources.items()
            },
        },
        "Outputs": {"Id": {"Value": {"Ref": "Api"}}, "Key": {"Value": {"Ref": "Key"}}},
    }
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="echo", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="echo", WaiterConfig={"Delay": 1})
    (stack,) = cloudformation.describe_stacks(StackName="echo")["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return f"{cloudformation.meta.endpoint_url}/_aws/execute-api/{outputs['Id']}/live/"


def post(url: str, body: str, content_type: str = "application/json") -> tuple[int, str]:
    headers = {"X-Api-Key": "a-key-for-this-test-alone", "Content-Type": content_type}
    answer = requests.post(url, data=body, headers=headers, timeout=30)
    return answer.status_code, answer.text


def test_the_gateway_validates_bodies_and_says_which_key_was_used(stock: Client, extended: Client) -> None:
    url = deploy_api(stock)
    assert post(url, "[]")[0] == 200
    status, identity = post(url, "{}")
    assert (status, "apiKeyId" in identity) == (200, False)
    url = deploy_api(extended)
    assert post(url, "[]")[0] == 400
    assert post(url, "[]", "text/plain")[0] == 200
    status, identity = post(url, "{}")
    assert (status, "'apiKeyId': " in identity) == (200, True)


# -- shorten_minutes


def schedule_every_minute(client: Client) -> str:
    queue = str(client("sqs").create_queue(QueueName="scheduled")["QueueUrl"])
    client("scheduler").create_schedule(
        Name="minutely",
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": "arn:aws:sqs:us-east-1:000000000000:scheduled",
            "RoleArn": "arn:aws:iam::000000000000:role/scheduler",
            "Input": '{"at": "<aws.scheduler.scheduled-time>"}',
        },
    )
    return queue


def test_a_minute_is_short_for_schedules(stock: Client, extended: Client) -> None:
    real, hurried = schedule_every_minute(stock), schedule_every_minute(extended)
    (message,) = until(lambda: extended("sqs").receive_message(QueueUrl=hurried).get("Messages"), seconds=20)
    assert datetime.fromisoformat(json.loads(message["Body"])["at"]) <= datetime.now(UTC)
    assert "Messages" not in stock("sqs").receive_message(QueueUrl=real)
    assert eventbridge._parse_rate_seconds("rate(1 minute)") == 60, "the engine calls it by this name"


# -- replace_context_attributes, retry_scheduled_invocations: in this process, for the stock engine takes its time

ONCE = {
    "ScheduleExpression": "at(2026-01-01T00:00:00)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": {
        "Arn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "RoleArn": "arn:aws:iam::000000000000:role/scheduler",
        "Input": '{"at": "<aws.scheduler.scheduled-time>", "of": "<aws.scheduler.schedule-arn>"}',
    },
}


@pytest.fixture
def engine_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the extension mends is stock again after the test, and so are the schedules."""
    for name in ("_invoke_target", "_dispatch_to_lambda"):
        monkeypatch.setattr(eventbridge, name, getattr(eventbridge, name))
    monkeypatch.setattr(scheduler, "_schedules", type(scheduler._schedules)())
    monkeypatch.setattr(scheduler, "_schedule_last_fired", {})


def fire(name: str) -> None:
    scheduler._create_schedule(name, ONCE)
    scheduler._tick_schedules()


@pytest.mark.usefixtures("engine_here")
def test_a_schedule_tells_its_time_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(eventbridge, "_dispatch_to_lambda", lambda _arn, payload: told.append(json.loads(payload)))
    fire("stock")
    assert told.pop()["at"] == "<aws.scheduler.scheduled-time>"
    replace_context_attributes()
    fire("extended")
    filled = told.pop()
    assert datetime.fromisoformat(filled["at"]).tzinfo == UTC
    assert filled["of"] == "arn:aws:scheduler:us-east-1:000000000000:schedule/default/extended"


@pytest.mark.usefixtures("engine_here")
def test_what_a_schedule_invokes_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries themselves, and the dead letter: tests/local/test_aws.py."""
    plain, retried = threading.Event(), threading.Event()
    monkeypatch.setattr(lambda_svc, "_get_func_record_for_ref", lambda _arn: ({"config": {}}, {"a": 1}, "f"))
    monkeypatch.setattr(lambda_svc, "_execution_record_for_config", lambda *_: {})
    monkeypatch.setattr(lambda_svc, "_execute_function_with_config_scope", lambda *_: plain.set())
    monkeypatch.setattr(lambda_svc, "invoke_async_with_retry", lambda *_: retried.set())
    fire("stock")
    assert plain.wait(timeout=5)
    assert not retried.is_set()
    plain.clear()
    retry_scheduled_invocations()
    fire("extended")
    assert retried.is_set()
    assert not plain.is_set()


# -- accept_metric_math_alarms


def deploy_alarm_on_an_expression(client: Client) -> list[Any]:
    metric = {"Namespace": "Test", "MetricName": "Runs", "Dimensions": [{"Name": "service", "Value": "x"}]}
    properties = {
        "ComparisonOperator": "LessThanThreshold",
        "EvaluationPeriods": 2,
        "Threshold": 1,
        "Metrics": [
            {"Id": "filled", "Expression": "FILL(runs, 0)"},
            {
                "Id": "runs",
                "MetricStat": {"Metric": metric, "Period": 300, "Stat": "SampleCount"},
                "ReturnData": False,
            },
        ],
    }
    template = {"Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}}}
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="alarm", TemplateBody=json.dumps(template), OnFailure="DELETE")
    with contextlib.suppress(WaiterError):
        cloudformation.get_waiter("stack_create_complete").wait(StackName="alarm", WaiterConfig={"Delay": 1})
    alarms = client("cloudwatch").describe_alarms()["MetricAlarms"]
    return [(alarm["MetricName"], alarm["Statistic"], alarm["Period"]) for alarm in alarms]


def test_alarms_on_expressions_are_taken(stock: Client, extended: Client) -> None:
    assert deploy_alarm_on_an_expression(stock) == []
    assert deploy_alarm_on_an_expression(extended) == [("Runs", "SampleCount", 300)]


# -- keep_last_log_lines


@pytest.mark.usefixtures("pipes_closed")
def test_no_line_of_a_log_is_lost_when_the_engine_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    read, gets_to_it = lambda_runtime.Worker._read_stderr, threading.Event()

    def read_late(worker: Any) -> None:
        gets_to_it.wait()
        read(worker)

    monkeypatch.setattr(lambda_runtime.Worker, "_read_stderr", read_late)
    monkeypatch.setattr(lambda_runtime, "_PYTHON_WORKER_SCRIPT", lambda_runtime._PYTHON_WORKER_SCRIPT)
    monkeypatch.setattr(lambda_runtime.Worker, "_drain_stderr_bounded", lambda_runtime.Worker._drain_stderr_bounded)
    code = "print('begun'); print('end', end='')"
    assert invoked(code)["log"] == ""
    keep_last_log_lines()
    threading.Timer(1, gets_to_it.set).start()
    assert invoked(code)["log"] == "begun\nend"
    assert invoked("raise ValueError(print('begun'))")["log"] == "begun"
    assert invoked("print('begun', flush=True); os._exit(1)")["log"] == "begun"


# -- never_recreate_log_groups


def log_groups_after_an_invocation_without(client: Client) -> set[str]:
    """A function is told to log to a group that is gone: its stack is being deleted, say."""
    functions, logs = client("lambda"), client("logs")
    logs.create_log_group(logGroupName="given")
    role = role_of_a_function(client, "logging")
    may_log = {"Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}
    client("iam").put_role_policy(RoleName="logging", PolicyName="log", PolicyDocument=json.dumps(may_log))
    functions.create_function(
        FunctionName="logging",
        Runtime="python3.14",
        Handler="index.handler",
        Role=role,
        Code={"ZipFile": zipped({"index.py": "def handler(event, context): print('here')"})},
        LoggingConfig={"LogGroup": "given"},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="logging", WaiterConfig={"Delay": 1})
    functions.invoke(FunctionName="logging")
    assert logs.describe_log_streams(logGroupName="given")["logStreams"]
    logs.delete_log_group(logGroupName="given")
    functions.invoke(FunctionName="logging")
    return {group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]}


def test_functions_make_no_log_group_that_is_gone(stock: Client, extended: Client) -> None:
    assert "given" in log_groups_after_an_invocation_without(stock)
    assert "given" not in log_groups_after_an_invocation_without(extended)
