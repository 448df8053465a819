"""Access to the two S3 buckets: lists, pictures and thumbnails. All methods raise AWS_ERRORS when AWS fails."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from tenacity import Retrying

from batch.keys import ALL_KEYS, KeyRange, Picture, encoded_key
from thumbnail.imaging import Rejected, Thumbnail
from thumbnail.limits import Limits

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class PictureRemovedError(Exception):
    """The picture no longer exists, because someone removed it after the child had listed it."""


class Buckets:
    """The bucket of the pictures, and a folder in the bucket of the thumbnails. It has the thumbnails of one size."""

    def __init__(self, s3: "S3Client", repeat: Retrying, *, pictures: str, thumbnails: str, folder: str) -> None:
        self._s3 = s3
        self._repeat = repeat
        self._pictures = pictures
        self._thumbnails = thumbnails
        self._folder = folder

    def pictures(self, prefix: str, keys: KeyRange = ALL_KEYS) -> Iterator[Picture]:
        """Yield every picture whose key begins with `prefix` and is in the range, in the order of keys.

        Only one page of 1,000 pictures is in memory.
        """
        for found in self._list(self._pictures, prefix, keys.after):
            key = found["Key"]
            if keys.end is None or key <= keys.end:
                yield Picture(key, found["ETag"].strip('"'), found["Size"])
            if keys.end is not None and key >= keys.end:
                return  # without a request for the next page

    def thumbnail_names(self, prefix: str, after: str | None = None) -> Iterator[str]:
        """Yield the names of the existing thumbnails of the pictures whose key begins with `prefix`.

        The names are in the order of the pictures' keys. With `after`, only pictures after this key count.
        """
        # No ETag contains a tilde. So the list begins after all thumbnails of the picture `after`.
        position = None if after is None else f"{self._folder}{encoded_key(after)}!~"
        for found in self._list(self._thumbnails, self._folder + encoded_key(prefix), position):
            yield found["Key"].removeprefix(self._folder)

    def _list(self, bucket: str, prefix: str, after: str | None) -> Iterator[Any]:
        # boto3's paginator cannot continue after an error, and the list must not begin again.
        position: dict[str, Any] = {} if after is None else {"StartAfter": after}
        while True:
            page = self._repeat(self._list_page, Bucket=bucket, Prefix=prefix, **position)
            yield from page.get("Contents", [])
            if not page["IsTruncated"]:
                return
            position = {"ContinuationToken": page["NextContinuationToken"]}

    def _list_page(self, **request: Any) -> Any:
        page: Any = self._s3.list_objects_v2(**request)
        if "IsTruncated" not in page:  # botocore takes an answer without a body for an empty list
            raise ResponseParserError("S3's answer is not a list.")
        return page

    def read(self, key: str, limits: Limits) -> tuple[bytes, str]:
        """Return the bytes of a picture and their ETag.

        The ETag differs from the listed ETag if someone replaced the picture after the child had listed it.
        Raises PictureRemovedError, or Rejected if the picture is too large or archived.
        """
        return self._repeat(self._read_once, key, limits)

    def _read_once(self, key: str, limits: Limits) -> tuple[bytes, str]:
        try:
            found = self._s3.get_object(Bucket=self._pictures, Key=key)
        except ClientError as error:
            match error.response["Error"]["Code"]:
                case "NoSuchKey":
                    raise PictureRemovedError from error
                case "InvalidObjectState":
                    raise Rejected("The file is in an archive; restore it first.") from error
            raise
        # `with found["Body"] as body` would return urllib3's object. It raises other errors, and checks no checksum.
        with closing(found["Body"]) as body:
            limits.check_size(key, found["ContentLength"])
            return body.read(), found["ETag"].strip('"')

    def write(self, name: str, thumbnail: Thumbnail) -> str:
        """Store a thumbnail and return its key. S3 stores a thumbnail completely or not at all."""
        key = self._folder + name
        self._repeat(
            self._s3.put_object,
            Bucket=self._thumbnails,
            Key=key,
            Body=thumbnail.data,
            ContentType=thumbnail.content_type,
        )
        return key

    def key_length(self, name: str) -> int:
        """Return the length in bytes of the key of a thumbnail with this name."""
        return len((self._folder + name).encode())
