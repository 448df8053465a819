"""Tests of the patches of image functions. Without containers, a process runs in place of the image."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError, WaiterError
from conftest import Client
from helpers import deploy_stack, policy, trust_policy, wait_for

from localaws import LocalAws, Settings, StandIn
from localaws.container_tool import LABEL, Tool
from localaws.function_images import RUNTIME_VARIABLES, FunctionImages
from localaws.task_runner import ImageError, Images

REGISTRY = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
IMAGE = f"{REGISTRY}/stand-in/echo@sha256:{'0' * 64}"
CLIENT = """
import http.client, json, os, time

def handler(event):
    print("begun", event.get("text", ""))
    if event.get("fail"):
        raise ValueError("broken")
    time.sleep(event.get("seconds", 0))
    return [os.getpid(), os.environ["STAGE"], os.environ["EXTRA"], os.environ["AWS_ACCESS_KEY_ID"][:4]]

def request(method, path, body=None):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, "/2018-06-01/runtime/" + path, body)
    answer = connection.getresponse()
    return answer.headers, answer.read()

while True:
    headers, body = request("GET", "invocation/next")
    path = "invocation/" + headers["Lambda-Runtime-Aws-Request-Id"]
    try:
        result = handler(json.loads(body))
    except ValueError as error:
        request("POST", path + "/error", json.dumps({"errorType": "ValueError", "errorMessage": str(error)}))
    else:
        request("POST", path + "/response", json.dumps(result))
"""
"""A program that a stand-in runs: a client of Lambda's runtime API."""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    program = tmp_path_factory.mktemp("program") / "client.py"
    program.write_text(CLIENT)
    stand_in = StandIn(
        image=f"{REGISTRY}/stand-in/echo",
        command=(sys.executable, "-u", str(program)),
        environment={"EXTRA": "of the stand-in"},
    )
    aws = LocalAws(tmp_path_factory.mktemp("aws"), Settings(stand_ins=(stand_in,)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_CONTAINERS", "none")
        aws.start(port=0)
    yield aws
    aws.stop()


@pytest.fixture(scope="module")
def with_stand_in(aws: LocalAws) -> Client:
    engine = aws.running_engine()
    assert engine
    return lambda service: aws.client(service, engine)


def create_image_function(client: Client, name: str, image: str = IMAGE, **options: Any) -> None:
    iam = client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust_policy({"Service": "lambda.amazonaws.com"}))
    iam.put_role_policy(RoleName=name, PolicyName="logs", PolicyDocument=policy({"Action": "logs:*"}))
    client("lambda").create_function(
        FunctionName=name,
        PackageType="Image",
        Code={"ImageUri": image},
        Role=role["Role"]["Arn"],
        Environment={"Variables": {"STAGE": "first"}},
        **{"Timeout": 10, **options},
    )


def invoke(client: Client, name: str, **event: Any) -> Any:
    return json.load(client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))["Payload"])


# -- run_image_functions


def test_an_image_function_runs_and_its_process_is_used_again(stock: Client, with_stand_in: Client) -> None:
    create_image_function(stock, "image")
    assert "errorMessage" in invoke(stock, "image")
    create_image_function(with_stand_in, "image")
    process, *others = invoke(with_stand_in, "image")
    assert others == ["first", "of the stand-in", "ASIA"]
    assert invoke(with_stand_in, "image")[0] == process


def test_an_error_is_the_answer_and_the_process_continues(with_stand_in: Client) -> None:
    create_image_function(with_stand_in, "failing")
    process = invoke(with_stand_in, "failing")[0]
    assert invoke(with_stand_in, "failing", fail=True) == {"errorType": "ValueError", "errorMessage": "broken"}
    assert invoke(with_stand_in, "failing")[0] == process


def test_a_process_that_exceeds_the_timeout_ends(with_stand_in: Client) -> None:
    create_image_function(with_stand_in, "slow", Timeout=1)
    process = invoke(with_stand_in, "slow")[0]
    assert "timed out" in invoke(with_stand_in, "slow", seconds=60)["errorMessage"]
    wait_for(lambda: not psutil.pid_exists(process))
    assert invoke(with_stand_in, "slow")[0] != process


def test_the_log_contains_what_the_process_prints(with_stand_in: Client) -> None:
    with_stand_in("logs").create_log_group(logGroupName="/aws/lambda/printing")
    create_image_function(with_stand_in, "printing")
    for text in ("one", "two"):
        invoke(with_stand_in, "printing", text=text)
    events = with_stand_in("logs").filter_log_events(logGroupName="/aws/lambda/printing")["events"]
    lines = [event["message"] for event in events if event["message"].startswith(("START", "begun"))]
    assert [line.split()[0] for line in lines] == ["START", "begun", "START", "begun"]
    assert lines[1::2] == ["begun one", "begun two"]


