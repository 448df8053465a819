"""S3 invokes a function for each uploaded picture. The function writes a thumbnail to S3 and metadata to DynamoDB."""

from typing import Any, cast

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as notifications
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks._alarms import alarm_topic, metric_alarm, notify
from stacks._cdk_helpers import add_helper_log_groups
from stacks._functions import METRICS_NAMESPACE, QueueDestination, python_function
from stacks._nag import acknowledge
from stacks._pictures import MAX_BYTES, MAX_DECODING_BYTES, MAX_PIXELS
from stacks._stores import dead_letter_queue, on_demand_table, private_bucket, removal_policy

MEMORY_MB = 1769
"""This memory gives the function one whole vCPU. A picture is decoded by a single thread. With less memory, the
function would be slower and cost the same. With more memory, it would not use the additional CPU. The memory is enough
for MAX_DECODING_BYTES, MAX_BYTES and the 90 MB of the runtime, and 400 MB remain free.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""


class ThumbnailStack(Stack):
    """A bucket for uploads, a function, a bucket and a table for its results, and a queue for failed events."""

    def __init__(  # noqa: PLR0913 - each setting is a keyword argument
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK uses this name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        max_edge: int,
        concurrency: int | None = None,
        watch_closely: bool = False,
        alarm_email: str | None = None,
        **stack_parameters: Any,
    ) -> None:
        """Add the resources of the example. `watch_closely` adds alarms on events that Lambda will try again."""
        description = "Lambda: a picture put into S3 becomes a thumbnail in S3 and an item in DynamoDB"
        super().__init__(scope, id, description=description, **stack_parameters)
        removal = removal_policy(retain_data=retain_data)

        uploads = private_bucket(self, "Uploads", removal=removal, keep_versions=retain_data)
        thumbnails = private_bucket(self, "Thumbnails", removal=removal)
        metadata = on_demand_table(
            self,
            "Metadata",
            partition_key="image_key",
            retain_data=retain_data,
            why_no_recovery="The function can write the sandbox's items again from the uploads.",
        )
        dead_letters = dead_letter_queue(self, "DeadLetters", removal=removal)
        function = python_function(
            self,
            "Function",
            "thumbnail",
            memory_size=MEMORY_MB,
            timeout=Duration.seconds(30),  # ten times as long as our slowest measurement
            reserved_concurrent_executions=concurrency,
            # Lambda retries a failed event after one minute, and again after two more minutes. So a short outage of S3
            # or DynamoDB loses no event.
            retry_attempts=2,
            # If too many functions run at once, Lambda keeps an event and tries again later. Six hours are the maximum.
            max_event_age=Duration.hours(6),
            on_failure=QueueDestination(dead_letters),
            environment={
                "THUMBNAILS_BUCKET": thumbnails.bucket_name,
                "METADATA_TABLE": metadata.table_name,
                "MAX_EDGE": str(max_edge),
                "MAX_BYTES": str(MAX_BYTES),
                "MAX_PIXELS": str(MAX_PIXELS),
                "MAX_DECODING_BYTES": str(MAX_DECODING_BYTES),
                "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
            },
            log_retention=log_retention,
            removal=removal,
        )
        self._grant_access(function, uploads, thumbnails, metadata)
        self._invoke_for_each_event(uploads, function)
        if not retain_data:
            self._empty_buckets_last(uploads, thumbnails, function)
        alarms = self._alarms(function, dead_letters, early_warnings=watch_closely)
        notify(alarms, alarm_topic(self, alarm_email))
        add_helper_log_groups(self, retention=log_retention)

        CfnOutput(self, "UploadsBucketName", value=uploads.bucket_name)
        CfnOutput(self, "ThumbnailsBucketName", value=thumbnails.bucket_name)
        CfnOutput(self, "MetadataTableName", value=metadata.table_name)
        CfnOutput(self, "DeadLetterQueueUrl", value=dead_letters.queue_url)

    def _grant_access(
        self, function: lambda_.Function, uploads: s3.Bucket, thumbnails: s3.Bucket, metadata: dynamodb.Table
    ) -> None:
        # CDK's grant_read() and grant_put() would allow about twelve more actions, by wildcard.
        # With ListBucket, S3 answers 404 for an object that does not exist. Without ListBucket, S3 answers 403.
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        for actions, resource in (
            (["s3:GetObject"], uploads.arn_for_objects("*")),
            (["s3:ListBucket"], uploads.bucket_arn),
            (["s3:PutObject", "s3:DeleteObject"], thumbnails.arn_for_objects("*")),
            (["s3:ListBucket"], thumbnails.bucket_arn),
        ):
            function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
        metadata.grant(function, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem")
        for bucket in (uploads, thumbnails):
            bucket_id = self.get_logical_id(cast("s3.CfnBucket", bucket.node.default_child))
            acknowledge(
                cast("iam.Role", function.role),
                f"AwsSolutions-IAM5[Resource::<{bucket_id}.Arn>/*]",
                "Users choose the keys of the uploads, and the keys of the thumbnails are computed from them.",
            )

    def _invoke_for_each_event(self, uploads: s3.Bucket, function: lambda_.Function) -> None:
        for event in (
            s3.EventType.OBJECT_CREATED,
            s3.EventType.OBJECT_REMOVED,
            s3.EventType.OBJECT_RESTORE_COMPLETED,
        ):
            uploads.add_event_notification(event, notifications.LambdaDestination(function))
        # S3 must not send events before the function has its dead-letter queue, because a failed event would be lost.
        uploads.node.find_child("Notifications").node.add_dependency(function)

    def _empty_buckets_last(self, uploads: s3.Bucket, thumbnails: s3.Bucket, function: lambda_.Function) -> None:
        # CloudFormation deletes a stack in the reverse order of its dependencies. Because of the next two dependencies,
        # it deletes the notifications and the function before it empties the buckets. If the function still existed,
        # each deleted upload would invoke the function. It could then write a thumbnail into a bucket that is already
        # empty.
        uploads.node.find_child("Notifications").node.add_dependency(
            uploads.node.find_child("AutoDeleteObjectsCustomResource")
        )
        function.node.add_dependency(thumbnails.node.find_child("AutoDeleteObjectsCustomResource"))

    def _alarms(
        self, function: lambda_.Function, dead_letters: sqs.Queue, *, early_warnings: bool
    ) -> list[cloudwatch.Alarm]:
        five_minutes = Duration.minutes(5)
        metrics = {
            "DeadLettersVisible": dead_letters.metric_approximate_number_of_messages_visible(
                period=five_minutes, statistic="Maximum"
            ),
        }
        if early_warnings:
            # A failed event becomes a dead letter only after three attempts, and a throttled event after six hours.
            metrics["Errors"] = function.metric_errors(period=five_minutes, statistic="Sum")
            metrics["Throttles"] = function.metric_throttles(period=five_minutes, statistic="Sum")
        # Each alarm starts after a single event. A bad picture is not an error, because the function rejects it.
        return [metric_alarm(self, name, metric, stem="thumbnail") for name, metric in metrics.items()]
