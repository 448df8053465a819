"""Mends of S3."""

from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners

from localaws.patches.cloudformation import then


def keep_bucket_tags() -> None:
    """Store the tags of a bucket that CloudFormation makes, stack tags included.

    CDK's auto-delete helper empties only buckets with its tag, so that without them no stack could be destroyed.
    """
    provisioners._STACK_TAG_PROPERTY["AWS::S3::Bucket"] = ("Tags", "list")
    handlers = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    for operation in ("create", "update"):
        handlers[operation] = then(_keep_tags, handlers[operation])


def _keep_tags(properties: Any, bucket: str) -> None:
    s3._bucket_tags[bucket] = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
