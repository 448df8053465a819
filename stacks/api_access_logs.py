"""The access log of API Gateway: one line for each request, which Firehose stores in a bucket."""

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
    """Return a delivery stream that API Gateway may write to. It fills a bucket, whose objects expire.

    They expire when the events in the log group `same_retention_as` do.
    """
    # A log group would need a role in API Gateway's account settings. All APIs of a region share this role, and each
    # stack that sets it overwrites it. Firehose needs no such role.
    bucket = _bucket(stack, f"{id_}Bucket", expiration=_expiration(same_retention_as), removal=removal)
    role = _firehose_role(stack, f"{id_}Role", bucket)
    stream = firehose.CfnDeliveryStream(
        stack,
        id_,
        delivery_stream_name=f"amazon-apigateway-{stack.stack_name}",  # API Gateway may write to no other name
        delivery_stream_type="DirectPut",
        delivery_stream_encryption_configuration_input=(
            firehose.CfnDeliveryStream.DeliveryStreamEncryptionConfigurationInputProperty(
                key_type="AWS_OWNED_CMK"  # the only key without a charge
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
    # Firehose checks its grants when the stream is created. And CloudFormation must delete the stream before it empties
    # the bucket, because otherwise Firehose could write there again.
    stream.node.add_dependency(role, bucket)
    return stream


def access_log_format() -> str:
    """Return the format of a line: JSON."""
    # API Gateway does not escape values. A quote in a value that a client chooses, such as the User-Agent, would break
    # the line, so there is no such value. Numbers are quoted, because a missing value is a hyphen.
    fields = {
        "time": "requestTimeEpoch",
        "request_id": "requestId",
        "extended_request_id": "extendedRequestId",  # a client can choose request_id with a header, but not this one
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
    acknowledge(bucket, "AwsSolutions-S1", "This bucket holds access logs. CloudTrail can log who reads them.")
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
        "Firehose names each object after the time when it writes it.",
    )
    return role


def _expiration(group: logs.ILogGroup) -> Duration | None:
    days = cast("logs.CfnLogGroup", group.node.default_child).retention_in_days
    return None if days is None else Duration.days(days)  # None: the log group never expires
