"""Settles one change of an upload: afterwards its item and its thumbnail match the upload.

S3 delivers an event at least once and in no certain order, and two deliveries may run at the same time. Therefore:

- An item is written or deleted only if the table has no item from a later event.
- The key of a thumbnail contains the event's sequencer, so no event overwrites the thumbnail of another.
  Each run deletes the thumbnails that are no longer wanted.
- After writing, the upload is checked again, because no other run would clean up if it was removed meanwhile.
"""

from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

from aws_lambda_powertools import Logger, Tracer

from thumbnail.events import Change
from thumbnail.imaging import Rejected, Thumbnail
from thumbnail.limits import Limits
from thumbnail.store import Item, Store
from thumbnail.uploads import Upload, Uploads

logger = Logger(child=True)
tracer = Tracer(patch_modules=["botocore"])


class ChangedAgainError(Exception):
    """The upload changed in both attempts to settle it. Lambda's retry tries again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """How a change was settled. `superseded`: a later event has settled the upload, or will do so soon."""

    outcome: Literal["made", "rejected", "removed", "superseded"]
    item: Item | None = None
    """The new item, if its status is made or rejected."""


@tracer.capture_method(capture_response=False)
def settle(change: Change, uploads: Uploads, store: Store, limits: Limits) -> Settled:
    """Make the item and the thumbnail of one key match its upload. Raises botocore's errors when AWS fails."""
    for _ in range(2):
        settled = _try_to_settle(change, uploads, store, limits)
        if settled:
            return settled
    raise ChangedAgainError(change.key)


def _try_to_settle(change: Change, uploads: Uploads, store: Store, limits: Limits) -> Settled | None:
    """Return None if the upload changed meanwhile in a way that makes this attempt's result wrong."""
    # A restored object has not changed, so it keeps the place of its item in the order.
    sequencer = change.sequencer or store.stored_sequencer(change.key)
    upload = uploads.get(change)
    if upload == "removed":
        return _remove(change, sequencer, store)
    if upload == "replaced":
        store.delete_stale_thumbnails(change.key)  # an earlier run of this event may have crashed and left one
        return Settled(outcome="superseded")
    with closing(upload):
        item, thumbnail = describe(change.key, upload, limits)
    if not store.write(change.key, sequencer, item, thumbnail):
        return _superseded(change)
    state = uploads.recheck(change, upload)
    if state == "restored":  # its own event may have come before this run wrote that the object is archived
        return None
    if state == "removed":
        return _remove(change, sequencer, store)
    return Settled(outcome="superseded") if state == "replaced" else Settled(outcome=item["status"], item=item)


def _remove(change: Change, sequencer: str, store: Store) -> Settled | None:
    return Settled(outcome="removed") if store.delete(change.key, sequencer) else _superseded(change)


def _superseded(change: Change) -> Settled | None:
    # The later item may say that a restored object cannot be read, because it was written before the restoration.
    return None if change.kind == "restored" else Settled(outcome="superseded")


@tracer.capture_method(capture_response=False)
def describe(key: str, upload: Upload, limits: Limits) -> tuple[Item, Thumbnail | None]:
    """Return the item of an upload and its thumbnail, or None if the picture is rejected (the item says why)."""
    item: Item = {
        "name": key.rstrip("/").rsplit("/", 1)[-1],
        "size_bytes": upload.size,
        "created_at": upload.created,
        "etag": upload.etag,
        "version_id": upload.version,
    }
    try:
        thumbnail = _make_thumbnail(key, upload, limits)
    except Rejected as rejected:
        logger.debug("rejected", exc_info=rejected)
        return {**item, "status": "rejected", "reason": str(rejected)}, None
    made: dict[str, Any] = {
        "status": "made",
        "format": thumbnail.source_format,
        "width": thumbnail.source_width,
        "height": thumbnail.source_height,
        "thumbnail_bytes": len(thumbnail.data),
        "thumbnail_width": thumbnail.width,
        "thumbnail_height": thumbnail.height,
    }
    return {**item, **made}, thumbnail


def _make_thumbnail(key: str, upload: Upload, limits: Limits) -> Thumbnail:
    limits.check_size(key, upload.size)
    if upload.body is None:
        raise Rejected("The file is in an archive; its thumbnail is made when it is restored.")
    return limits.thumbnail(upload.body.read())
