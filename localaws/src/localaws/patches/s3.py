"""Patches of S3. The patches of its permissions are in iam.py."""

from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners

from localaws.patches.cloudformation import call_after_provisioning


def store_bucket_tags() -> None:
    """Store the tags of a bucket that CloudFormation creates, with the tags of the stack.

    Stock engine: ignores them. CDK's auto-delete helper empties only buckets with its own tag, so no stack with such a
    bucket could be destroyed.
    AWS: stores the tags of the template and of the stack.
    Upstream issue: none known.
    """
    provisioners._STACK_TAG_PROPERTY["AWS::S3::Bucket"] = ("Tags", "list")
    call_after_provisioning("AWS::S3::Bucket", _store_tags)


def _store_tags(properties: Any, bucket: str) -> None:
    s3._bucket_tags[bucket] = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
