"""Tests of the patches with which CloudFormation refuses templates and deletions, and of the test file of access logs.

Each test compares the stock engine (ministack without the patches) with the patched engine. The test fails if a patch
does not work or is no longer necessary.
"""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import Client

REFUSED_QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "standard.fifo"}}
"""A queue that SQS refuses to create, because only a FIFO queue can have this name."""
TABLE = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}


def status_of(cloudformation: Any, stack_id: str) -> str:
    return str(cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"])


def change_stack(client: Client, operation: str, stack: str, resources: Any = None) -> tuple[str, list[str]]:
    """Create, update or delete a stack. Return the stack's status, and the reasons of failures, newest first."""
    cloudformation = client("cloudformation")
    template = {"TemplateBody": json.dumps({"Resources": resources})} if resources else {}
    if operation == "delete":
        stack_id = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
        cloudformation.delete_stack(StackName=stack)
    else:
        stack_id = getattr(cloudformation, f"{operation}_stack")(StackName=stack, **template)["StackId"]
    while (status := status_of(cloudformation, stack_id)).endswith("_IN_PROGRESS"):
        time.sleep(0.05)
    events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    return status, [event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"]]


def test_a_protected_stack_is_not_deleted(stock: Client) -> None:
    """The stock engine already refuses the deletion, so there is no patch."""
    template = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    stock("cloudformation").create_stack(StackName="kept", TemplateBody=template, EnableTerminationProtection=True)
    with pytest.raises(ClientError, match="cannot be deleted while TerminationProtection is enabled"):
        stock("cloudformation").delete_stack(StackName="kept")


def delete_full_bucket(client: Client) -> tuple[str, list[str]]:
    """Delete a stack whose bucket has an object. Return the stack's status and the reasons of failures."""
    change_stack(
        client, "create", "full", {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "full"}}}
    )
    client("s3").put_object(Bucket="full", Key="a", Body=b"a")
    return change_stack(client, "delete", "full")


def test_a_bucket_with_objects_is_not_deleted(stock: Client, patched: Client) -> None:
    assert delete_full_bucket(stock)[0] == "DELETE_COMPLETE"
    status, reasons = delete_full_bucket(patched)
    assert status == "DELETE_FAILED"
    assert "The bucket you tried to delete is not empty" in reasons[-1]
    patched("s3").delete_object(Bucket="full", Key="a")
    assert change_stack(patched, "delete", "full")[0] == "DELETE_COMPLETE"


