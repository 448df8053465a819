"""The patches of S3 buckets. The patches of S3 permissions are in iam.py."""

from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners

from localaws.patches.cloudformation import call_after_provisioning, check_before_deletion


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


def refuse_to_delete_full_buckets() -> None:
    """Make CloudFormation refuse to delete a bucket that contains objects or versions of objects.

    Stock engine: CloudFormation deletes the bucket and its objects. Only the S3 API refuses to delete a full bucket.
    AWS: the deletion fails ("The bucket you tried to delete is not empty").
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html#troubleshooting-errors-delete-stack-fails
    Upstream issue: none known.
    """
    check_before_deletion("AWS::S3::Bucket", _reason_to_refuse)


def _reason_to_refuse(bucket: str) -> str | None:
    if bucket in s3._buckets and (s3._buckets[bucket]["objects"] or s3._bucket_has_versions(bucket)):
        return "The bucket you tried to delete is not empty (Status Code: 409; Error Code: BucketNotEmpty)"
    return None
