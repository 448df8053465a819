"""Buckets, tables and queues for several stacks. In production they remain when their stack is deleted."""

from typing import Any, cast

from aws_cdk import CfnResource, Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks._nag import acknowledge


def removal_policy(*, retain_data: bool) -> RemovalPolicy:
    """Return the removal policy of stores. With `retain_data`, the stores remain when their stack is deleted.

    But if the first deployment of a stack fails, CloudFormation deletes the new stores. With RETAIN, the new stores
    would remain. AWS would bill them, and the next deployment could not use their names for its own stores.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html
    """
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if retain_data else RemovalPolicy.DESTROY


def set_policy_removal(store: s3.Bucket | sqs.Queue, removal: RemovalPolicy) -> None:
    """Set the removal policy of a store's resource policy to `removal`, the removal policy of the store itself.

    If a store remained without its resource policy, the store would allow requests without TLS.
    """
    policy = store.node.find_child("Policy").node.default_child
    cast("CfnResource", policy).apply_removal_policy(removal)


def private_bucket(scope: Construct, id_: str, *, removal: RemovalPolicy, keep_versions: bool = False) -> s3.Bucket:
    """Return an encrypted bucket that only the account can read.

    With `RemovalPolicy.DESTROY`, the objects are deleted together with the bucket. With `keep_versions`, overwritten
    and deleted objects can be restored for 30 days.
    """
    bucket = s3.Bucket(
        scope,
        id_,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        encryption=s3.BucketEncryption.S3_MANAGED,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        versioned=keep_versions,
        lifecycle_rules=[
            s3.LifecycleRule(
                # The parts of an unfinished upload are invisible, but AWS bills them until the upload is aborted.
                abort_incomplete_multipart_upload_after=Duration.days(1),
                # A user has a month to notice that a picture was overwritten or deleted by mistake.
                noncurrent_version_expiration=Duration.days(30) if keep_versions else None,
                expired_object_delete_marker=keep_versions or None,
            )
        ],
        removal_policy=removal,
        auto_delete_objects=removal is RemovalPolicy.DESTROY,
    )
    acknowledge(
        bucket,
        "AwsSolutions-S1",
        "Only the account's own principals have access, and CloudTrail can record each access.",
    )
    set_policy_removal(bucket, removal)
    return bucket


def on_demand_table(  # noqa: PLR0913 - keyword arguments
    scope: Construct,
    id_: str,
    *,
    partition_key: str,
    sort_key: str | None = None,
    retain_data: bool,
    why_no_recovery: str,
    **options: Any,
) -> dynamodb.Table:
    """Return a table with string keys. AWS bills each request. A table without requests costs only its storage.

    With `retain_data`, the table can be restored to any second of the last 35 days, and is protected from deletion. So
    CloudFormation cannot delete the table, even after a failed first deployment. With RETAIN, CloudFormation does not
    try to delete the table, so the rollback does not fail. Then `make recover` deletes the empty table.
    `why_no_recovery` tells reviewers why a table without `retain_data` needs no recovery.
    `options` are further parameters of CDK's Table.
    """

    def key(name: str) -> dynamodb.Attribute:
        return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)

    table = dynamodb.Table(
        scope,
        id_,
        partition_key=key(partition_key),
        sort_key=key(sort_key) if sort_key else None,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=retain_data
        ),
        deletion_protection=retain_data,
        removal_policy=RemovalPolicy.RETAIN if retain_data else RemovalPolicy.DESTROY,
        **options,
    )
    if not retain_data:
        acknowledge(table, "AwsSolutions-DDB3", why_no_recovery)
    return table


def dead_letter_queue(
    scope: Construct, id_: str, *, removal: RemovalPolicy, source_is_queue: bool = False
) -> sqs.Queue:
    """Return a queue for events and jobs that failed in every attempt. A person reads and deletes the messages.

    With `source_is_queue`, the messages come from another queue of the stack.
    """
    queue = sqs.Queue(
        scope,
        id_,
        enforce_ssl=True,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        retention_period=Duration.days(14),  # the maximum, because a person needs time to read the messages
        removal_policy=removal,
    )
    set_policy_removal(queue, removal)
    if not source_is_queue:  # cdk-nag recognizes the dead-letter queue of another queue, and no other one
        acknowledge(queue, "AwsSolutions-SQS3", "This queue is a dead-letter queue itself.")
    return queue
