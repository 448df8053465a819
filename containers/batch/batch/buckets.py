"""Lists, pictures and thumbnails in the two buckets. All methods raise botocore's errors when AWS fails."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError

from batch.keys import Picture, stem
from thumbnail.imaging import Rejected, Thumbnail
from thumbnail.limits import Limits

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READS = 3
"""How often a picture is requested. botocore repeats a failed request, but not one whose body breaks off half way."""


class PictureRemovedError(Exception):
    """The picture no longer exists, because someone removed it after it was listed."""


class Buckets:
    """The bucket of the pictures, and the folder of another bucket for thumbnails of one size."""

    def __init__(self, s3: "S3Client", *, pictures: str, thumbnails: str, folder: str) -> None:
        self._s3 = s3
        self._pictures = pictures
        self._thumbnails = thumbnails
        self._folder = folder

    def pictures(self, prefix: str) -> Iterator[Picture]:
        """Yield every picture whose key begins with `prefix`, in the order of keys. Holds a page of 1,000 in memory."""
        for found in self._list(self._pictures, prefix):
            yield Picture(found["Key"], found["ETag"].strip('"'), found["Size"])

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names of the thumbnails of those pictures, in the order of the pictures' keys."""
        for found in self._list(self._thumbnails, self._folder + stem(prefix)):
            yield found["Key"].removeprefix(self._folder)

    def _list(self, bucket: str, prefix: str) -> Iterator[Any]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from page.get("Contents", [])

    def read(self, key: str, limits: Limits) -> tuple[bytes, str]:
        """Return a picture's bytes and their ETag, which differs from the listed one if the picture was replaced since.

        Raises PictureRemovedError, and Rejected for a picture that is too large or archived.
        """
        for left in reversed(range(READS)):
            try:
                return self._read(key, limits)
            except HTTPClientError:
                if not left:
                    raise
        raise AssertionError

    def _read(self, key: str, limits: Limits) -> tuple[bytes, str]:
        try:
            found = self._s3.get_object(Bucket=self._pictures, Key=key)
        except ClientError as error:
            match error.response["Error"]["Code"]:
                case "NoSuchKey":
                    raise PictureRemovedError from error
                case "InvalidObjectState":
                    raise Rejected("The file is in an archive; restore it first.") from error
            raise
        with found["Body"] as body:
            limits.check_size(key, found["ContentLength"])
            return body.read(), found["ETag"].strip('"')

    def write(self, name: str, thumbnail: Thumbnail) -> str:
        """Put a thumbnail and return its key. S3 stores it completely or not at all."""
        key = self._folder + name
        self._s3.put_object(Bucket=self._thumbnails, Key=key, Body=thumbnail.data, ContentType=thumbnail.content_type)
        return key

    def key_length(self, name: str) -> int:
        """Return the length of a thumbnail's key in bytes."""
        return len((self._folder + name).encode())
