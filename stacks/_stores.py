"""What outlives a production stack."""

from typing import cast

from aws_cdk import CfnResource, RemovalPolicy
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs


def keep_policy(store: s3.Bucket | sqs.Queue, removal: RemovalPolicy) -> None:
    """Give a store's resource policy the fate of the store: kept without it, it would take requests without TLS."""
    policy = store.node.find_child("Policy").node.default_child
    cast("CfnResource", policy).apply_removal_policy(removal)
