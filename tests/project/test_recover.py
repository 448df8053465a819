"""These tests run `make recover`, which deletes a stack whose first deployment failed, and keeps all data.

The tests deploy small stacks into the local AWS, a program that imitates AWS on this machine.
"""

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from scripts import recover as recover_module
from scripts.recover import RecoveryError, recover
from tests.support.deployment import ClientFactory

pytestmark = pytest.mark.local
TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "DeletionPolicy": "Retain",
    "Properties": {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "DeletionProtectionEnabled": True,
    },
}
STORES: dict[str, Any] = {
    "Notes": TABLE,
    "Uploads": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"},
    "Letters": {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain"},
    "Logs": {"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "Retain"},
    "Images": {"Type": "AWS::ECR::Repository", "DeletionPolicy": "Retain"},
    "Users": {
        "Type": "AWS::Cognito::UserPool",
        "DeletionPolicy": "Retain",
        "Properties": {"UserPoolName": "people", "DeletionProtection": "ACTIVE"},
    },
}
BALANCER = {
    "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "Properties": {"LoadBalancerAttributes": [{"Key": "deletion_protection.enabled", "Value": "true"}]},
}
stack_names = (f"compute-{number}" for number in itertools.count())


@pytest.fixture(autouse=True)
def wait_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recover_module, "POLL_SECONDS", 0)


def fail_deployment(client: ClientFactory, resources: Any, **options: Any) -> tuple[str, dict[str, str]]:
    """Deploy the resources and one that fails. Return the name of the stack, and the physical ids by logical id."""
    name, cloudformation = next(stack_names), client("cloudformation")
    failing_resource = {
        "Type": "AWS::SQS::Queue",
        "DependsOn": list(resources),
        "Properties": {"QueueName": "standard.fifo"},  # a FIFO queue can have this name, a standard queue cannot
    }
    body = json.dumps({"Resources": {**resources, "Failing": failing_resource}})
    cloudformation.create_stack(StackName=name, TemplateBody=body, EnableTerminationProtection=True, **options)
    while status(client, name).endswith("_IN_PROGRESS"):
        time.sleep(0.05)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    return name, {
        event["LogicalResourceId"]: event["PhysicalResourceId"]
        for event in events
        if event["ResourceStatus"] == "CREATE_COMPLETE"
    }


def status(client: ClientFactory, name: str) -> str:
    """Return the status of a stack, or an empty string if it does not exist."""
    stacks = client("cloudformation").describe_stacks()["Stacks"]
    return next((stack["StackStatus"] for stack in stacks if stack["StackName"] == name), "")


def existing_ids(client: ClientFactory) -> set[str]:
    """Return the physical ids of all stores and load balancers."""
    return {
        *client("dynamodb").list_tables()["TableNames"],
        *(bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]),
        *client("sqs").list_queues().get("QueueUrls", []),
        *(group["logGroupName"] for group in client("logs").describe_log_groups()["logGroups"]),
        *(repository["repositoryName"] for repository in client("ecr").describe_repositories()["repositories"]),
        *(pool["Id"] for pool in client("cognito-idp").list_user_pools(MaxResults=60)["UserPools"]),
        *(balancer["LoadBalancerArn"] for balancer in client("elbv2").describe_load_balancers()["LoadBalancers"]),
    }


def confirm_all(questions: list[str]) -> Callable[[str], bool]:
    """Return a function that adds each question to the list, and answers yes."""

    def confirm(question: str) -> bool:
        questions.append(question)
        return True

    return confirm


def test_empty_stores_are_deleted(empty_aws: ClientFactory, capsys: pytest.CaptureFixture[str]) -> None:
    name, ids = fail_deployment(empty_aws, STORES)
    assert status(empty_aws, name) == "ROLLBACK_COMPLETE"
    assert existing_ids(empty_aws) >= set(ids.values()), "Retain keeps the stores even after a failed creation"
    questions: list[str] = []
    recover(empty_aws, name, confirm_all(questions))
    assert not existing_ids(empty_aws) & set(ids.values())
    assert status(empty_aws, name) == ""
    assert all(physical_id in questions[0] for physical_id in ids.values())
    assert "It keeps" not in questions[0]
    assert f"{name} is deleted. Next: make deploy STACK={name}" in capsys.readouterr().out


def test_stores_with_data_are_kept(empty_aws: ClientFactory, capsys: pytest.CaptureFixture[str]) -> None:
    name, ids = fail_deployment(empty_aws, STORES)
    empty_aws("dynamodb").put_item(TableName=ids["Notes"], Item={"id": {"S": "1"}})
    empty_aws("s3").put_object(Bucket=ids["Uploads"], Key="a.jpg", Body=b"x")
    empty_aws("sqs").send_message(QueueUrl=ids["Letters"], MessageBody="x")
    empty_aws("logs").create_log_stream(logGroupName=ids["Logs"], logStreamName="x")
    empty_aws("ecr").put_image(repositoryName=ids["Images"], imageTag="1", imageManifest="{}")
    empty_aws("cognito-idp").admin_create_user(UserPoolId=ids["Users"], Username="anna", MessageAction="SUPPRESS")
    recover(empty_aws, name, confirm_all([]))
    assert existing_ids(empty_aws) >= set(ids.values())
    assert status(empty_aws, name) == ""
    pool = empty_aws("cognito-idp").describe_user_pool(UserPoolId=ids["Users"])["UserPool"]
    assert pool["DeletionProtection"] == "ACTIVE"
    table = empty_aws("dynamodb").describe_table(TableName=ids["Notes"])["Table"]
    assert table["DeletionProtectionEnabled"] is True
    printed = capsys.readouterr().out
    assert all(f"    kept: {STORES[key]['Type']} {ids[key]}" in printed for key in STORES)


