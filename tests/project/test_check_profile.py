"""`make deploy` checks the profile first. It must not replace a stack of the production profile by a sandbox stack."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from scripts import check_profile

PROFILES_OF_STACKS = {
    "compute-thumbnail": "production",
    "compute-cron": "sandbox",
    "mine-api": "sandbox",
    "compute-other": None,
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
        }
        for name, profile in PROFILES_OF_STACKS.items()
    ]
    stub = Stubber(client)
    stub.add_response("describe_stacks", {"Stacks": stacks})
    stub.activate()
    monkeypatch.setattr(boto3, "client", lambda _service: client)


def exit_code(monkeypatch: pytest.MonkeyPatch, prefix: str, profile: str) -> Any:
    monkeypatch.setattr("sys.argv", ["check_profile", "--prefix", prefix, "--profile", profile])
    with pytest.raises(SystemExit) as ended:
        check_profile.main()
    return ended.value.code


@pytest.mark.usefixtures("fake_account")
def test_a_deployed_stack_with_another_profile_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, "compute", "sandbox") == 1
    errors = capsys.readouterr().err
    assert "compute-thumbnail is deployed with the profile production" in errors
    assert "make deploy PROFILE=production" in errors
    assert "compute-cron" not in errors


@pytest.mark.usefixtures("fake_account")
@pytest.mark.parametrize(("prefix", "profile"), [("mine", "sandbox"), ("new", "production")])
def test_the_same_profile_or_a_new_prefix_is_allowed(
    monkeypatch: pytest.MonkeyPatch, prefix: str, profile: str
) -> None:
    assert exit_code(monkeypatch, prefix, profile) == 0


def test_without_credentials_the_error_suggests_a_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # the default session has the credentials of other tests
    assert "Unable to locate credentials). Try: aws configure" in exit_code(monkeypatch, "compute", "sandbox")
