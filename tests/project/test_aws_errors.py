"""These tests check the error messages of commands that cannot use AWS: no credentials, no region, no network."""

import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from scripts import check_profile, recover, submit
from scripts.aws_errors import explain
from scripts.doctor import __main__ as doctor
from tests.support import deployment

COMMANDS: dict[str, tuple[Any, list[str]]] = {
    "check_profile": (check_profile.main, ["-c", "prefix=compute", "--profile", "sandbox"]),
    "recover": (recover.main, ["compute-api"]),
    "submit": (submit.main, []),
    "doctor": (doctor.main, []),
}
"""The main function of each command that asks AWS, and its arguments."""


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # the default session has the credentials of other tests
    monkeypatch.setattr(doctor, "_stacks", lambda *_: [])  # the doctor needs no templates to find these problems


def output(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str) -> str:
    """Run a command, which must fail. Return its standard output and its error message."""
    main, arguments = COMMANDS[command]
    monkeypatch.setattr(sys, "argv", [command, *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code not in (None, 0)
    return f"{capsys.readouterr().out}{ended.value.code}"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "Unable to locate credentials"),
        ({"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "id"}, "Partial credentials found in env"),
        ({"AWS_DEFAULT_REGION": "us-east-1", "AWS_PROFILE": "work"}, "The config profile (work) could not be found"),
    ],
    ids=["none", "half", "profile"],
)
def test_without_credentials_a_command_suggests_to_configure_them(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    variables: dict[str, str],
    problem: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    text = output(monkeypatch, capsys, command)
    assert f"cannot use an AWS account ({problem}" in text
    assert "aws configure" in text


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("check_profile", "cannot use an AWS account (You must specify a region.). Try: aws configure"),
        ("recover", "cannot use an AWS account (You must specify a region.). Try: aws configure"),
        ("submit", "cannot use an AWS account (You must specify a region.). Try: aws configure"),
        ("doctor", "no region is set | export AWS_REGION=eu-west-1, or: aws configure"),
    ],
)
def test_without_a_region_the_credentials_are_not_blamed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, problem: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    assert problem in output(monkeypatch, capsys, command)


def test_the_smoke_tests_explain_missing_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    expected = r"cannot use an AWS account \(Unable to locate credentials\)\. Try: aws configure"
    with pytest.raises(pytest.exit.Exception, match=expected):
        deployment._deployment_in_account("compute")


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeStacks")


@pytest.mark.parametrize(
    ("error", "beginning", "remedy"),
    [
        (client_error("ExpiredToken"), "AWS does not accept the credentials (", ". Try: aws configure"),
        (
            client_error("UnrecognizedClientException"),
            "AWS does not accept the credentials (",
            ". Try: aws configure, or enable the region in the account",
        ),
        (client_error("AccessDenied"), "AWS refused a request (", "(AccessDenied) when calling the DescribeStacks"),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://sts.nowhere-1.amazonaws.com"),
            "cannot reach AWS (",
            ". Try: check the network and the name of the region",
        ),
        (
            exceptions.ReadTimeoutError(endpoint_url="https://sts.us-east-1.amazonaws.com"),
            "cannot reach AWS (",
            ". Try: check the network and the name of the region",
        ),
        (
            exceptions.WaiterError(name="TableExists", reason="Max attempts exceeded", last_response={}),
            "AWS refused a request (Waiter TableExists failed",
            "",
        ),
    ],
)
def test_the_advice_fits_the_error(error: BotoCoreError | ClientError, beginning: str, remedy: str) -> None:
    text = explain(error)
    assert text.startswith(beginning)
    assert remedy in text
    assert ("aws configure" in text) is ("aws configure" in remedy)
    assert "\n" not in text
