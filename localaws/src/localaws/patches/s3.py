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


def store_bucket_rules() -> None:
    """Store the lifecycle rules and the object ownership of a bucket that CloudFormation creates.

    If an update removes the versioning from the template, suspend it.

    Stock engine: ignores these properties, so the S3 API returns the defaults. Versioning always remains enabled.
    AWS: stores the properties, and applies each change of the template. A bucket with versioning never returns to the
    state without versioning: AWS suspends the versioning.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html
    With this patch the S3 API returns the rules, but the engine deletes no object by a rule.
    Upstream issue: none known.
    """
    call_after_provisioning("AWS::S3::Bucket", _store_rules)


def _store_rules(properties: Any, bucket: str) -> None:
    rules = properties.get("LifecycleConfiguration", {}).get("Rules", [])
    ownerships = properties.get("OwnershipControls", {}).get("Rules", [])
    _set(s3._bucket_lifecycle, bucket, [_lifecycle_rule(rule) for rule in rules])
    _set(s3._buckets[bucket], "_ownership_controls", _ownership_xml(ownerships[0]) if ownerships else "")
    if s3._bucket_versioning.get(bucket) == "Enabled":
        s3._bucket_versioning[bucket] = properties.get("VersioningConfiguration", {}).get("Status", "Suspended")


def _set(values: Any, key: str, value: Any) -> None:
    # An empty value removes the key, so the S3 API returns the default.
    if value:
        values[key] = value
    else:
        values.pop(key, None)


def _lifecycle_rule(rule: Any) -> dict[str, Any]:
    # The S3 API has other names than CloudFormation.
    expiration = {
        "Days": rule.get("ExpirationInDays"),
        "Date": rule.get("ExpirationDate"),
        "ExpiredObjectDeleteMarker": rule.get("ExpiredObjectDeleteMarker"),
    }
    tags, prefix = rule.get("TagFilters", []), rule.get("Prefix")
    converted = {
        "ID": rule.get("Id"),
        "Status": rule["Status"],
        "Filter": {"And": _without_none(Prefix=prefix, Tags=tags)} if tags else _without_none(Prefix=prefix),
        "Expiration": _without_none(**expiration) or None,
        "Transitions": [_transition(item, "Days") for item in rule.get("Transitions", [])] or None,
        "NoncurrentVersionTransitions": [
            _transition(item, "NoncurrentDays") for item in rule.get("NoncurrentVersionTransitions", [])
        ]
        or None,
        "NoncurrentVersionExpiration": rule.get("NoncurrentVersionExpiration"),
        "AbortIncompleteMultipartUpload": rule.get("AbortIncompleteMultipartUpload"),
    }
    return _without_none(**converted)


def _transition(transition: Any, days: str) -> dict[str, Any]:
    names = {"TransitionInDays": days, "TransitionDate": "Date"}
    return {names.get(name, name): value for name, value in transition.items()}


def _without_none(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _ownership_xml(rule: Any) -> str:
    ownership = rule.get("ObjectOwnership", "BucketOwnerEnforced")
    return (
        f'<OwnershipControls xmlns="{s3.S3_NS}"><Rule><ObjectOwnership>{ownership}</ObjectOwnership></Rule>'
        "</OwnershipControls>"
    )


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
