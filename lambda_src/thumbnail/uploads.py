"""Reads the uploads bucket."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from thumbnail.events import Change

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

GoneReason = Literal["removed", "replaced"]
"""The reason why an expected object is gone: its key now has no object (removed), or has another object (replaced)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """An object of the uploads bucket. Its content is downloaded only when `body` is read."""

    size: int
    """Size in bytes."""
    etag: str
    version: str | None
    """Version id, or None in a bucket without versioning."""
    created: str
    """Time of the upload: ISO 8601, UTC."""
    body: "StreamingBody | None"
    """The content. For an archived object, it is None, because S3 cannot read the object before it is restored."""

    def close(self) -> None:
        """Close the body. The caller may have read it or not."""
        if self.body is not None:
            self.body.close()


class Uploads:
    """The uploads bucket. All methods raise botocore's errors when AWS fails."""

    def __init__(self, s3: "S3Client") -> None:
        self._s3 = s3

    def get(self, change: Change) -> Upload | GoneReason:
        """Return the changed object in its present state. The caller must close the upload.

        Returns "replaced" if the event reports a new object, and the object now has another ETag than in the event.
        """
        request: dict[str, Any] = {"Bucket": change.bucket, "Key": change.key}
        if change.kind == "created" and change.etag:
            request["IfMatch"] = f'"{change.etag}"'
        try:
            answer = self._get_or_head(request)
        except ClientError as error:
            return _gone_reason(error)
        return Upload(
            size=answer["ContentLength"],
            etag=answer["ETag"].strip('"'),
            version=answer.get("VersionId"),
            created=answer["LastModified"].isoformat(),
            body=answer.get("Body"),
        )

    def recheck(self, change: Change, upload: Upload) -> Literal["unchanged", "restored"] | GoneReason:
        """Return the present state of the object, compared with `upload`, which `get` returned earlier."""
        try:
            head = self._s3.head_object(Bucket=change.bucket, Key=change.key, IfMatch=f'"{upload.etag}"')
        except ClientError as error:
            return _gone_reason(error)
        is_restored = upload.body is None and 'ongoing-request="false"' in head.get("Restore", "")
        return "restored" if is_restored else "unchanged"

    def _get_or_head(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(self._s3.get_object(**request))
        except self._s3.exceptions.InvalidObjectState:  # the object is archived, so S3 returns only its metadata
            return dict(self._s3.head_object(**request))


def _gone_reason(error: ClientError) -> GoneReason:
    match error.response["Error"]["Code"]:
        case "NoSuchKey" | "404":
            return "removed"
        case "PreconditionFailed" | "412":
            return "replaced"
    raise error
