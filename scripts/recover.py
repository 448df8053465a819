"""Delete a stack whose first deployment failed, so that `make deploy` works again: `make recover STACK=compute-api`.

CloudFormation cannot update such a stack, so the stack must be deleted first. In the sandbox, `make deploy` deletes it.
In production, the stack and its tables are protected from deletion. This command removes the protection of the stack
and deletes the stack. A store is a resource for data, such as a table. If a store remains and is empty, the command
deletes the store, too. If a store remains and has data, the command keeps the store. The command asks before it changes
anything.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from scripts.aws_errors import explain

NEVER_WORKED = ("REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
"""The statuses of a stack whose first deployment failed."""
DELETE_FAILED = "DELETE_FAILED"
"""The status of a stack, or of a resource, that CloudFormation could not delete."""
POLL_SECONDS = 10
"""Seconds between two checks whether the stack is deleted."""
MAX_POLLS = 360
"""Maximum number of checks. They last one hour. By then, CloudFormation has deleted the stack or has failed."""
TEST_FILE = "ELBAccessLogTestFile"
"""The name of the file that a load balancer writes into the bucket of its log when the log is turned on.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html"""
NOT_FOUND = ("NotFound", "NoSuch", "NonExistentQueue")
"""If an error code contains one of these words, then the service reports that a resource does not exist."""

Client = Callable[[str], Any]
"""Returns the boto3 client of a service."""


class RecoveryError(Exception):
    """The stack cannot be recovered. The message says why, and what to do."""


@dataclass(frozen=True)
class Resource:
    """A resource of the stack that may still exist."""

    logical_id: str
    kind: str
    physical_id: str
    status: str

    def __str__(self) -> str:
        return f"{self.kind} {self.physical_id}"


@dataclass(frozen=True)
class Plan:
    """The resources that still exist. Each list needs another action."""

    empty_stores: list[Resource]
    kept_stores: list[Resource]
    """Stores that hold data. The command keeps them."""
    others: list[Resource]
    """Resources that CloudFormation deletes together with the stack. In the sandbox, also stores with data are here."""


@dataclass(frozen=True)
class StoreKind:
    """The functions for one kind of store: the first checks whether a store is empty, the second deletes it."""

    is_empty: Callable[[Client, str], bool]
    delete: Callable[[Client, str], object]


# -- the kinds of stores


def _is_table_empty(client: Client, name: str) -> bool:
    return not client("dynamodb").scan(TableName=name, Limit=1)["Count"]


def _delete_table(client: Client, name: str) -> None:
    dynamodb = client("dynamodb")
    if dynamodb.describe_table(TableName=name)["Table"].get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
        dynamodb.get_waiter("table_exists").wait(TableName=name)  # a table that is being updated cannot be deleted
    dynamodb.delete_table(TableName=name)


def _objects(client: Client, bucket: str, limit: int) -> list[dict[str, str]]:
    answer = client("s3").list_object_versions(Bucket=bucket, MaxKeys=limit)
    return [
        {"Key": version["Key"], "VersionId": version["VersionId"]}
        for version in (*answer.get("Versions", []), *answer.get("DeleteMarkers", []))
    ]


def _is_bucket_empty(client: Client, name: str) -> bool:
    return all(version["Key"].endswith(f"/{TEST_FILE}") for version in _objects(client, name, limit=10))


def _delete_bucket(client: Client, name: str) -> None:
    for version in _objects(client, name, limit=10):
        if version["Key"].endswith(f"/{TEST_FILE}"):
            client("s3").delete_object(Bucket=name, **version)
    client("s3").delete_bucket(Bucket=name)


def _is_queue_empty(client: Client, url: str) -> bool:
    attributes = [f"ApproximateNumberOfMessages{suffix}" for suffix in ("", "NotVisible", "Delayed")]
    numbers = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=attributes)["Attributes"]
    return not any(map(int, numbers.values()))


def _is_log_group_empty(client: Client, name: str) -> bool:
    return not client("logs").describe_log_streams(logGroupName=name, limit=1)["logStreams"]


def _is_user_pool_empty(client: Client, pool: str) -> bool:
    return not client("cognito-idp").list_users(UserPoolId=pool, Limit=1)["Users"]


def _delete_user_pool(client: Client, pool: str) -> None:
    cognito = client("cognito-idp")
    cognito.update_user_pool(UserPoolId=pool, DeletionProtection="INACTIVE", AutoVerifiedAttributes=["email"])
    cognito.delete_user_pool(UserPoolId=pool)


STORES: Mapping[str, StoreKind] = {
    "AWS::Cognito::UserPool": StoreKind(_is_user_pool_empty, _delete_user_pool),
    "AWS::DynamoDB::Table": StoreKind(_is_table_empty, _delete_table),
    "AWS::ECR::Repository": StoreKind(
        lambda client, name: not client("ecr").list_images(repositoryName=name, maxResults=1)["imageIds"],
        lambda client, name: client("ecr").delete_repository(repositoryName=name),
    ),
    "AWS::Logs::LogGroup": StoreKind(
        _is_log_group_empty, lambda client, name: client("logs").delete_log_group(logGroupName=name)
    ),
    "AWS::S3::Bucket": StoreKind(_is_bucket_empty, _delete_bucket),
    "AWS::SQS::Queue": StoreKind(_is_queue_empty, lambda client, url: client("sqs").delete_queue(QueueUrl=url)),
}
"""The kinds of stores that the examples have, except those of Lightsail. A rollback deletes Lightsail's stores."""
STORE_POLICIES = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy")
"""Policies that are part of a store. AWS deletes them together with the store."""


