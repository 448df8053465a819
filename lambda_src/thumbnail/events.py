"""Parses event notifications of S3."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote_plus

Kind = Literal["created", "removed", "restored"]

_KINDS: dict[str, Kind] = {
    "ObjectCreated": "created",
    "ObjectRemoved": "removed",
    "ObjectRestore": "restored",
}

SEQUENCER_WIDTH = 32
"""Hexadecimal digits of a sequencer after padding. S3's own have 16 to 20 today."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One object of the uploads bucket that was created, removed or restored."""

    kind: Kind
    bucket: str
    key: str
    etag: str | None
    """ETag of the created object, without quotes; None for a removed one."""
    sequencer: str | None
    """Position among the changes of one key, comparable as text. None for a restored object: S3 does not order it."""


def parse_changes(event: dict[str, Any]) -> Iterator[Change]:
    """Yield every change in an S3 event notification; none for the test event that S3 sends on set-up.

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
    family = str(record.get("eventName", "")).split(":")[0]
    if record.get("eventSource") != "aws:s3" or family not in _KINDS:
        raise ValueError(f"not a change of an S3 object: {record.get('eventSource')!r} {record.get('eventName')!r}")
    s3_object = record["s3"]["object"]
    return Change(
        kind=_KINDS[family],
        bucket=record["s3"]["bucket"]["name"],
        key=unquote_plus(s3_object["key"], errors="strict"),
        etag=s3_object.get("eTag"),
        sequencer=_pad_sequencer(s3_object.get("sequencer")),
    )


def _pad_sequencer(sequencer: str | None) -> str | None:
    # "First right pad the shorter value with zeros, and then do a lexicographic comparison."
    # https://aws.amazon.com/blogs/storage/manage-event-ordering-and-duplicate-events-with-amazon-s3-event-notifications/
    return None if sequencer is None else sequencer.upper().ljust(SEQUENCER_WIDTH, "0")
