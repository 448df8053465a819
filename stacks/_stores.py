"""What outlives a production stack."""

from typing import cast

from aws_cdk import CfnResource, Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks._nag import accept


def keep_policy(store: s3.Bucket | sqs.Queue, removal: RemovalPolicy) -> None:
    """Give a store's resource policy the fate of the store: kept without it, it would take requests without TLS."""
    policy = store.node.find_child("Policy").node.default_child
    cast("CfnResource", policy).apply_removal_policy(removal)


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
    accept(queue, "AwsSolutions-SQS3", "It is a dead-letter queue itself.")
    return queue
