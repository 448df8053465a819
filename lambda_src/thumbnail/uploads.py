"""Reads the uploads bucket."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from thumbnail.events import Change

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

Gone = Literal["removed", "replaced"]
"""Why an expected object is not there: its key holds nothing, or another object."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """An object of the uploads bucket. Its bytes are fetched only when `body` is read."""

    size: int
    """Bytes."""
    etag: str
    version: str | None
    """None in a bucket without versions."""
    created: str
    """Time of the upload: ISO 8601, UTC."""
    body: "StreamingBody | None"
    """None for an archived object, which cannot be read before it is restored."""

    def close(self) -> None:
        """Close the body, whether it was read or not."""
        if self.body is not None:
            self.body.close()


class Uploads:
    """The uploads bucket. All methods raise botocore's errors when AWS fails."""

    def __init__(self, s3: "S3Client") -> None:
        self._s3 = s3

    def get(self, change: Change) -> Upload | Gone:
        """Return the changed object as it is now. The caller closes it.

        A created object counts as "replaced" if its ETag is no longer the one in the event.
        """
        request: dict[str, Any] = {"Bucket": change.bucket, "Key": change.key}
        if change.kind == "created" and change.etag:
            request["IfMatch"] = f'"{change.etag}"'
        try:
            found = self._get_or_head(request)
        except ClientError as error:
            return _why_gone(error)
        return Upload(
            size=found["ContentLength"],
            etag=found["ETag"].strip('"'),
            version=found.get("VersionId"),
            created=found["LastModified"].isoformat(),
            body=found.get("Body"),
        )

    def recheck(self, change: Change, upload: Upload) -> Literal["unchanged", "restored"] | Gone:
        """Return what has happened to the object since `get` returned it as `upload`."""
        try:
            head = self._s3.head_object(Bucket=change.bucket, Key=change.key, IfMatch=f'"{upload.etag}"')
        except ClientError as error:
            return _why_gone(error)
        restored = upload.body is None and 'ongoing-request="false"' in head.get("Restore", "")
        return "restored" if restored else "unchanged"

    def _get_or_head(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(self._s3.get_object(**request))
        except self._s3.exceptions.InvalidObjectState:  # archived: S3 returns its metadata only
            return dict(self._s3.head_object(**request))


def _why_gone(error: ClientError) -> Gone:
    match error.response["Error"]["Code"]:
        case "NoSuchKey" | "404":
            return "removed"
        case "PreconditionFailed" | "412":
            return "replaced"
    raise error
