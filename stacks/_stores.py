"""What outlives a production stack."""

from typing import Any, cast

import jsii
from aws_cdk import CfnResource, Duration, RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks._nag import acknowledge


def keep_policy(store: s3.Bucket | sqs.Queue, removal: RemovalPolicy) -> None:
    """Give a store's resource policy the fate of the store: kept without it, it would take requests without TLS."""
    policy = store.node.find_child("Policy").node.default_child
    cast("CfnResource", policy).apply_removal_policy(removal)


def private_bucket(scope: Construct, id_: str, *, removal: RemovalPolicy, keep_versions: bool = False) -> s3.Bucket:
    """An encrypted bucket that nobody outside the account can read; destroyed, with all that is in it."""
    made = s3.Bucket(
        scope,
        id_,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        encryption=s3.BucketEncryption.S3_MANAGED,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        versioned=keep_versions,
        lifecycle_rules=[
            s3.LifecycleRule(
                # Parts of an upload that broke off are invisible, and billed until they are aborted.
                abort_incomplete_multipart_upload_after=Duration.days(1),
                # A month to notice that a picture was overwritten or deleted by mistake.
                noncurrent_version_expiration=Duration.days(30) if keep_versions else None,
                expired_object_delete_marker=keep_versions or None,
            )
        ],
        removal_policy=removal,
        auto_delete_objects=removal is RemovalPolicy.DESTROY,
    )
    acknowledge(
        made,
        "AwsSolutions-S1",
        "Only the account's own principals get in; a record of their access is the account's CloudTrail to keep.",
    )
    keep_policy(made, removal)
    return made


def dead_letter_queue(scope: Construct, id_: str, *, removal: RemovalPolicy) -> sqs.Queue:
    """A queue for what failed in the end, until somebody has looked at it."""
    queue = sqs.Queue(
        scope,
        id_,
        enforce_ssl=True,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        retention_period=Duration.days(14),  # the longest there is: somebody has to read them
        removal_policy=removal,
    )
    keep_policy(queue, removal)
    acknowledge(queue, "AwsSolutions-SQS3", "It is a dead-letter queue itself.")
    return queue


@jsii.implements(lambda_.IDestination)
class FailuresTo:
    """A queue as a function's destination. With CDK's SqsDestination the function may ask for its settings, too.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """

    def __init__(self, queue: sqs.Queue) -> None:
        self._queue = queue

    def bind(self, scope: Construct, fn: lambda_.IFunction, *_: Any, **__: Any) -> lambda_.DestinationConfig:  # noqa: ARG002 - CDK's names
        """Let the function send, and Lambda know where to (called by CDK)."""
        self._queue.grant(fn, "sqs:SendMessage")
        return lambda_.DestinationConfig(destination=self._queue.queue_arn)