# -- the recovery


def recover(client: Client, name: str, confirm: Callable[[str], bool]) -> None:
    """Recover a stack. `confirm` shows a text to the person and returns whether to continue.

    Raises RecoveryError, and botocore's errors.
    """
    stack = _describe(client, name)
    status = stack["StackStatus"]
    plan = _plan(client, stack)
    if not confirm(_question(name, status, plan)):
        raise RecoveryError("nothing was changed")
    _unprotect(client, name, plan.others)
    _delete_stack(client, stack, plan.kept_stores)
    for store in plan.empty_stores:
        _delete_if_exists(client, store)
    print(f"{name} is deleted. Next: make deploy STACK={name}, with the same options as before")
    for store in plan.kept_stores:
        print(f"    kept: {store}")


def _describe(client: Client, name: str) -> Any:
    try:
        (stack,) = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            raise RecoveryError(f"{name} does not exist in this account and region. Try: make deploy") from error
        raise
    status = stack["StackStatus"]
    if status.endswith("_IN_PROGRESS") and status not in NEVER_WORKED:
        raise RecoveryError(f"{name} has the status {status}. Wait until CloudFormation has finished")
    if status == "UPDATE_ROLLBACK_FAILED":
        raise RecoveryError(
            f"{name} has worked before, and has the status {status}. Remove the cause, which the console shows under "
            f"Events. Then run: aws cloudformation continue-update-rollback --stack-name {name}"
        )
    if status not in (*NEVER_WORKED, DELETE_FAILED):
        raise RecoveryError(f"{name} has the status {status}, so `make deploy` works without a recovery")
    return stack


def _plan(client: Client, stack: Any) -> Plan:
    plan = Plan([], [], [])
    resources = list(_existing_resources(client, stack["StackId"]))
    retained = _retained_ids(client, stack["StackId"]) if resources else set()
    for resource in resources:
        if resource.kind not in STORES:
            if resource.kind not in STORE_POLICIES:
                plan.others.append(resource)
            continue
        is_empty = _is_empty(client, resource)
        if is_empty:
            plan.empty_stores.append(resource)
        elif is_empty is False:
            is_retained = resource.logical_id in retained or resource.status == stack["StackStatus"] == DELETE_FAILED
            (plan.kept_stores if is_retained else plan.others).append(resource)
    return plan


def _retained_ids(client: Client, stack_id: str) -> set[str]:
    """Return the logical ids of the resources that CloudFormation retains when it deletes the stack."""
    template = client("cloudformation").get_template(StackName=stack_id)["TemplateBody"]
    resources = json.loads(template)["Resources"] if isinstance(template, str) else template["Resources"]
    return {name for name, resource in resources.items() if resource.get("DeletionPolicy", "Delete") != "Delete"}


