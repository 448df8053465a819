"""Shows the thumbnail example at work: a photo goes in, its thumbnail and its item come out."""

import shlex
import time
from pathlib import Path
from typing import Any

from local.scene import Scene
from localaws.aws import LocalError

PHOTO = Path(__file__).with_name("photo.jpg")
"""A coffee cup by Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0."""
TITLE = "a photo goes in"
PATIENCE_SECONDS = 30


def exercise(scene: Scene, outputs: dict[str, str]) -> None:
    """Upload the photo, wait for what the function makes of it, and say where to look. Raises LocalError if nothing."""
    s3, dynamodb, photo = scene.client("s3"), scene.client("dynamodb"), scene.photo
    key = f"photos/{photo.name}"
    before = _item(dynamodb, outputs, key)
    started = time.monotonic()
    s3.put_object(Bucket=outputs["UploadsBucketName"], Key=key, Body=photo.read_bytes())
    while (item := _item(dynamodb, outputs, key)) == before:
        if time.monotonic() > started + PATIENCE_SECONDS:
            raise LocalError(_nothing_came(scene, outputs, key))
        time.sleep(0.1)
    print(f"    {photo.name} was settled in {time.monotonic() - started:.1f} s; its item in the table:")
    for name, value in item.items():
        print(f"        {name:18} {value}")
    if "thumbnail_key" in item:
        thumbnail = scene.aws.folder / f"{photo.stem}.webp"
        s3.download_file(outputs["ThumbnailsBucketName"], item["thumbnail_key"], str(thumbnail))
        print(f"    its thumbnail, to be opened: {thumbnail}")


def suggestions(scene: Scene, outputs: dict[str, str]) -> list[str]:
    """Commands to go on with."""
    uploads, thumbnails = outputs["UploadsBucketName"], outputs["ThumbnailsBucketName"]
    return [
        f"aws s3 cp your-photo.jpg s3://{uploads}/",
        f"aws dynamodb scan --table-name {outputs['MetadataTableName']}",
        f"aws s3 ls --recursive s3://{thumbnails}/",
        f"aws s3 rm {shlex.quote(f's3://{uploads}/photos/{scene.photo.name}')}   # takes thumbnail and item with it",
    ]


def _item(dynamodb: Any, outputs: dict[str, str], key: str) -> dict[str, str]:
    found = dynamodb.get_item(
        TableName=outputs["MetadataTableName"], Key={"image_key": {"S": key}}, ConsistentRead=True
    )
    return {name: next(iter(value.values())) for name, value in found.get("Item", {}).items()}


def _nothing_came(scene: Scene, outputs: dict[str, str], key: str) -> str:
    received = scene.client("sqs").receive_message(QueueUrl=outputs["DeadLetterQueueUrl"])
    letters = [message["Body"] for message in received.get("Messages", [])]
    return (
        f"no item for {key} after {PATIENCE_SECONDS} s. Dead letters: {letters or 'none'}. "
        f"What the function said is in {scene.aws.log}"
    )
