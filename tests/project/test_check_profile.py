"""These tests run the check with which `make deploy` begins.

It compares the profile and the processor type of deployed stacks with the new profile and processor type.
"""

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from scripts import check_profile
from tests.support.apps import template_with

ARM_AMI_PARAMETER = {
    "ParameterKey": "SsmParameterValue",
    "ParameterValue": "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id",
}
PROFILES_OF_STACKS = {
    "compute-thumbnail": "production",
    "compute-cron": "sandbox",
    "mine-api": "sandbox",
    "compute-other": None,
    "old-api": "prod",
    "arm-ecs-ec2": "sandbox",
}
"""The stacks in the account and their profile tags. One stack belongs to another project and has no profile tag."""


@pytest.fixture
def fake_account(monkeypatch: pytest.MonkeyPatch) -> None:
    client = boto3.client(
        "cloudformation", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    stacks = [
        {
            "StackName": name,
            "CreationTime": datetime(2026, 11, 21, tzinfo=UTC),
            "StackStatus": "CREATE_COMPLETE",
            "Tags": [{"Key": "profile", "Value": profile}] if profile else [],
            "Parameters": [ARM_AMI_PARAMETER] if name == "arm-ecs-ec2" else [],
        }
        for name, profile in PROFILES_OF_STACKS.items()
    ]
    stub = Stubber(client)
    stub.add_response("describe_stacks", {"Stacks": stacks})
    stub.activate()
    monkeypatch.setattr(boto3, "client", lambda _service: client)


def exit_code(monkeypatch: pytest.MonkeyPatch, prefix: str, profile: str, *options: str) -> Any:
    monkeypatch.setattr("sys.argv", ["check_profile", "-c", f"prefix={prefix}", "--profile", profile, *options])
    with pytest.raises(SystemExit) as ended:
        check_profile.main()
    return ended.value.code


@pytest.mark.usefixtures("fake_account")
def test_a_deployed_stack_with_another_profile_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, "compute", "sandbox") == 1
    errors = capsys.readouterr().err
    assert "error: compute-thumbnail is deployed with the profile production, not sandbox\n" in errors
    assert "make deploy PROFILE=production, or deploy beside it: make deploy PROFILE=sandbox PREFIX=mine" in errors
    assert "compute-cron" not in errors


@pytest.mark.usefixtures("fake_account")
def test_the_error_recommends_no_profile_that_does_not_exist(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, "old", "sandbox") == 1
    errors = capsys.readouterr().err
    assert "old-api is deployed with the profile prod, not sandbox\n       add the profile prod to config.py" in errors
    assert "PROFILE=prod" not in errors


@pytest.mark.usefixtures("fake_account")
@pytest.mark.parametrize(("prefix", "profile"), [("mine", "sandbox"), ("new", "production")])
def test_the_same_profile_or_a_new_prefix_is_allowed(
    monkeypatch: pytest.MonkeyPatch, prefix: str, profile: str
) -> None:
    assert exit_code(monkeypatch, prefix, profile) == 0


@pytest.mark.usefixtures("fake_account")
@pytest.mark.parametrize("stack", ["--stack=--all", "--stack=arm-*"])
def test_another_processor_type_of_deployed_instances_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stack: str
) -> None:
    assert exit_code(monkeypatch, "arm", "sandbox", stack, "-c", "architecture=x86_64") == 1
    errors = capsys.readouterr().err
    assert "arm-ecs-ec2 has instances of the type arm64, and their tasks cannot move to x86_64" in errors
    assert "make destroy STACK=arm-ecs-ec2" in errors


@pytest.mark.usefixtures("fake_account")
@pytest.mark.parametrize(
    "options", [(), ("--stack=arm-batch", "-c", "architecture=x86_64")], ids=["same", "other stack"]
)
def test_the_same_processor_type_or_another_stack_is_allowed(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    assert exit_code(monkeypatch, "arm", "sandbox", *options) == 0


def test_the_ecs_ec2_stack_has_a_parameter_with_its_processor_type() -> None:
    for architecture in ("arm64", "x86_64"):
        template = template_with("ecs_ec2", architecture=architecture)
        parameters = [{"ParameterValue": parameter["Default"]} for parameter in template["Parameters"].values()]
        stack: Any = {"StackName": "ecs-ec2", "Parameters": parameters}
        assert [*check_profile.architecture_errors([stack], architecture)] == []
        assert len([*check_profile.architecture_errors([stack], "other")]) == 1


def test_a_bad_setting_is_an_error_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exit_code(monkeypatch, "compute", "sandbox", "-c", "architecture=arm").startswith("error: architecture: ")
