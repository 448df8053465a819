"""Bring a failed stack back to where `make deploy` works: `python -m scripts.recover compute-ecs-ec2`.

A first deployment that fails leaves a stack that CloudFormation cannot update. In production the stack is protected from
deletion, and so are its load balancer and its tables. This command removes the protection and deletes the stack. Then it
deletes retained resources if they are empty. It keeps everything that holds data.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

NEVER_WORKED = ("REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
"""Statuses after a failed first deployment."""
HALF_DELETED = ("DELETE_FAILED",)
HALF_UPDATED = ("UPDATE_ROLLBACK_FAILED",)


class RecoveryError(Exception):
    """The stack cannot be recovered. The message says why, and what to do."""


Client = Callable[[str], Any]


@dataclass(frozen=True)
class Store:
    """A kind of resource that may be retained: how to see that it is empty, and how to delete it."""

    is_empty: Callable[[Client, str], bool]
    delete: Callable[[Client, str], object]


def _table_is_empty(client: Client, name: str) -> bool:
    return not client("dynamodb").scan(TableName=name, Limit=1)["Count"]


def _delete_table(client: Client, name: str) -> None:
    client("dynamodb").update_table(TableName=name, DeletionProtectionEnabled=False)
    client("dynamodb").delete_table(TableName=name)


def _bucket_is_empty(client: Client, name: str) -> bool:
    found = client("s3").list_object_versions(Bucket=name, MaxKeys=1)
    return not found.get("Versions") and not found.get("DeleteMarkers")


def _queue_is_empty(client: Client, url: str) -> bool:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    numbers = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return not any(map(int, numbers.values()))


def _log_group_is_empty(client: Client, name: str) -> bool:
    return not client("logs").describe_log_streams(logGroupName=name, limit=1)["logStreams"]


STORES: Mapping[str, Store] = {
    "AWS::DynamoDB::Table": Store(_table_is_empty, _delete_table),
    "AWS::ECR::Repository": Store(
        lambda client, name: not client("ecr").list_images(repositoryName=name, maxResults=1)["imageIds"],
        lambda client, name: client("ecr").delete_repository(repositoryName=name),
    ),
    "AWS::Logs::LogGroup": Store(
        _log_group_is_empty, lambda client, name: client("logs").delete_log_group(logGroupName=name)
    ),
    "AWS::S3::Bucket": Store(_bucket_is_empty, lambda client, name: client("s3").delete_bucket(Bucket=name)),
    "AWS::SQS::Queue": Store(_queue_is_empty, lambda client, url: client("sqs").delete_queue(QueueUrl=url)),
}
"""The stores of the examples that production retains. Lightsail's are named and therefore deleted with their stack."""


@dataclass(frozen=True)
class Resource:
    """A resource of the stack that still exists."""

    logical_id: str
    kind: str
    physical_id: str

    def __str__(self) -> str:
        return f"{self.kind} {self.physical_id}"


def recover(client: Client, name: str, confirm: Callable[[str], bool]) -> None:
    """Recover a stack. `confirm` shows a text to the person and returns whether to go on. Raises RecoveryError."""
    cloudformation = client("cloudformation")
    status = _status(cloudformation, name)
    if status in HALF_UPDATED:
        cloudformation.continue_update_rollback(StackName=name)
        cloudformation.get_waiter("stack_rollback_complete").wait(StackName=name)
        print(f"{name} is rolled back to its last working state. Next: make deploy")
        return
    if status not in (*NEVER_WORKED, *HALF_DELETED):
        raise RecoveryError(f"{name} has the status {status}: there is nothing to recover")
    resources = list(_resources(cloudformation, name))
    empty = [each for each in resources if each.kind in STORES and STORES[each.kind].is_empty(client, each.physical_id)]
    kept = [each for each in resources if each.kind in STORES and each not in empty]
    deleted = [each for each in resources if each not in kept]
    question = "\n".join(
        [f"{name} has the status {status}. This command deletes the stack and:", *(f"    {each}" for each in deleted)]
        + (["It keeps, because they hold data:", *(f"    {each}" for each in kept)] if kept else [])
    )
    if not confirm(question):
        raise RecoveryError("nothing was changed")
    _unprotect(client, name, resources, empty)
    _delete(cloudformation, name, kept, has_failed_before=status in HALF_DELETED)
    _delete_retained(client, empty)
    print(f"{name} is deleted. Next: make deploy")
    for each in kept:
        print(f"    kept: {each}")


def _status(cloudformation: Any, name: str) -> str:
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            raise RecoveryError(f"there is no stack {name} in this account and region") from error
        raise
    return str(stack["StackStatus"])


def _resources(cloudformation: Any, name: str) -> Iterator[Resource]:
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name):
        for each in page["StackResourceSummaries"]:
            if each.get("PhysicalResourceId") and each["ResourceStatus"] != "DELETE_COMPLETE":
                yield Resource(each["LogicalResourceId"], each["ResourceType"], each["PhysicalResourceId"])


def _unprotect(client: Client, name: str, resources: list[Resource], empty: list[Resource]) -> None:
    client("cloudformation").update_termination_protection(StackName=name, EnableTerminationProtection=False)
    for each in resources:
        if each.kind == "AWS::ElasticLoadBalancingV2::LoadBalancer":
            attribute = {"Key": "deletion_protection.enabled", "Value": "false"}
            client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=each.physical_id, Attributes=[attribute])
        elif each.kind == "AWS::DynamoDB::Table" and each in empty:
            client("dynamodb").update_table(TableName=each.physical_id, DeletionProtectionEnabled=False)


def _delete(cloudformation: Any, name: str, kept: list[Resource], *, has_failed_before: bool) -> None:
    # CloudFormation accepts a list of resources to retain only for a stack whose deletion has failed.
    retained = {"RetainResources": [each.logical_id for each in kept]} if has_failed_before and kept else {}
    cloudformation.delete_stack(StackName=name, **retained)
    print(f"deleting {name} …", flush=True)
    try:
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name)
    except WaiterError as error:
        raise RecoveryError(
            f"CloudFormation could not delete {name}. The console shows the reason under Events; then try again"
        ) from error


def _delete_retained(client: Client, empty: list[Resource]) -> None:
    for each in empty:
        try:
            STORES[each.kind].delete(client, each.physical_id)
        except ClientError as error:
            if "NotFound" in error.response["Error"]["Code"] or "NoSuch" in error.response["Error"]["Code"]:
                continue  # the stack has deleted it
            if error.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue":
                continue
            raise


def main() -> None:
    """Recover the stack that the command line names. Exit with 1 and an explanation if that is impossible."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.recover", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stack", help="the name of the failed stack")
    name = parser.parse_args().stack

    def confirm(text: str) -> bool:
        print(text)
        return input(f"To go on, type the name of the stack ({name}): ") == name

    try:
        recover(_client, name, confirm)
    except (RecoveryError, BotoCoreError, ClientError) as error:
        sys.exit(f"error: {error}")


def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload] # any service


if __name__ == "__main__":
    main()
