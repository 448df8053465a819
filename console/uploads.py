"""Reads the pictures of the thumbnail example: the uploads in S3, and the items that the function writes for them."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_READ = 1000
"""The maximum number of uploads and of items that one look at the example reads. It needs one request for each."""
MAX_DEAD_LETTERS = 10
"""SQS returns at most ten messages at a time."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An upload, its item in the table, or both."""

    key: str
    changed_at: str
    """The time of the upload: ISO 8601, UTC."""
    size: int
    """Size in bytes."""
    state: str
    """made, rejected, being processed (the item is missing) or being removed (the upload is missing)."""
    item: Mapping[str, str]

    @property
    def id(self) -> str:
        """A text without special characters that belongs to this key only."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The pictures that one look at the example has found."""

    newest: list[Picture]
    """The newest pictures, newest first."""
    states: Mapping[str, int]
    """How many pictures have each state."""
    has_more: bool
    """Whether there are more than MAX_READ uploads or items. Then `newest` and `states` describe only a part."""


def read_pictures(s3: Any, dynamodb: Any, *, bucket: str, table: str, count: int) -> Pictures:
    """Return the newest `count` pictures. Raises botocore's errors."""
    listed = s3.list_objects_v2(Bucket=bucket, MaxKeys=MAX_READ)
    scanned = dynamodb.scan(TableName=table, Limit=MAX_READ)
    items = {item["image_key"]: item for item in map(_plain, scanned["Items"])}
    uploads = {found["Key"]: found for found in listed.get("Contents", [])}
    all_listed, all_scanned = not listed["IsTruncated"], "LastEvaluatedKey" not in scanned
    pictures = [_picture(key, upload, items.get(key, {})) for key, upload in uploads.items()]
    if all_listed:
        # The function needs a moment to delete the item and the thumbnail of a removed upload.
        pictures += [_picture(key, None, item) for key, item in items.items() if key not in uploads]
    pictures.sort(key=lambda picture: (picture.changed_at, picture.key), reverse=True)
    newest = pictures[:count]
    if not all_scanned:
        further = _items_of(dynamodb, table, [picture.key for picture in newest if not picture.item])
        newest = [
            _picture(one.key, uploads.get(one.key), further[one.key]) if one.key in further else one for one in newest
        ]
    return Pictures(
        newest=newest,
        # With an incomplete list of items, a picture without an item in it may have one.
        states=Counter(picture.state for picture in pictures if all_scanned or picture.item),
        has_more=not (all_listed and all_scanned),
    )


def read_item(dynamodb: Any, table: str, key: str) -> Mapping[str, str]:
    """Return the item of an upload. It is empty if there is none. Raises botocore's errors."""
    return _plain(dynamodb.get_item(TableName=table, Key={"image_key": {"S": key}}).get("Item", {}))


def dead_letter_count(sqs: Any, queue: str) -> int:
    """Return how many messages the queue has. SQS knows the number only approximately. Raises botocore's errors."""
    name = "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name])


def dead_letters(sqs: Any, queue: str) -> list[str]:
    """Return the texts of some messages, which stay in the queue. Raises botocore's errors.

    Each call increases the receive count of the messages. So the console calls this function only for the local AWS.
    """
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=MAX_DEAD_LETTERS, VisibilityTimeout=0)
    return [message["Body"] for message in sorted(received.get("Messages", []), key=lambda one: one["MessageId"])]


def _items_of(dynamodb: Any, table: str, keys: list[str]) -> dict[str, Mapping[str, str]]:
    if not keys:
        return {}
    wanted = {"Keys": [{"image_key": {"S": key}} for key in keys]}
    found = dynamodb.batch_get_item(RequestItems={table: wanted})["Responses"][table]
    return {item["image_key"]: item for item in map(_plain, found)}


def _plain(item: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    return {name: next(iter(value.values())) for name, value in item.items()}


def _picture(key: str, upload: Mapping[str, Any] | None, item: Mapping[str, str]) -> Picture:
    if upload is None:
        size, changed_at, state = int(item["size_bytes"]), item["created_at"], "being removed"
    else:
        size, changed_at = upload["Size"], upload["LastModified"].isoformat()
        is_current = item.get("etag") == upload["ETag"].strip('"')
        state = item["status"] if is_current else "being processed"
    return Picture(key=key, changed_at=changed_at, size=size, state=state, item=item)
