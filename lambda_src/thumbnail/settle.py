"""Settles one change of an upload: brings its picture to a final state (made, rejected or removed).

Afterwards the item and the thumbnail match the upload. S3 delivers an event at least once, and events may arrive in
any order. Two functions may process events of the same upload at the same time. Therefore:

- A write or a deletion succeeds only if the item in the table is not from a later event.
- The key of a thumbnail contains the event's sequencer (its position in the order), so no event overwrites the
  thumbnail of another event. After each change, the function deletes the upload's unused thumbnails.
- After writing, the function checks the upload again. If the upload was removed in the meantime, the event of the
  removal may have been processed too early to delete the new item.
"""

import time
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

from aws_lambda_powertools import Logger

from thumbnail.events import Change
from thumbnail.imaging import Rejected, Thumbnail
from thumbnail.limits import Limits
from thumbnail.store import Item, Store
from thumbnail.tracing import trace_function
from thumbnail.uploads import Upload, Uploads

logger = Logger(child=True)


class ChangedAgainError(Exception):
    """The upload changed during both attempts to settle it. Lambda retries the event later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The outcome of one change. `superseded` means that the event of a later change decides the picture's state."""

    outcome: Literal["made", "rejected", "removed", "superseded"]
    item: Item | None = None
    """The new item, if the picture is made or rejected."""
    milliseconds: float = 0
    """Duration from reading the upload to the last check, if the picture is made or rejected."""


@trace_function
def settle(change: Change, uploads: Uploads, store: Store, limits: Limits) -> Result:
    """Make the item and the thumbnail of one key match its upload. Raises botocore's errors when AWS fails."""
    for _ in range(2):
        result = _try_to_settle(change, uploads, store, limits)
        if result:
            return result
    raise ChangedAgainError(change.key)


def _try_to_settle(change: Change, uploads: Uploads, store: Store, limits: Limits) -> Result | None:
    """Return the outcome. Return None if the upload changed during this attempt and a second attempt is needed."""
    # S3 sends no sequencer when it restores an object from an archive. The object is unchanged, so the new item gets
    # the sequencer of the old item.
    sequencer = change.sequencer or store.stored_sequencer(change.key)
    started = time.perf_counter()
    upload = uploads.get(change)
    if upload == "removed":
        return _remove(change, sequencer, store)
    if upload == "replaced":
        store.delete_stale_thumbnails(change.key)  # an earlier run of this event may have crashed and left a thumbnail
        return Result(outcome="superseded")
    with closing(upload):
        item, thumbnail = describe(change.key, upload, limits)
    if not store.write(change.key, sequencer, item, thumbnail):
        return _superseded(change)
    state = uploads.recheck(change, upload)
    if state == "restored":  # the event of the restoration may have been processed before this item was written
        return None
    if state == "removed":
        return _remove(change, sequencer, store)
    result = Result(outcome=item["status"], item=item, milliseconds=(time.perf_counter() - started) * 1000)
    return Result(outcome="superseded") if state == "replaced" else result


def _remove(change: Change, sequencer: str, store: Store) -> Result | None:
    return Result(outcome="removed") if store.delete(change.key, sequencer) else _superseded(change)


def _superseded(change: Change) -> Result | None:
    # The table has an item from a later event. After a restoration, that item may still say that the object is
    # archived. So a second attempt is needed.
    return None if change.kind == "restored" else Result(outcome="superseded")


@trace_function
def describe(key: str, upload: Upload, limits: Limits) -> tuple[Item, Thumbnail | None]:
    """Return the item and the thumbnail of an upload. If the picture is rejected, the item has a reason instead."""
    item: Item = {
        "name": key.rstrip("/").rsplit("/", 1)[-1],
        "size_bytes": upload.size,
        "created_at": upload.created,
        "etag": upload.etag,
        "version_id": upload.version,
    }
    try:
        thumbnail = _make_thumbnail(key, upload, limits)
    except Rejected as rejection:
        logger.debug("rejected", exc_info=rejection)
        return {**item, "status": "rejected", "reason": str(rejection)}, None
    thumbnail_attributes: dict[str, Any] = {
        "status": "made",
        "format": thumbnail.source_format,
        "width": thumbnail.source_width,
        "height": thumbnail.source_height,
        "thumbnail_bytes": len(thumbnail.data),
        "thumbnail_width": thumbnail.width,
        "thumbnail_height": thumbnail.height,
    }
    return {**item, **thumbnail_attributes}, thumbnail


def _make_thumbnail(key: str, upload: Upload, limits: Limits) -> Thumbnail:
    limits.check_size(key, upload.size)
    if upload.body is None:
        raise Rejected("The file is in an archive; its thumbnail is made when it is restored.")
    return limits.make_thumbnail(BytesIO(upload.body.read()))