def test_a_changed_function_gets_a_new_process(with_stand_in: Client) -> None:
    create_image_function(with_stand_in, "changed")
    process = invoke(with_stand_in, "changed")[0]
    variables = {"Variables": {"STAGE": "second"}}
    with_stand_in("lambda").update_function_configuration(FunctionName="changed", Environment=variables)
    new_process, stage, *_ = invoke(with_stand_in, "changed")
    assert (new_process != process, stage) == (True, "second")
    wait_for(lambda: not psutil.pid_exists(process))


def test_the_process_ends_after_a_killed_engine(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_CONTAINERS", "none")
    killed = LocalAws(tmp_path / "killed", aws.settings)
    engine = killed.start(port=0)
    try:

        def client(service: str) -> Any:
            return killed.client(service, engine)

        create_image_function(client, "left", Timeout=60)
        process = invoke(client, "left")[0]
        payload = json.dumps({"seconds": 60})  # the process is busy, so it does not notice the end of the runtime API
        client("lambda").invoke(FunctionName="left", InvocationType="Event", Payload=payload)
        time.sleep(1)  # the event reaches the process
        os.kill(engine.pid, signal.SIGKILL)
        wait_for(lambda: not psutil.pid_exists(process), seconds=5)
    finally:
        killed.stop()


# -- the command of a container


def function_images(*options: str, limits: bool = True) -> FunctionImages:
    tool = Tool(name="fake", why="for a test", command=("true", *options), limits=limits)
    images = Images(tool, {}, str, str)
    return FunctionImages(tool, Path("/folder"), {}, images, lambda image: f"local/{image}")


FUNCTION = {
    "ImageUri": "image:1",
    "MemorySize": 1769,
    "EphemeralStorage": {"Size": 1024},
    "Environment": {"Variables": {"MAX_EDGE": "256"}},
}


def test_a_container_is_as_limited_as_on_aws() -> None:
    command = function_images().environment(FUNCTION).bootstrap.splitlines()[1]
    for part in (
        *(" run --rm ", "--read-only", "--memory 1769m", "--network host", f"--label {LABEL}=/folder"),
        *("--tmpfs /tmp:size=1024m,mode=1777", "--user 65534:65534", "--env MAX_EDGE", *RUNTIME_VARIABLES),
    ):
        assert part in command
    assert command.endswith(" local/image:1")
    assert "--memory" not in function_images(limits=False).environment(FUNCTION).bootstrap


def test_a_container_gets_the_image_configuration() -> None:
    image_config = {"EntryPoint": ["python", "-m"], "Command": ["module"], "WorkingDirectory": "/x y"}
    function = {**FUNCTION, "ImageConfigResponse": {"ImageConfig": image_config}}
    command = function_images().environment(function).bootstrap
    assert "--workdir '/x y' --entrypoint python local/image:1 -m module\n" in command


def test_an_image_that_cannot_be_pulled_is_an_error() -> None:
    tool = Tool(name="fake", why="for a test", command=("false",))
    images = FunctionImages(tool, Path("/folder"), {}, Images(tool, {}, str, str), str)
    with pytest.raises(ImageError, match="image:1"):
        images.environment(FUNCTION)


# -- refuse_missing_images


def test_a_function_whose_image_is_missing_is_refused(stock: Client, patched: Client) -> None:
    missing = f"{REGISTRY}/missing:1"
    create_image_function(stock, "missing", missing)
    with pytest.raises(ClientError, match=f"Source image {missing} does not exist"):
        create_image_function(patched, "missing", missing)


def test_an_update_to_a_missing_image_is_refused(with_stand_in: Client) -> None:
    create_image_function(with_stand_in, "updated")
    with pytest.raises(ClientError, match="does not exist"):
        with_stand_in("lambda").update_function_code(FunctionName="updated", ImageUri=f"{REGISTRY}/missing:1")
    assert invoke(with_stand_in, "updated")[1] == "first"


def test_a_stack_whose_image_is_missing_is_not_created(patched: Client) -> None:
    role = {"AssumeRolePolicyDocument": json.loads(trust_policy({"Service": "lambda.amazonaws.com"}))}
    function = {
        "PackageType": "Image",
        "Code": {"ImageUri": f"{REGISTRY}/missing:1"},
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
    }
    resources = {"Role": ("AWS::IAM::Role", role), "Function": ("AWS::Lambda::Function", function)}
    with pytest.raises(WaiterError):
        deploy_stack(patched, "missing-image", resources, Capabilities=["CAPABILITY_IAM"])
    events = patched("cloudformation").describe_stack_events(StackName="missing-image")["StackEvents"]
    assert any("does not exist" in event.get("ResourceStatusReason", "") for event in events)
