"""A picture put into S3 triggers a function, which writes a thumbnail to S3 and metadata to DynamoDB."""

from typing import Any, cast

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as notifications
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks._alarms import alarm_topic, notify
from stacks._bundling import ARCHITECTURE, RUNTIME, bundled_code
from stacks._cdk_helpers import add_helper_log_groups
from stacks._nag import acknowledge
from stacks._pictures import MAX_BYTES, MAX_DECODING_BYTES, MAX_PIXELS
from stacks._stores import FailuresTo, dead_letter_queue, private_bucket

MEMORY_MB = 1769
"""One whole vCPU: less is slower for the same price, more is idle, for one picture is decoded by one thread.
It also holds MAX_DECODING_BYTES, MAX_BYTES and the 90 MB of the runtime, with 400 to spare.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""


class ThumbnailStack(Stack):
    """Uploads bucket -> function -> thumbnails bucket and metadata table; what AWS failed at -> dead-letter queue."""

    def __init__(  # noqa: PLR0913 - every choice of the example, by name
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        max_edge: int,
        concurrency: int | None = None,
        watch_closely: bool = False,
        alarm_email: str | None = None,
        **stack: Any,
    ) -> None:
        """`watch_closely` adds alarms on what is retried, and so not lost yet."""
        super().__init__(scope, id, **stack)
        self._removal = RemovalPolicy.RETAIN if retain_data else RemovalPolicy.DESTROY

        uploads = private_bucket(self, "Uploads", removal=self._removal, keep_versions=retain_data)
        thumbnails = private_bucket(self, "Thumbnails", removal=self._removal)
        metadata = self._table("Metadata", recovery=retain_data)
        dead_letters = dead_letter_queue(self, "DeadLetters", removal=self._removal)
        log_group = self._log_group("Logs", log_retention)

        function = self._function(
            "Function",
            log_group=log_group,
            concurrency=concurrency,
            dead_letters=dead_letters,
            environment={
                "THUMBNAILS_BUCKET": thumbnails.bucket_name,
                "METADATA_TABLE": metadata.table_name,
                "MAX_EDGE": str(max_edge),
                "MAX_BYTES": str(MAX_BYTES),
                "MAX_PIXELS": str(MAX_PIXELS),
                "MAX_DECODING_BYTES": str(MAX_DECODING_BYTES),
            },
        )
        self._grant(function, uploads, thumbnails, metadata)
        self._trigger(uploads, function)
        self._empty_buckets_last(uploads, thumbnails, function)
        notify(self._alarms(function, dead_letters, early=watch_closely), alarm_topic(self, alarm_email))
        add_helper_log_groups(self, retention=log_retention)

        CfnOutput(self, "UploadsBucketName", value=uploads.bucket_name)
        CfnOutput(self, "ThumbnailsBucketName", value=thumbnails.bucket_name)
        CfnOutput(self, "MetadataTableName", value=metadata.table_name)
        CfnOutput(self, "DeadLetterQueueUrl", value=dead_letters.queue_url)

    def _table(self, id_: str, *, recovery: bool) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            id_,
            partition_key=dynamodb.Attribute(name="image_key", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=recovery
            ),
            deletion_protection=recovery,
            removal_policy=self._removal,
        )
        if not recovery:
            acknowledge(table, "AwsSolutions-DDB3", "The sandbox's items can be made again from the uploads.")
        return table

    def _log_group(self, id_: str, retention: logs.RetentionDays) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            id_,
            retention=retention,
            removal_policy=self._removal,
        )

    def _function(
        self,
        id_: str,
        *,
        log_group: logs.LogGroup,
        concurrency: int | None,
        dead_letters: sqs.Queue,
        environment: dict[str, str],
    ) -> lambda_.Function:
        # Not CDK's default role: its managed policy lets the function create log groups, and one that is created
        # again while the stack is being deleted stays behind for ever.
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        return lambda_.Function(
            self,
            id_,
            code=bundled_code("thumbnail"),
            handler="thumbnail.handler.handler",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            memory_size=MEMORY_MB,
            timeout=Duration.seconds(30),  # ten times the slowest picture measured
            reserved_concurrent_executions=concurrency,
            retry_attempts=2,  # after one minute, then two: past a throttle or a short outage
            max_event_age=Duration.hours(6),  # the longest there is: an outage of AWS's may last
            on_failure=FailuresTo(dead_letters),
            tracing=lambda_.Tracing.ACTIVE,
            role=role,
            log_group=log_group,
            environment={
                **environment,
                "POWERTOOLS_SERVICE_NAME": self.stack_name,
                "POWERTOOLS_METRICS_NAMESPACE": "ComputeExamples",
            },
        )

    def _grant(
        self, function: lambda_.Function, uploads: s3.Bucket, thumbnails: s3.Bucket, metadata: dynamodb.Table
    ) -> None:
        # By hand: grant_read and grant_put give a dozen more actions, by wildcard.
        # ListBucket makes S3 answer 404 for an object that is gone, instead of 403.
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        for actions, resource in (
            (["s3:GetObject"], uploads.arn_for_objects("*")),
            (["s3:ListBucket"], uploads.bucket_arn),
            (["s3:PutObject", "s3:DeleteObject"], thumbnails.arn_for_objects("*")),
            (["s3:ListBucket"], thumbnails.bucket_arn),
        ):
            function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
        metadata.grant(function, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem")
        role = cast("iam.Role", function.role)
        for bucket in (uploads, thumbnails):
            arn = f"<{self.get_logical_id(_cfn(bucket))}.Arn>/*"
            acknowledge(role, f"AwsSolutions-IAM5[Resource::{arn}]", "Any key may be uploaded, and has its thumbnail.")
        acknowledge(role, "AwsSolutions-IAM5[Resource::*]", "X-Ray's actions know no resources.")

    def _trigger(self, uploads: s3.Bucket, function: lambda_.Function) -> None:
        for event in (
            s3.EventType.OBJECT_CREATED,
            s3.EventType.OBJECT_REMOVED,
            s3.EventType.OBJECT_RESTORE_COMPLETED,
        ):
            uploads.add_event_notification(event, notifications.LambdaDestination(function))
        # Not before the function knows its dead-letter queue: an event that failed earlier would be lost.
        uploads.node.find_child("Notifications").node.add_dependency(function)

    def _empty_buckets_last(self, uploads: s3.Bucket, thumbnails: s3.Bucket, function: lambda_.Function) -> None:
        # A stack is deleted in the reverse order of its dependencies. Without these, emptying the uploads would fire
        # the trigger, and the function could write a thumbnail into the bucket that has just been emptied.
        if self._removal is RemovalPolicy.DESTROY:
            uploads.node.find_child("Notifications").node.add_dependency(
                uploads.node.find_child("AutoDeleteObjectsCustomResource")
            )
            function.node.add_dependency(thumbnails.node.find_child("AutoDeleteObjectsCustomResource"))

    def _alarms(self, function: lambda_.Function, dead_letters: sqs.Queue, *, early: bool) -> list[cloudwatch.Alarm]:
        five_minutes = Duration.minutes(5)
        metrics = {
            "DeadLettersVisible": dead_letters.metric_approximate_number_of_messages_visible(
                period=five_minutes, statistic="Maximum"
            ),
        }
        if early:  # what fails or is throttled three times is a dead letter some minutes later
            metrics["Errors"] = function.metric_errors(period=five_minutes, statistic="Sum")
            metrics["Throttles"] = function.metric_throttles(period=five_minutes, statistic="Sum")
        return [
            metric.create_alarm(
                self,
                f"{name}Alarm",
                threshold=1,  # a picture that AWS failed at is one too many; bad pictures are no errors
                evaluation_periods=1,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,  # no uploads, no data
                alarm_description=f"{self.stack_name}: {name}. What to do: docs/thumbnail.md, 'Watch it'.",
            )
            for name, metric in metrics.items()
        ]


def _cfn(bucket: s3.Bucket) -> s3.CfnBucket:
    return cast("s3.CfnBucket", bucket.node.default_child)
