"""`make recover` brings a failed first deployment back to where `make deploy` works, and keeps all data."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.cloudformation.models import cloudformation_backends

from scripts.recover import RecoveryError, recover

NAME = "compute-api"
ACCOUNT, REGION = "123456789012", "us-east-1"
TEMPLATE = {
    "Resources": {
        "Notes": {
            "Type": "AWS::DynamoDB::Table",
            "DeletionPolicy": "Retain",
            "Properties": {
                "TableName": "notes",
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "DeletionProtectionEnabled": True,
            },
        },
        "Uploads": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "Properties": {"BucketName": "compute-api-uploads"},
        },
        "Letters": {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain", "Properties": {"QueueName": "letters"}},
    }
}


@pytest.fixture
def client() -> Iterator[Callable[[str], Any]]:
    with mock_aws():
        session = boto3.Session("test", "test", region_name=REGION)
        cloudformation = session.client("cloudformation")
        cloudformation.create_stack(StackName=NAME, TemplateBody=json.dumps(TEMPLATE), EnableTerminationProtection=True)
        session.client("dynamodb").update_table(TableName="notes", DeletionProtectionEnabled=True)
        yield lambda service: session.client(service)  # type: ignore[call-overload] # any service


def set_status(status: str) -> None:
    (stack,) = cloudformation_backends[ACCOUNT][REGION].stacks.values()
    stack.status = status


def existing(client: Callable[[str], Any]) -> set[str]:
    """Return the names of the stack and of its resources that still exist."""
    stacks = client("cloudformation").list_stacks(StackStatusFilter=["CREATE_COMPLETE", "ROLLBACK_COMPLETE"])
    return {
        *(stack["StackName"] for stack in stacks["StackSummaries"]),
        *client("dynamodb").list_tables()["TableNames"],
        *(bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]),
        *(url.rpartition("/")[2] for url in client("sqs").list_queues().get("QueueUrls", [])),
    }


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"])
def test_an_empty_failed_stack_is_deleted_with_everything(client: Callable[[str], Any], status: str) -> None:
    set_status(status)
    asked: list[str] = []

    def confirm(text: str) -> bool:
        asked.append(text)
        return True

    recover(client, NAME, confirm)
    assert existing(client) == set()
    assert "AWS::DynamoDB::Table notes" in asked[0]
    assert "It keeps" not in asked[0]


def test_stores_with_data_are_kept_and_listed(client: Callable[[str], Any], capsys: pytest.CaptureFixture[str]) -> None:
    client("dynamodb").put_item(TableName="notes", Item={"id": {"S": "1"}})
    client("s3").put_object(Bucket="compute-api-uploads", Key="a.jpg", Body=b"x")
    set_status("ROLLBACK_COMPLETE")
    recover(client, NAME, lambda _: True)
    assert existing(client) == {"notes", "compute-api-uploads"}
    assert client("dynamodb").describe_table(TableName="notes")["Table"]["DeletionProtectionEnabled"] is True
    assert "kept: AWS::DynamoDB::Table notes" in capsys.readouterr().out


def test_nothing_changes_without_a_confirmation(client: Callable[[str], Any]) -> None:
    set_status("ROLLBACK_COMPLETE")
    before = existing(client)
    with pytest.raises(RecoveryError, match="nothing was changed"):
        recover(client, NAME, lambda _: False)
    assert existing(client) == before


def test_a_working_stack_is_refused(client: Callable[[str], Any]) -> None:
    with pytest.raises(RecoveryError, match="CREATE_COMPLETE: there is nothing to recover"):
        recover(client, NAME, lambda _: True)
    assert NAME in existing(client)


def test_a_missing_stack_is_reported(client: Callable[[str], Any]) -> None:
    with pytest.raises(RecoveryError, match="there is no stack compute-cron"):
        recover(client, "compute-cron", lambda _: True)
