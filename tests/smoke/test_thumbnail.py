"""These tests upload pictures to the deployed thumbnail example, and check the thumbnails and the items.

They run in an account, or in the local AWS, a program that imitates AWS on this machine.
"""

import io
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import pytest
from PIL import Image

from local.project import PHOTO
from tests.handlers.thumbnail import hostile, pictures
from tests.support.deployment import Deployment
from tests.support.keys import ODD_KEYS
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(900)  # AWS may need some minutes
NOTIFICATION_SECONDS = 360
"""A new notification begins to work within five minutes. S3 sends no events about earlier uploads.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-enable-disable-notification-intro.html"""
MAX_BYTES = 50 * 1024**2


@dataclass
class ThumbnailExample:
    """The buckets and the table of the example. All keys have a prefix that only this test run uses."""

    s3: Any
    dynamodb: Any
    lambda_: Any
    outputs: dict[str, str]
    prefix: str = field(default_factory=lambda: f"smoke-{uuid.uuid4()}/")

    @classmethod
    def of(cls, deployment: Deployment, stem: str = "thumbnail") -> Self:
        client = deployment.client
        return cls(client("s3"), client("dynamodb"), client("lambda"), deployment.outputs(stem))

    def function(self) -> str:
        """Return the ARN of the function that the bucket invokes."""
        bucket = self.outputs["UploadsBucketName"]
        notification = self.s3.get_bucket_notification_configuration(Bucket=bucket)
        return str(notification["LambdaFunctionConfigurations"][0]["LambdaFunctionArn"])

    def max_edge(self) -> int:
        """Return the longest edge of a thumbnail in pixels, as the environment of the function says."""
        configuration = self.lambda_.get_function_configuration(FunctionName=self.function())
        return int(configuration["Environment"]["Variables"]["MAX_EDGE"])

    def wait_for_notifications(self) -> None:
        """Upload files until a file gets an item. The item shows that the bucket sends events."""
        deadline = time.monotonic() + NOTIFICATION_SECONDS
        while time.monotonic() < deadline:
            key = self.upload("notification-test", b"")
            next_upload = time.monotonic() + 10
            while time.monotonic() < next_upload:
                if self.item(key):
                    return
                time.sleep(0.1)
        raise AssertionError(f"the bucket sent no event within {NOTIFICATION_SECONDS} s")

    def upload(self, name: str, body: bytes) -> str:
        key = self.prefix + name
        self.s3.put_object(Bucket=self.outputs["UploadsBucketName"], Key=key, Body=body)
        return key

    def remove(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.outputs["UploadsBucketName"], Key=key)

    def remove_all(self) -> None:
        """Remove all uploads of this test run, and wait until their items are deleted."""
        bucket = self.outputs["UploadsBucketName"]
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=self.prefix):
            for uploaded in page.get("Contents", []):
                self.remove(uploaded["Key"])
                self.wait_until_deleted(uploaded["Key"])

    def item(self, key: str) -> dict[str, str] | None:
        item = self.dynamodb.get_item(
            TableName=self.outputs["MetadataTableName"], Key={"image_key": {"S": key}}, ConsistentRead=True
        ).get("Item")
        return item and {name: next(iter(value.values())) for name, value in item.items()}

    def wait_for_item(self, key: str) -> dict[str, str]:
        """Wait for the item of a key, and return it."""
        return wait_for(lambda: self.item(key), f"an item for {key!r}")

    def wait_until_deleted(self, key: str) -> None:
        wait_for(lambda: self.item(key) is None, f"the deletion of the item of {key!r}")

    def thumbnail(self, item: dict[str, str]) -> Image.Image:
        body = self.s3.get_object(Bucket=self.outputs["ThumbnailsBucketName"], Key=item["thumbnail_key"])["Body"].read()
        return Image.open(io.BytesIO(body))

    def thumbnail_exists(self, item: dict[str, str]) -> bool:
        found = self.s3.list_objects_v2(Bucket=self.outputs["ThumbnailsBucketName"], Prefix=item["thumbnail_key"])
        return bool(found["KeyCount"])


@pytest.fixture(scope="module")
def example(deployment: Deployment) -> Iterator[ThumbnailExample]:
    example = ThumbnailExample.of(deployment)
    example.wait_for_notifications()
    yield example
    example.remove_all()


