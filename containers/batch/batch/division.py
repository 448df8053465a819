"""The division of the keys among the children of a job. One child lists all keys, and writes the result into a file.

The file is in the output bucket. It has the *ends*: the last key of each range of 1,000 keys. The other children, and
later attempts, read the file. Then each child lists only its own ranges.
"""

import json
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from tenacity import Retrying

from batch.buckets import Buckets
from batch.keys import Share, range_ends

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WAIT_SECONDS = 60
"""Child 0 lists the keys at once. Child n first waits n times this time for the file. So usually one child lists."""
POLL_SECONDS = 1
"""Seconds between two looks for the file."""
_FILE_EXISTS = {"PreconditionFailed", "ConditionalRequestConflict"}
"""Errors of a conditional write: another child has written the file, or writes it at the same time.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html"""


class StoppedError(Exception):
    """The job has to stop, and the child does not know its share yet."""


class Division:
    """The file with the ends of the ranges. All children and all attempts of a job use the same file.

    If two children list the keys, the first one writes the file, and the second one reads it. So each key belongs to
    exactly one child, even if keys are added or removed while the job runs.
    """

    def __init__(  # noqa: PLR0913 - keyword arguments
        self, s3: "S3Client", repeat: Retrying, buckets: Buckets, *, bucket: str, key: str, stopping: threading.Event
    ) -> None:
        """`buckets` has the pictures. The file is the object `key` in `bucket`."""
        self._s3 = s3
        self._repeat = repeat
        self._buckets = buckets
        self._bucket = bucket
        self._key = key
        self._stopping = stopping

    def share(self, prefix: str, *, child: int, children: int) -> Share:
        """Return this child's share of the keys that begin with `prefix`.

        Raises StoppedError if the job has to stop, and AWS_ERRORS if AWS fails.
        """
        if children == 1:
            return Share.of_child([], child=child, children=children)
        deadline = time.monotonic() + child * WAIT_SECONDS
        while (ends := self._read()) is None:
            if time.monotonic() >= deadline:
                self._write(range_ends(self._keys(prefix)))
            elif self._stopping.wait(POLL_SECONDS):
                raise StoppedError
        return Share.of_child(ends, child=child, children=children)

    def _keys(self, prefix: str) -> Iterator[str]:
        for picture in self._buckets.pictures(prefix):
            if self._stopping.is_set():
                raise StoppedError
            yield picture.key

    def _read(self) -> list[str] | None:
        try:
            return self._repeat(self._read_once)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise

    def _read_once(self) -> list[str]:
        body = self._s3.get_object(Bucket=self._bucket, Key=self._key)["Body"].read()
        return [json.loads(line) for line in body.splitlines()]

    def _write(self, ends: list[str]) -> None:
        lines = "".join(f"{json.dumps(end)}\n" for end in ends)
        try:
            self._repeat(
                self._s3.put_object,
                Bucket=self._bucket,
                Key=self._key,
                Body=lines.encode(),
                ContentType="application/jsonl",
                IfNoneMatch="*",  # S3 refuses the file if it exists
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in _FILE_EXISTS:
                raise
