"""The parts of both thumbnail functions. One is deployed as a zip file (thumbnail), the other as an image.

Both have the same code, the same limits, and buckets, a table and a queue of their own.
"""

from dataclasses import dataclass
from typing import Any, cast

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as notifications
from aws_cdk import aws_sqs as sqs

from stacks._alarms import metric_alarm
from stacks._functions import METRICS_NAMESPACE, QueueDestination
from stacks._nag import acknowledge
from stacks._pictures import MAX_BYTES, MAX_DECODING_BYTES, MAX_PIXELS
from stacks._stores import dead_letter_queue, on_demand_table, private_bucket, removal_policy

MEMORY_MB = 1769
"""This memory gives the function one whole vCPU. A picture is decoded by a single thread. With less memory, the
function would be slower and cost the same. With more memory, it would not use the additional CPU. The memory is enough
for MAX_DECODING_BYTES, MAX_BYTES and the 90 MB of the runtime, and 400 MB remain free.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""


@dataclass(frozen=True, kw_only=True)
class ThumbnailStores:
    """The buckets, the table and the queue of one thumbnail function."""

    uploads: s3.Bucket
    thumbnails: s3.Bucket
    metadata: dynamodb.Table
    dead_letters: sqs.Queue
    """Receives the events that the function failed to process."""


def thumbnail_stores(stack: Stack, *, retain_data: bool) -> ThumbnailStores:
    """Add the stores to the stack, and an output with the name of each."""
    removal = removal_policy(retain_data=retain_data)
    stores = ThumbnailStores(
        uploads=private_bucket(stack, "Uploads", removal=removal, keep_versions=retain_data),
        thumbnails=private_bucket(stack, "Thumbnails", removal=removal),
        metadata=on_demand_table(
            stack,
            "Metadata",
            partition_key="image_key",
            retain_data=retain_data,
            why_no_recovery="The function can write the sandbox's items again from the uploads.",
        ),
        dead_letters=dead_letter_queue(stack, "DeadLetters", removal=removal),
    )
    CfnOutput(stack, "UploadsBucketName", value=stores.uploads.bucket_name)
    CfnOutput(stack, "ThumbnailsBucketName", value=stores.thumbnails.bucket_name)
    CfnOutput(stack, "MetadataTableName", value=stores.metadata.table_name)
    CfnOutput(stack, "DeadLetterQueueUrl", value=stores.dead_letters.queue_url)
    return stores


def thumbnail_options(stores: ThumbnailStores, *, max_edge: int) -> dict[str, Any]:
    """Return the parameters of the function: its size, its retries, and its environment variables."""
    return {
        "memory_size": MEMORY_MB,
        "timeout": Duration.seconds(30),  # ten times as long as our slowest measurement
        # Lambda retries a failed event after one minute, and again after two more minutes. So a short outage of S3 or
        # DynamoDB loses no event.
        "retry_attempts": 2,
        # If too many functions run at once, Lambda keeps an event and tries again later. Six hours are the maximum.
        "max_event_age": Duration.hours(6),
        "on_failure": QueueDestination(stores.dead_letters),
        "environment": {
            "THUMBNAILS_BUCKET": stores.thumbnails.bucket_name,
            "METADATA_TABLE": stores.metadata.table_name,
            "MAX_EDGE": str(max_edge),
            "MAX_BYTES": str(MAX_BYTES),
            "MAX_PIXELS": str(MAX_PIXELS),
            "MAX_DECODING_BYTES": str(MAX_DECODING_BYTES),
            "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        },
    }


def connect(stores: ThumbnailStores, function: lambda_.Function, *, retain_data: bool) -> None:
    """Allow the function to use the stores, and let the bucket of uploads invoke it for each event."""
    _grant_access(stores, function)
    _invoke_for_each_event(stores.uploads, function)
    if not retain_data:
        _empty_buckets_last(stores, function)


def _grant_access(stores: ThumbnailStores, function: lambda_.Function) -> None:
    # CDK's grant_read() and grant_put() would allow about twelve more actions, by wildcard.
    # With ListBucket, S3 answers 404 for an object that does not exist. Without ListBucket, S3 answers 403.
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    for actions, resource in (
        (["s3:GetObject"], stores.uploads.arn_for_objects("*")),
        (["s3:ListBucket"], stores.uploads.bucket_arn),
        (["s3:PutObject", "s3:DeleteObject"], stores.thumbnails.arn_for_objects("*")),
        (["s3:ListBucket"], stores.thumbnails.bucket_arn),
    ):
        function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
    stores.metadata.grant(function, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem")
    for bucket in (stores.uploads, stores.thumbnails):
        bucket_id = Stack.of(bucket).get_logical_id(cast("s3.CfnBucket", bucket.node.default_child))
        acknowledge(
            cast("iam.Role", function.role),
            f"AwsSolutions-IAM5[Resource::<{bucket_id}.Arn>/*]",
            "Users choose the keys of the uploads, and the keys of the thumbnails are computed from them.",
        )


def _invoke_for_each_event(uploads: s3.Bucket, function: lambda_.Function) -> None:
    for event in (
        s3.EventType.OBJECT_CREATED,
        s3.EventType.OBJECT_REMOVED,
        s3.EventType.OBJECT_RESTORE_COMPLETED,
    ):
        uploads.add_event_notification(event, notifications.LambdaDestination(function))
    # S3 must not send events before the function has its dead-letter queue, because a failed event would be lost.
    uploads.node.find_child("Notifications").node.add_dependency(function)


def _empty_buckets_last(stores: ThumbnailStores, function: lambda_.Function) -> None:
    # CloudFormation deletes a stack in the reverse order of its dependencies. Because of the next two dependencies, it
    # deletes the notifications and the function before it empties the buckets. If the function still existed, each
    # deleted upload would invoke the function. It could then write a thumbnail into a bucket that is already empty.
    stores.uploads.node.find_child("Notifications").node.add_dependency(
        stores.uploads.node.find_child("AutoDeleteObjectsCustomResource")
    )
    function.node.add_dependency(stores.thumbnails.node.find_child("AutoDeleteObjectsCustomResource"))


def thumbnail_alarms(
    stores: ThumbnailStores, function: lambda_.Function, *, stem: str, early_warnings: bool
) -> list[cloudwatch.Alarm]:
    """Return the alarms. `stem` is the short name of the example, and `early_warnings` adds alarms on retried events.

    Each alarm starts after a single event. A bad picture is not an error, because the function rejects it.
    """
    five_minutes = Duration.minutes(5)
    metrics = {
        "DeadLettersVisible": stores.dead_letters.metric_approximate_number_of_messages_visible(
            period=five_minutes, statistic="Maximum"
        ),
    }
    if early_warnings:
        # A failed event becomes a dead letter only after three attempts, and a throttled event after six hours.
        metrics["Errors"] = function.metric_errors(period=five_minutes, statistic="Sum")
        metrics["Throttles"] = function.metric_throttles(period=five_minutes, statistic="Sum")
    return [metric_alarm(Stack.of(function), name, metric, stem=stem) for name, metric in metrics.items()]