def test_a_real_photo_becomes_a_thumbnail_and_an_item(example: ThumbnailExample) -> None:
    photo = PHOTO.read_bytes()
    key = example.upload("coffee.jpg", photo)
    item = example.wait_for_item(key)
    assert item["status"] == "made"
    assert item["name"] == "coffee.jpg"
    assert item["size_bytes"] == str(len(photo))
    assert item["created_at"].startswith("20")
    assert (item["format"], item["width"], item["height"]) == ("JPEG", "600", "400")
    thumbnail = example.thumbnail(item)
    assert thumbnail.format == "WEBP"
    assert thumbnail.size == (int(item["thumbnail_width"]), int(item["thumbnail_height"]))
    assert max(thumbnail.size) == min(example.max_edge(), 600)  # a small picture is not enlarged
    red, green, blue = thumbnail.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    assert red > green > blue, "the photo shows coffee and wood, so its average colour must be brown"


FILES_BY_FORMAT = {
    "HEIC": pictures.heic(pictures.scene()),
    **{
        file_format: pictures.save(pictures.scene(), file_format)
        for file_format in ("PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP")
    },
}


def test_the_content_of_a_file_determines_its_format(example: ThumbnailExample) -> None:
    keys = {file_format: example.upload(f"{file_format}.txt", body) for file_format, body in FILES_BY_FORMAT.items()}
    for file_format, key in keys.items():
        item = example.wait_for_item(key)
        assert (item["status"], item["format"]) == ("made", file_format), item


UNUSUAL_KEYS = [
    *ODD_KEYS,
    "a.jpg",
    "a.png",
    "x/a.jpg",
    "y/a.jpg",
    "z" * (1024 - len(f"smoke-{uuid.UUID(int=0)}/")),
]


def test_unusual_keys_get_different_thumbnails(example: ThumbnailExample) -> None:
    keys = [example.upload(name, pictures.jpeg()) for name in UNUSUAL_KEYS]
    items = [example.wait_for_item(key) for key in keys]
    assert [item["status"] for item in items] == ["made"] * len(UNUSUAL_KEYS)
    assert [item["image_key"] for item in items] == keys
    assert len({item["thumbnail_key"] for item in items}) == len(UNUSUAL_KEYS)


BAD_FILES = {
    "empty.jpg": (b"", "The file is empty."),
    "folder/": (b"", "This is a folder, not a file."),
    "letter.jpg": (b"Dear Sir or Madam", "not a picture"),
    "cut.jpg": (PHOTO.read_bytes()[:9000], "damaged"),
    "bomb.png": (hostile.bomb("PNG"), "The picture has 120,000,000 pixels; the limit is 50,000,000."),
    "huge.jpg": (b"\0" * (MAX_BYTES + 1), "The file has 52,428,801 bytes; the limit is 52,428,800."),
}


def test_bad_pictures_are_rejected_with_a_reason_and_without_retries(
    example: ThumbnailExample, deployment: Deployment
) -> None:
    keys = {example.upload(name, body): reason for name, (body, reason) in BAD_FILES.items()}
    for key, reason in keys.items():
        item = example.wait_for_item(key)
        assert item["status"] == "rejected", item
        assert reason in item["reason"]
        assert "thumbnail_key" not in item
    attributes = deployment.client("sqs").get_queue_attributes(
        QueueUrl=example.outputs["DeadLetterQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert attributes["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_a_replaced_picture_replaces_its_thumbnail(example: ThumbnailExample) -> None:
    key = example.upload("replaced.jpg", pictures.jpeg((300, 100)))
    first = example.wait_for_item(key)
    example.upload("replaced.jpg", pictures.jpeg((100, 300)))
    second = wait_for(
        lambda: item if (item := example.wait_for_item(key))["etag"] != first["etag"] else None,
        "the item of the replaced picture",
    )
    assert (second["width"], second["height"]) == ("100", "300")
    wait_for(lambda: not example.thumbnail_exists(first), "the deletion of the first thumbnail")


def test_a_removed_picture_loses_its_thumbnail_and_its_item(example: ThumbnailExample) -> None:
    key = example.upload("removed.jpg", pictures.jpeg())
    item = example.wait_for_item(key)
    example.remove(key)
    example.wait_until_deleted(key)
    wait_for(lambda: not example.thumbnail_exists(item), "the deletion of the thumbnail")