def delete_protected_table(client: Client) -> tuple[str, list[str]]:
    """Delete a stack with a protected table. Return the stack's status and the reasons of failures."""
    properties = {**TABLE, "DeletionProtectionEnabled": True}
    change_stack(client, "create", "table", {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": properties}})
    return change_stack(client, "delete", "table")


def test_a_protected_table_is_not_deleted(stock: Client, patched: Client) -> None:
    assert delete_protected_table(stock)[0] == "DELETE_COMPLETE"
    status, reasons = delete_protected_table(patched)
    assert status == "DELETE_FAILED"
    assert "protected against deletion" in reasons[-1]


def create_and_roll_back_protected_balancer(client: Client) -> str:
    """Create a stack with a protected load balancer and a resource that fails. Return the status of the stack."""
    protection = {"Key": "deletion_protection.enabled", "Value": "true"}
    balancer = {
        "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "Properties": {"Name": "protected", "LoadBalancerAttributes": [protection]},
    }
    resources = {"Balancer": balancer, "Last": {**REFUSED_QUEUE, "DependsOn": "Balancer"}}
    return change_stack(client, "create", "balancer", resources)[0]


def load_balancer_arns(client: Client) -> list[str]:
    balancers = client("elbv2").describe_load_balancers()["LoadBalancers"]
    return [balancer["LoadBalancerArn"] for balancer in balancers]


def test_a_protected_load_balancer_is_not_deleted(stock: Client, patched: Client) -> None:
    assert create_and_roll_back_protected_balancer(stock) == "ROLLBACK_COMPLETE"
    assert load_balancer_arns(stock) == []
    others = load_balancer_arns(patched)  # other tests use the same engine
    assert create_and_roll_back_protected_balancer(patched) == "ROLLBACK_FAILED"
    (arn,) = set(load_balancer_arns(patched)) - set(others)
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        patched("elbv2").delete_load_balancer(LoadBalancerArn=arn)
    status, reasons = change_stack(patched, "delete", "balancer")
    assert (status, arn in load_balancer_arns(patched)) == ("DELETE_FAILED", True)
    assert f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled" in reasons
    attribute = {"Key": "deletion_protection.enabled", "Value": "false"}
    patched("elbv2").modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[attribute])
    assert change_stack(patched, "delete", "balancer")[0] == "DELETE_COMPLETE"
    assert arn not in load_balancer_arns(patched)


def test_a_resource_remains_in_its_stack_if_a_rollback_cannot_delete_it(stock: Client, patched: Client) -> None:
    properties = {**TABLE, "DeletionProtectionEnabled": True}
    table = {"Type": "AWS::DynamoDB::Table", "Properties": properties}
    resources = {"Table": table, "Last": {**REFUSED_QUEUE, "DependsOn": "Table"}}
    assert change_stack(stock, "create", "left", resources)[0] == "ROLLBACK_COMPLETE"
    assert change_stack(patched, "create", "left", resources)[0] == "ROLLBACK_FAILED"
    (remaining_resource,) = patched("cloudformation").list_stack_resources(StackName="left")["StackResourceSummaries"]
    assert (remaining_resource["LogicalResourceId"], remaining_resource["ResourceStatus"]) == ("Table", "DELETE_FAILED")


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ({"Properties": {"TopicName": {"Ref": "Missing"}}}, "Unresolved resource dependencies [Missing] in the Reso"),
        ({"Properties": {"TopicName": {"Fn::Sub": "${Missing}"}}}, "Unresolved resource dependencies [Missing] in"),
        ({"DependsOn": ["Missing"]}, "Unresolved resource dependencies [Missing] in the Resources block"),
        ({"Properties": {"TopicName": {"Fn::GetAtt": ["Missing", "Arn"]}}}, "references undefined resource Missing"),
    ],
    ids=["Ref", "Fn::Sub", "DependsOn", "Fn::GetAtt"],
)
def test_a_reference_to_a_missing_resource_is_refused(
    stock: Client, patched: Client, resource: Any, message: str
) -> None:
    resources = {"Topic": {"Type": "AWS::SNS::Topic", **resource}}
    change_stack(stock, "create", "missing", resources)
    change_stack(stock, "delete", "missing")
    with pytest.raises(ClientError) as refusal:
        change_stack(patched, "create", "missing", resources)
    assert message in str(refusal.value)
    assert refusal.value.response["Error"]["Code"] == "ValidationError"


def rename_table(client: Client) -> tuple[str, list[str]]:
    """Deploy a table, and then the same table under another logical id. Return the result of the update."""
    table = {"Type": "AWS::DynamoDB::Table", "Properties": {**TABLE, "TableName": "notes"}}
    change_stack(client, "create", "renamed", {"Notes": table})
    return change_stack(client, "update", "renamed", {"NewNotes": table})


def test_a_resource_with_a_new_logical_id_and_the_old_name_is_refused(stock: Client, patched: Client) -> None:
    assert rename_table(stock)[0] == "UPDATE_COMPLETE"
    assert "notes" not in stock("dynamodb").list_tables()["TableNames"], "the engine has deleted the new table"
    status, reasons = rename_table(patched)
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert any(reason.startswith("notes already exists in stack arn:aws:cloudformation") for reason in reasons)
    assert "notes" in patched("dynamodb").list_tables()["TableNames"]


def log_files(client: Client) -> list[str]:
    """Deploy a load balancer with an access log. Return the keys in the bucket of the log."""
    client("s3").create_bucket(Bucket="access-logs")
    attributes = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "access-logs"}
    properties = {"LoadBalancerAttributes": [{"Key": key, "Value": value} for key, value in attributes.items()]}
    balancer = {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": properties}
    change_stack(client, "create", "logging", {"Balancer": balancer})
    change_stack(client, "delete", "logging")
    return [entry["Key"] for entry in client("s3").list_objects_v2(Bucket="access-logs").get("Contents", [])]


def test_a_load_balancer_writes_a_test_file_into_the_bucket_of_its_log(stock: Client, patched: Client) -> None:
    assert log_files(stock) == []
    assert log_files(patched) == ["AWSLogs/000000000000/ELBAccessLogTestFile"]
