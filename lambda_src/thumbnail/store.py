"""Writes and deletes the items of the metadata table and the objects of the thumbnails bucket."""

import hashlib
from typing import TYPE_CHECKING, Any

from thumbnail.events import SEQUENCER_LENGTH

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from thumbnail.imaging import Thumbnail

_FIRST_SEQUENCER = "0" * SEQUENCER_LENGTH
"""A sequencer that is earlier than every sequencer of S3."""

Item = dict[str, Any]
"""The attributes of an item of the table: name and plain Python value."""


class Store:
    """The thumbnails and the metadata of one deployment. All methods raise botocore's errors when AWS fails.

    Each upload has a folder for its thumbnails. The key of a thumbnail contains the sequencer of its event. So the
    order of the keys in a folder is the order of the events, and no event overwrites the thumbnail of another event.
    """

    def __init__(self, s3: "S3Client", dynamodb: "DynamoDBClient", *, thumbnails: str, table: str) -> None:
        self._s3 = s3
        self._dynamodb = dynamodb
        self._thumbnails = thumbnails
        self._table = table

    def stored_sequencer(self, key: str) -> str:
        """Return the sequencer in the item of an upload. If there is no item, return the earliest sequencer."""
        sequencer: str = self._get_item(key).get("sequencer", {}).get("S", _FIRST_SEQUENCER)
        return sequencer

    def write(self, key: str, sequencer: str, item: Item, thumbnail: "Thumbnail | None") -> bool:
        """Write the thumbnail and the item of an upload, and delete its older thumbnails. Then return True.

        Returns False if the table has an item from a later event. Then that item and its thumbnail do not change.
        """
        if thumbnail:
            item = {**item, "thumbnail_key": f"{_folder(key)}{sequencer}.webp"}
            self._s3.put_object(
                Bucket=self._thumbnails,
                Key=item["thumbnail_key"],
                Body=thumbnail.data,
                ContentType=thumbnail.content_type,
            )
        attributes = _to_attributes({"image_key": key, "sequencer": sequencer, **item})
        try:
            self._dynamodb.put_item(TableName=self._table, Item=attributes, **_condition_not_later(sequencer))
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            self._delete_thumbnails_older_than_item(key, _item_from(error))
            return False
        self._delete_thumbnails(key, sequencer, kept_key=item.get("thumbnail_key"))
        return True

    def delete(self, key: str, sequencer: str) -> bool:
        """Delete the item and the thumbnails of an upload, and return True.

        Returns False, and deletes no item, if the table has an item from a later event.
        """
        try:
            self._dynamodb.delete_item(TableName=self._table, Key=_primary_key(key), **_condition_not_later(sequencer))
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            self._delete_thumbnails_older_than_item(key, _item_from(error))
            return False
        self._delete_thumbnails(key, sequencer, kept_key=None)
        return True

    def delete_stale_thumbnails(self, key: str) -> None:
        """Delete the thumbnails that are older than the item of an upload."""
        self._delete_thumbnails_older_than_item(key, self._get_item(key))

    def _get_item(self, key: str) -> dict[str, Any]:
        answer = self._dynamodb.get_item(TableName=self._table, Key=_primary_key(key), ConsistentRead=True)
        return answer.get("Item", {})

    def _delete_thumbnails_older_than_item(self, key: str, attributes: dict[str, Any]) -> None:
        if attributes:
            kept_key = attributes.get("thumbnail_key", {}).get("S")
            self._delete_thumbnails(key, attributes["sequencer"]["S"], kept_key=kept_key)

    def _delete_thumbnails(self, key: str, last_sequencer: str, *, kept_key: str | None) -> None:
        # This also deletes the thumbnails that earlier runs left when they crashed.
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._thumbnails, Prefix=_folder(key))
        last_key = f"{_folder(key)}{last_sequencer}.webp"
        for page in pages:
            for thumbnail in page.get("Contents", []):
                if thumbnail["Key"] != kept_key and thumbnail["Key"] <= last_key:
                    self._s3.delete_object(Bucket=self._thumbnails, Key=thumbnail["Key"])


def _folder(key: str) -> str:
    # The name is a hash, for two reasons: the upload's own key with a suffix can be longer than S3's limit of 1,024
    # bytes, and `..` in a key confuses HTTP clients.
    return f"{hashlib.sha256(key.encode()).hexdigest()}/"


def _primary_key(key: str) -> dict[str, Any]:
    return {"image_key": {"S": key}}


def _condition_not_later(sequencer: str) -> dict[str, Any]:
    return {
        "ConditionExpression": "attribute_not_exists(image_key) OR sequencer <= :sequencer",
        "ExpressionAttributeValues": {":sequencer": {"S": sequencer}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _item_from(error: Any) -> dict[str, Any]:
    item: dict[str, Any] = error.response["Item"]  # AWS sends the item because of ALL_OLD
    return item


def _to_attributes(item: Item) -> dict[str, Any]:
    # boto3's TypeSerializer would do the same, but it adds 10 ms to every cold start. All values are text or integers.
    return {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in item.items()
        if value is not None
    }