def test_a_log_bucket_with_only_the_test_file_is_deleted(empty_aws: ClientFactory) -> None:
    name, ids = fail_deployment(empty_aws, {"AccessLogs": STORES["Uploads"]})
    key = "AWSLogs/123456789012/ELBAccessLogTestFile"
    empty_aws("s3").put_object(Bucket=ids["AccessLogs"], Key=key, Body=b"Enable AccessLog for ELB")
    recover(empty_aws, name, confirm_all([]))
    assert ids["AccessLogs"] not in existing_ids(empty_aws)


def test_a_protected_load_balancer_is_deleted(empty_aws: ClientFactory) -> None:
    name, ids = fail_deployment(empty_aws, {"Balancer": BALANCER})
    assert status(empty_aws, name) == "ROLLBACK_FAILED"
    recover(empty_aws, name, confirm_all([]))
    assert status(empty_aws, name) == ""
    assert ids["Balancer"] not in existing_ids(empty_aws)


def test_resources_of_a_stack_without_rollback_are_deleted(empty_aws: ClientFactory) -> None:
    name, ids = fail_deployment(empty_aws, {**STORES, "Balancer": BALANCER}, DisableRollback=True)
    assert status(empty_aws, name) == "CREATE_FAILED"
    recover(empty_aws, name, confirm_all([]))
    assert status(empty_aws, name) == ""
    assert not existing_ids(empty_aws) & set(ids.values())


def test_a_bucket_that_prevents_the_deletion_of_its_stack_is_kept(empty_aws: ClientFactory) -> None:
    name, ids = fail_deployment(empty_aws, {"Uploads": {"Type": "AWS::S3::Bucket"}}, DisableRollback=True)
    empty_aws("s3").put_object(Bucket=ids["Uploads"], Key="a.jpg", Body=b"x")
    with pytest.raises(RecoveryError, match=f"CloudFormation could not delete {name}"):
        recover(empty_aws, name, confirm_all([]))
    assert status(empty_aws, name) == "DELETE_FAILED"
    recover(empty_aws, name, confirm_all([]))
    assert status(empty_aws, name) == ""
    assert ids["Uploads"] in existing_ids(empty_aws)


def test_a_stack_with_only_a_change_set_is_deleted(empty_aws: ClientFactory) -> None:
    """A deployment that is interrupted can leave such a stack."""
    body = json.dumps({"Resources": STORES})
    options = {"StackName": "reviewed", "ChangeSetName": "first", "ChangeSetType": "CREATE", "TemplateBody": body}
    empty_aws("cloudformation").create_change_set(**options)
    assert status(empty_aws, "reviewed") == "REVIEW_IN_PROGRESS"
    recover(empty_aws, "reviewed", confirm_all([]))
    assert status(empty_aws, "reviewed") == ""


def test_nothing_changes_without_a_confirmation(empty_aws: ClientFactory) -> None:
    name, ids = fail_deployment(empty_aws, STORES)
    with pytest.raises(RecoveryError, match="nothing was changed"):
        recover(empty_aws, name, lambda _: False)
    assert status(empty_aws, name) == "ROLLBACK_COMPLETE"
    assert existing_ids(empty_aws) >= set(ids.values())


def test_a_working_stack_is_refused(empty_aws: ClientFactory) -> None:
    cloudformation = empty_aws("cloudformation")
    cloudformation.create_stack(StackName="works", TemplateBody=json.dumps({"Resources": {"Notes": TABLE}}))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="works", WaiterConfig={"Delay": 1})
    with pytest.raises(RecoveryError, match="works has the status CREATE_COMPLETE, so `make deploy` works without"):
        recover(empty_aws, "works", confirm_all([]))
    assert status(empty_aws, "works") == "CREATE_COMPLETE"


def test_a_missing_stack_is_reported(empty_aws: ClientFactory) -> None:
    with pytest.raises(RecoveryError, match="compute-missing does not exist in this account and region"):
        recover(empty_aws, "compute-missing", confirm_all([]))


@pytest.mark.parametrize(("answer", "error"), [("compute-x", None), ("yes", "nothing was changed")])
def test_the_command_asks_for_the_name_of_the_stack(
    empty_aws: ClientFactory, monkeypatch: pytest.MonkeyPatch, answer: str, error: str | None
) -> None:
    name, _ = fail_deployment(empty_aws, {})
    monkeypatch.setattr(recover_module, "_client", empty_aws)
    monkeypatch.setattr("sys.argv", ["recover", name])
    monkeypatch.setattr("builtins.input", lambda _: answer.replace("compute-x", name))
    if error:
        with pytest.raises(SystemExit, match=error):
            recover_module.main()
    else:
        recover_module.main()
    assert (status(empty_aws, name) == "") is (error is None)
