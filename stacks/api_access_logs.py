"""The access log of API Gateway. It has one line for each request, and Firehose stores the log in a bucket."""

import json
from typing import cast

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3

from stacks._nag import acknowledge
from stacks._stores import set_policy_removal


def add_access_logs(
    stack: Stack, id_: str, *, same_retention_as: logs.ILogGroup, removal: RemovalPolicy
) -> firehose.CfnDeliveryStream:
    """Return a Firehose stream. API Gateway sends its access log to the stream. Firehose writes the log to a bucket.

    The objects in the bucket expire after the same time as the events in the log group `same_retention_as`.
    """
    # The access log does not go to a log group, because API Gateway would need a role in the account's settings. All
    # APIs of a region share this role, and each stack that sets the role overwrites it. Firehose needs no such role.
    bucket = _bucket(stack, f"{id_}Bucket", expiration=_expiration(same_retention_as), removal=removal)
    role = _firehose_role(stack, f"{id_}Role", bucket)
    stream = firehose.CfnDeliveryStream(
        stack,
        id_,
        delivery_stream_name=f"amazon-apigateway-{stack.stack_name}",  # API Gateway requires this beginning
        delivery_stream_type="DirectPut",
        delivery_stream_encryption_configuration_input=(
            firehose.CfnDeliveryStream.DeliveryStreamEncryptionConfigurationInputProperty(
                key_type="AWS_OWNED_CMK"  # other keys are not free
            )
        ),
        extended_s3_destination_configuration=firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty(
            bucket_arn=bucket.bucket_arn,
            role_arn=role.role_arn,
            buffering_hints=firehose.CfnDeliveryStream.BufferingHintsProperty(
                interval_in_seconds=60,  # a request appears in the log after one minute
                size_in_m_bs=5,
            ),
            compression_format="GZIP",
        ),
    )
    # Firehose checks its permissions when the stream is created, so the role must be complete by then. CloudFormation
    # deletes resources in the reverse order, so it deletes the stream before it empties the bucket. If it emptied the
    # bucket first, Firehose could write to the bucket again.
    stream.node.add_dependency(role, bucket)
    return stream


def access_log_format() -> str:
    """Return the format of a line, which is a JSON object."""
    # API Gateway does not escape quotes. A client could put quotes into the User-Agent, for example, and the line would
    # not be valid JSON. So the line contains no value that can have quotes. Numbers are in quotes, because API Gateway
    # writes a hyphen for a missing value.
    fields = {
        "time": "requestTimeEpoch",
        "request_id": "requestId",
        "extended_request_id": "extendedRequestId",  # a client can choose request_id with a header, but not this id
        "trace_id": "xrayTraceId",
        "source_ip": "identity.sourceIp",
        "api_key_id": "identity.apiKeyId",
        "method": "httpMethod",
        "resource": "resourcePath",
        "status": "status",
        "milliseconds": "responseLatency",
        "function_milliseconds": "integration.latency",
        "bytes": "responseLength",
        "error": "error.responseType",
    }
    return json.dumps({name: f"$context.{variable}" for name, variable in fields.items()}, separators=(",", ":")) + "\n"


def _bucket(stack: Stack, id_: str, *, expiration: Duration | None, removal: RemovalPolicy) -> s3.Bucket:
    bucket = s3.Bucket(
        stack,
        id_,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        encryption=s3.BucketEncryption.S3_MANAGED,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        lifecycle_rules=[
            s3.LifecycleRule(expiration=expiration, abort_incomplete_multipart_upload_after=Duration.days(1))
        ],
        removal_policy=removal,
        auto_delete_objects=removal is RemovalPolicy.DESTROY,
    )
    set_policy_removal(bucket, removal)
    acknowledge(
        bucket, "AwsSolutions-S1", "This bucket contains access logs itself. CloudTrail can record who reads them."
    )
    return bucket


def _firehose_role(stack: Stack, id_: str, bucket: s3.Bucket) -> iam.Role:
    role = iam.Role(
        stack,
        id_,
        assumed_by=iam.ServicePrincipal(
            "firehose.amazonaws.com", conditions={"StringEquals": {"sts:ExternalId": stack.account}}
        ),
    )
    # https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
    for actions, resource in (
        (["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], bucket.arn_for_objects("*")),
        (["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], bucket.bucket_arn),
    ):
        role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
    cfn_bucket = cast("s3.CfnBucket", bucket.node.default_child)
    acknowledge(
        role,
        f"AwsSolutions-IAM5[Resource::<{stack.get_logical_id(cfn_bucket)}.Arn>/*]",
        "Firehose puts the time of writing into the key of each object, so the keys are not known in advance.",
    )
    return role


def _expiration(log_group: logs.ILogGroup) -> Duration | None:
    days = cast("logs.CfnLogGroup", log_group.node.default_child).retention_in_days
    return None if days is None else Duration.days(days)  # with None, the objects never expire
