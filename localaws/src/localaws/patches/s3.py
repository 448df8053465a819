"""The patch of S3 buckets. The patches of S3 permissions are in iam.py."""

from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners

from localaws.patches.cloudformation import call_after_provisioning


def store_bucket_tags() -> None:
    """Store the tags of a bucket that CloudFormation creates: those in the template, and those of the stack.

    Stock engine: ignores the tags. If a bucket has `auto_delete_objects`, the CDK adds a tag to the bucket. The CDK's
    function that empties buckets skips a bucket without this tag. So the stack of the bucket cannot be deleted.
    AWS: stores the tags of the bucket and of the stack.
    Upstream issue: none known.
    """
    provisioners._STACK_TAG_PROPERTY["AWS::S3::Bucket"] = ("Tags", "list")
    call_after_provisioning("AWS::S3::Bucket", _store_tags)


def _store_tags(properties: Any, bucket: str) -> None:
    s3._bucket_tags[bucket] = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