def _existing_resources(client: Client, stack_id: str) -> Iterator[Resource]:
    # The list of resources may omit resources that a rollback has retained. The events contain all resources, but
    # CloudFormation deletes events after 90 days.
    cloudformation = client("cloudformation")
    seen = set()
    pages = [
        *cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id),
        *cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_id),
    ]
    for page in pages:
        for entry in page.get("StackEvents", page.get("StackResourceSummaries", [])):  # the newest event is first
            logical_id, physical_id = entry["LogicalResourceId"], entry.get("PhysicalResourceId")
            if not physical_id or physical_id == stack_id or (logical_id, physical_id) in seen:
                continue
            seen.add((logical_id, physical_id))
            if entry["ResourceStatus"] != "DELETE_COMPLETE":
                yield Resource(logical_id, entry["ResourceType"], physical_id, entry["ResourceStatus"])


def _is_empty(client: Client, store: Resource) -> bool | None:
    """Whether a store is empty, or None if it does not exist."""
    try:
        return STORES[store.kind].is_empty(client, store.physical_id)
    except ClientError as error:
        if _reports_missing(error):
            return None
        raise


def _question(name: str, status: str, plan: Plan) -> str:
    deleted, kept = [*plan.others, *plan.empty_stores], plan.kept_stores
    lines = [f"{name} has the status {status}. This command deletes the stack"]
    lines += ["and these resources with all data:", *(f"    {resource}" for resource in deleted)] if deleted else []
    lines += ["It keeps these resources, because they hold data:", *(f"    {store}" for store in kept)] if kept else []
    return "\n".join(lines)


def _unprotect(client: Client, name: str, others: list[Resource]) -> None:
    client("cloudformation").update_termination_protection(StackName=name, EnableTerminationProtection=False)
    for resource in others:
        if resource.kind == "AWS::ElasticLoadBalancingV2::LoadBalancer":  # a fork or a person may have protected it
            attribute = {"Key": "deletion_protection.enabled", "Value": "false"}
            client("elbv2").modify_load_balancer_attributes(
                LoadBalancerArn=resource.physical_id, Attributes=[attribute]
            )


def _delete_stack(client: Client, stack: Any, kept_stores: list[Resource]) -> None:
    # CloudFormation accepts a list of resources to retain only for a stack whose deletion has failed. In all other
    # cases the policies in the template retain the stores.
    kept = [store.logical_id for store in kept_stores if store.status == DELETE_FAILED]
    retained = {"RetainResources": kept} if kept and stack["StackStatus"] == DELETE_FAILED else {}
    cloudformation, name = client("cloudformation"), stack["StackName"]
    print(f"deleting {name} …", flush=True)
    cloudformation.delete_stack(StackName=name, **retained)
    try:
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=stack["StackId"], WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": MAX_POLLS}
        )
    except WaiterError as error:
        raise RecoveryError(
            f"CloudFormation could not delete {name}. The console shows the reason under Events. Remove the cause, "
            "and run this command again"
        ) from error


def _delete_if_exists(client: Client, store: Resource) -> None:
    try:
        STORES[store.kind].delete(client, store.physical_id)
    except ClientError as error:
        if not _reports_missing(error):  # CloudFormation may have deleted the store together with the stack
            raise


def _reports_missing(error: ClientError) -> bool:
    return any(word in error.response["Error"]["Code"] for word in NOT_FOUND)


def main() -> None:
    """Recover the stack that the command line names. Exit with 1 and an explanation if that is impossible."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.recover", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stack", help="the name of the failed stack")
    name: str = parser.parse_args().stack
    if name.startswith("-"):
        parser.error("name one stack: make recover STACK=compute-api")

    def confirm(text: str) -> bool:
        print(text)
        try:
            return input(f"To continue, type the name of the stack ({name}): ").strip() == name
        except EOFError:
            return False

    try:
        recover(_client, name, confirm)
    except RecoveryError as error:
        sys.exit(f"error: {error}")
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: {explain(error)}")


def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload] # any service


if __name__ == "__main__":
    main()
