"""A sandbox is not deployed over production by mistake."""

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from scripts import check_profile

DEPLOYED = {"compute-thumbnail": "production", "compute-cron": "sandbox", "mine-api": "sandbox", "compute-other": None}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account with these stacks; one is not ours, and has no such tag."""
    client = boto3.client(
        "cloudformation", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    stub = Stubber(client)
    stacks = [
        {
            "StackName": name,
            "CreationTime": datetime(2026, 11, 21, tzinfo=UTC),
            "StackStatus": "CREATE_COMPLETE",
            "Tags": [{"Key": "profile", "Value": profile}] if profile else [],
        }
        for name, profile in DEPLOYED.items()
    ]
    for _ in range(2):
        stub.add_response("describe_stacks", {"Stacks": stacks})
    stub.activate()
    monkeypatch.setattr(boto3, "client", lambda _service: client)


def run(monkeypatch: pytest.MonkeyPatch, *options: str) -> Any:
    monkeypatch.setattr("sys.argv", ["check_profile", *options])
    with pytest.raises(SystemExit) as exit_:
        check_profile.main()
    return exit_.value.code


@pytest.mark.usefixtures("account")
def test_another_profile_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--prefix", "compute", "--profile", "sandbox") == 1
    said = capsys.readouterr().err
    assert "compute-thumbnail is deployed with the profile production" in said
    assert "make deploy PROFILE=production" in said
    assert "compute-cron" not in said


@pytest.mark.usefixtures("account")
def test_the_same_profile_and_other_prefixes_are_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "--prefix", "mine", "--profile", "sandbox") == 0
    assert run(monkeypatch, "--prefix", "new", "--profile", "production") == 0


def test_without_credentials_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials of other tests
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert "Unable to locate credentials); try: aws configure" in run(
        monkeypatch, "--prefix", "compute", "--profile", "sandbox"
    )
