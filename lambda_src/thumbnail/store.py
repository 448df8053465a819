"""The two buckets and the table: every call to AWS, in the order that keeps them true to the uploads.

S3 delivers an event at least once and in no certain order, and two deliveries may run at the same time. So
 - the item of a key is written and deleted only under the condition that none from a later event is there;
 - a thumbnail has the event's sequencer in its own key, so that no event overwrites another's, and the ones that are
   no longer wanted are swept when the item is settled;
 - after writing, the upload is looked at once more: had it been removed meanwhile, nobody else would clean up.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from thumbnail.events import SEQUENCER_WIDTH, Change

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from thumbnail.imaging import Thumbnail

FIRST = "0" * SEQUENCER_WIDTH
"""Earlier than every sequencer of S3's."""

Item = dict[str, Any]
"""An item of the table, as DynamoDB spells it."""

_NOT_LATER = "attribute_not_exists(image_key) OR sequencer <= :sequencer"


class Removed(Exception):  # noqa: N818 - an outcome, not an error
    """The upload is gone."""


class Superseded(Exception):  # noqa: N818 - an outcome, not an error
    """A later event speaks for the upload now, or will soon: there is nothing left to do for this one."""


class LookAgainError(Exception):
    """What was decided on has changed while it was written down: it must be looked at afresh."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """An object of the uploads bucket, its bytes not yet fetched."""

    size: int
    """Bytes."""
    etag: str
    version: str | None
    """None where the bucket keeps no versions."""
    created: str
    """When it was put there: ISO 8601, UTC."""
    body: "StreamingBody | None"
    """None when the object lies in an archive and cannot be read before it is restored."""


class Store:
    """The buckets and the table of one deployment. All methods raise botocore's errors for what AWS failed at."""

    def __init__(self, s3: "S3Client", dynamodb: "DynamoDBClient", *, thumbnails: str, table: str) -> None:
        self._s3 = s3
        self._dynamodb = dynamodb
        self._thumbnails = thumbnails
        self._table = table

    def sequencer(self, change: Change) -> str:
        """The change's place in the order. A restored object is as it was, so it takes the place of its item."""
        if change.sequencer is not None:
            return change.sequencer
        found: str = self._item(change).get("sequencer", {}).get("S", FIRST)
        return found

    @contextmanager
    def upload(self, change: Change) -> Iterator[Upload]:
        """The object as it is now; its body is closed on leaving, read or not.

        Raises Removed, or Superseded when it is no longer the one that was created.
        """
        found = self._look(change)
        body = found.get("Body")
        try:
            yield Upload(
                size=found["ContentLength"],
                etag=found["ETag"].strip('"'),
                version=found.get("VersionId"),
                created=found["LastModified"].isoformat(),
                body=body,
            )
        finally:
            if body is not None:
                body.close()

    def _look(self, change: Change) -> dict[str, Any]:
        wanted: dict[str, Any] = {"Bucket": change.bucket, "Key": change.key}
        if change.kind == "created" and change.etag:
            wanted["IfMatch"] = f'"{change.etag}"'
        try:
            with _told_apart():
                try:
                    return dict(self._s3.get_object(**wanted))
                except self._s3.exceptions.InvalidObjectState:
                    return dict(self._s3.head_object(**wanted))
        except Superseded:
            self._sweep_for(change, self._item(change))  # what an earlier try left, when it crashed
            raise

    def _item(self, change: Change) -> Item:
        found = self._dynamodb.get_item(TableName=self._table, Key=_key(change), ConsistentRead=True)
        return found.get("Item", {})

    def keep(
        self, change: Change, sequencer: str, upload: Upload, item: dict[str, Any], thumbnail: "Thumbnail | None"
    ) -> None:
        """Make the key's thumbnail and item these, or its item alone where there is no thumbnail.

        Raises Superseded; Removed when the upload went away meanwhile; LookAgainError when it was restored meanwhile.
        """
        if thumbnail:
            item = {**item, "thumbnail_key": f"{_folder(change)}{sequencer}.webp"}
            self._s3.put_object(
                Bucket=self._thumbnails,
                Key=item["thumbnail_key"],
                Body=thumbnail.data,
                ContentType=thumbnail.content_type,
            )
        with self._unless_later(change):
            self._dynamodb.put_item(
                TableName=self._table,
                Item=_attributes({"image_key": change.key, "sequencer": sequencer, **item}),
                **_condition(sequencer),
            )
        self._sweep(change, sequencer, keep=item.get("thumbnail_key"))
        self._confirm(change, upload)

    def forget(self, change: Change, sequencer: str) -> None:
        """Delete the key's item and thumbnails, unless a later event has written them (Superseded)."""
        with self._unless_later(change):
            self._dynamodb.delete_item(TableName=self._table, Key=_key(change), **_condition(sequencer))
        self._sweep(change, sequencer, keep=None)

    @contextmanager
    def _unless_later(self, change: Change) -> Iterator[None]:
        try:
            yield
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            self._sweep_for(change, error.response["Item"])  # type: ignore[typeddict-item] # there because of ALL_OLD
            # A restored object is not superseded by an item that was written before anyone could read it.
            raise (LookAgainError if change.kind == "restored" else Superseded) from error

    def _sweep_for(self, change: Change, item: Item) -> None:
        if item:
            self._sweep(change, item["sequencer"]["S"], keep=item.get("thumbnail_key", {}).get("S"))

    def _sweep(self, change: Change, until: str, *, keep: str | None) -> None:
        # The keys of a folder sort as their events do. What a crash left behind goes with the rest.
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._thumbnails, Prefix=_folder(change))
        for found in (found for page in pages for found in page.get("Contents", [])):
            key = found["Key"]
            if key != keep and key <= f"{_folder(change)}{until}.webp":
                self._s3.delete_object(Bucket=self._thumbnails, Key=key)

    def _confirm(self, change: Change, upload: Upload) -> None:
        with _told_apart():
            head = self._s3.head_object(Bucket=change.bucket, Key=change.key, IfMatch=f'"{upload.etag}"')
        if upload.body is None and 'ongoing-request="false"' in head.get("Restore", ""):
            raise LookAgainError("restored meanwhile, and its event may have come and gone")


@contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        match error.response["Error"]["Code"]:
            case "NoSuchKey" | "404":
                raise Removed from error
            case "PreconditionFailed" | "412":
                raise Superseded from error
        raise


def _folder(change: Change) -> str:
    # Not the upload's own key: with a suffix it may be too long (1,024 bytes), and `..` in it confuses HTTP clients.
    return f"{hashlib.sha256(change.key.encode()).hexdigest()}/"


def _key(change: Change) -> dict[str, Any]:
    return {"image_key": {"S": change.key}}


def _condition(sequencer: str) -> dict[str, Any]:
    return {
        "ConditionExpression": _NOT_LATER,
        "ExpressionAttributeValues": {":sequencer": {"S": sequencer}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _attributes(item: dict[str, Any]) -> dict[str, Any]:
    # By hand: boto3's TypeSerializer costs 10 ms of every cold start for what is text and whole numbers here.
    return {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in item.items()
        if value is not None
    }
