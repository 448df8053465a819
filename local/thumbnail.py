"""Shows the thumbnail example at work: it uploads a photo and waits for the thumbnail and the item of the photo."""

import time
from typing import Any

from local.deployment import LocalDeployment
from local.project import shown_path
from local.waiting import wait_for
from localaws.aws import LocalError

TITLE = "an uploaded photo becomes a thumbnail"
PATIENCE_SECONDS = 90
"""On a busy machine, a container of the image function can take 45 seconds to start."""


def exercise(deployment: LocalDeployment, outputs: dict[str, str]) -> None:
    """Upload the photo, wait for its item, and download the thumbnail. Raises LocalError if the item is missing."""
    photo = deployment.photo
    item = upload(deployment, outputs, f"photos/{photo.name}", photo.read_bytes())
    for name, value in item.items():
        print(f"        {name:18} {value}")
    if "thumbnail_key" in item:
        thumbnail = deployment.aws.folder / f"{photo.stem}.webp"
        deployment.client("s3").download_file(outputs["ThumbnailsBucketName"], item["thumbnail_key"], str(thumbnail))
        print(f"    open its thumbnail: {shown_path(thumbnail)}")


def upload(deployment: LocalDeployment, outputs: dict[str, str], key: str, body: bytes) -> dict[str, str]:
    """Upload a file, wait for its item, print the time, and return the item. Raises LocalError if it is missing."""
    s3, dynamodb = deployment.client("s3"), deployment.client("dynamodb")
    before = _item(dynamodb, outputs, key)
    started = time.monotonic()
    s3.put_object(Bucket=outputs["UploadsBucketName"], Key=key, Body=body)

    def changed_item() -> dict[str, str] | None:
        item = _item(dynamodb, outputs, key)
        return item if item != before else None

    item = wait_for(changed_item, seconds=PATIENCE_SECONDS)
    if item is None:
        raise LocalError(_missing_item_message(deployment, outputs, key))
    name = key.rpartition("/")[2]
    print(f"    {name} was processed in {time.monotonic() - started:.1f} s. Its item in the table:")
    return item


def suggestions(_deployment: LocalDeployment, outputs: dict[str, str]) -> list[str]:
    """Return shell commands that the person may try next."""
    uploads, thumbnails = outputs["UploadsBucketName"], outputs["ThumbnailsBucketName"]
    return [
        f"aws s3 cp your-photo.jpg s3://{uploads}/",
        f"aws dynamodb scan --table-name {outputs['MetadataTableName']} --max-items 3",
        f"aws s3 ls --recursive s3://{thumbnails}/",
        f"aws s3 rm s3://{uploads}/your-photo.jpg   # also deletes its thumbnail and its item",
    ]


def _item(dynamodb: Any, outputs: dict[str, str], key: str) -> dict[str, str]:
    found = dynamodb.get_item(
        TableName=outputs["MetadataTableName"], Key={"image_key": {"S": key}}, ConsistentRead=True
    )
    return {name: next(iter(value.values())) for name, value in found.get("Item", {}).items()}


def _missing_item_message(deployment: LocalDeployment, outputs: dict[str, str], key: str) -> str:
    received = deployment.client("sqs").receive_message(QueueUrl=outputs["DeadLetterQueueUrl"])
    dead_letters = [message["Body"] for message in received.get("Messages", [])]
    return (
        f"the table has no item for {key} after {PATIENCE_SECONDS} s. Dead letters: {dead_letters or 'none'}. "
        f"The function's log is in {deployment.aws.log_file}"
    )
