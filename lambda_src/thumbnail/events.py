"""Parses event notifications of S3."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote_plus

Kind = Literal["created", "removed", "restored"]

_KIND_OF_EVENT_TYPE: dict[str, Kind] = {
    "ObjectCreated": "created",
    "ObjectRemoved": "removed",
    "ObjectRestore": "restored",
}

SEQUENCER_LENGTH = 32
"""Number of hexadecimal digits of a sequencer after padding. S3 sends 16 to 20 digits today."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """The creation, removal or restoration of one object of the uploads bucket."""

    kind: Kind
    bucket: str
    key: str
    etag: str | None
    """ETag of a created object, without quotes. For a removed object, it is None."""
    sequencer: str | None
    """Position in the order of all changes of this key. The text of a later change is greater.
    For a restored object, it is None, because S3 sends no sequencer for a restoration."""


def parse_changes(event: dict[str, Any]) -> Iterator[Change]:
    """Yield every change in an S3 event notification. S3's test event, sent when the bucket is set up, has no changes.

    Raises ValueError if the event is not from S3.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    if event.get("Event") == "s3:TestEvent":
        return
    if "Records" not in event:
        raise ValueError("not an S3 event notification: it has no 'Records'")
    for record in event["Records"]:
        yield _parse_record(record)


def _parse_record(record: dict[str, Any]) -> Change:
    event_type = str(record.get("eventName", "")).split(":")[0]  # the name is "ObjectCreated:Put", for example
    if record.get("eventSource") != "aws:s3" or event_type not in _KIND_OF_EVENT_TYPE:
        raise ValueError(f"not a change of an S3 object: {record.get('eventSource')!r} {record.get('eventName')!r}")
    s3_object = record["s3"]["object"]
    return Change(
        kind=_KIND_OF_EVENT_TYPE[event_type],
        bucket=record["s3"]["bucket"]["name"],
        key=unquote_plus(s3_object["key"], errors="strict"),
        etag=s3_object.get("eTag"),
        sequencer=_pad_sequencer(s3_object.get("sequencer")),
    )


def _pad_sequencer(sequencer: str | None) -> str | None:
    # "First right pad the shorter value with zeros, and then do a lexicographic comparison."
    # https://aws.amazon.com/blogs/storage/manage-event-ordering-and-duplicate-events-with-amazon-s3-event-notifications/
    return None if sequencer is None else sequencer.upper().ljust(SEQUENCER_LENGTH, "0")
