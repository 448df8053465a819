"""Print the results of an array job. Each child (one job of the array) writes its results into files: its manifest."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_PRINTED = 10
"""The output names at most this number of pictures, and of children. The manifests contain all pictures."""
OUTCOMES = ("made", "skipped", "rejected", "failed")
"""The outcomes for a picture. made: the job made a thumbnail. skipped: the picture needs no new thumbnail. rejected:
the picture cannot get a thumbnail. failed: AWS or the program failed."""


def show_manifests(s3: "S3Client", bucket: str, job_id: str, children: int) -> bool:
    """Print the number of pictures for each outcome, and the pictures without a thumbnail.

    Return True if every child has finished its part of the pictures and no picture failed. Raises botocore's errors.
    """
    attempts = last_attempts(s3, bucket, f"manifests/{job_id}/")
    sums = Counter({outcome: sum(attempt[outcome] for attempt in attempts.values()) for outcome in OUTCOMES})
    print("    " + ", ".join(f"{sums[outcome]:,} {outcome}" for outcome in OUTCOMES))
    for picture in islice(_pictures_without_thumbnail(s3, bucket, attempts), MAX_PRINTED):
        print(f"        {picture['outcome']}: {picture['key']}: {picture['reason']}")
    if sums["rejected"] + sums["failed"] > MAX_PRINTED:
        print(f"        and more: aws s3 cp --recursive s3://{bucket}/manifests/{job_id} .")
    unfinished_children = [child for child in range(children) if not attempts.get(child, {}).get("complete")]
    if unfinished_children:
        numbers = _list_numbers(unfinished_children)
        print(f"    {len(unfinished_children)} of {children} children did not finish. Their numbers: {numbers}")
    return not unfinished_children and not sums["failed"]


def last_attempts(s3: "S3Client", bucket: str, prefix: str) -> dict[int, dict[str, Any]]:
    """Return the totals in the manifest of each child's last attempt. The keys are the numbers of the children.

    A child may have several attempts, because AWS may take its instance away. Each attempt writes a manifest: a .json
    file with the totals, and a .jsonl file with one line for each picture. The added value `lines_key` is the S3 key of
    the .jsonl file. Raises botocore's errors.
    """
    last: dict[int, tuple[int, str]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for key in (item["Key"] for item in page.get("Contents", []) if item["Key"].endswith(".json")):
            child, attempt = map(int, key.removeprefix(prefix).split(".")[:2])
            last[child] = max(last.get(child, (0, "")), (attempt, key))
    return {
        child: {**_read_totals(s3, bucket, key), "lines_key": f"{key.removesuffix('.json')}.jsonl"}
        for child, (_, key) in sorted(last.items())
    }


def _read_totals(s3: "S3Client", bucket: str, key: str) -> dict[str, Any]:
    with _downloaded(s3, bucket, key) as file:
        return dict(json.load(file))


def _pictures_without_thumbnail(
    s3: "S3Client", bucket: str, attempts: dict[int, dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for attempt in attempts.values():
        if attempt["rejected"] + attempt["failed"]:
            with _downloaded(s3, bucket, attempt["lines_key"]) as lines:
                for line in lines:
                    picture = json.loads(line)
                    if picture["outcome"] in ("rejected", "failed"):
                        yield picture


@contextmanager
def _downloaded(s3: "S3Client", bucket: str, key: str) -> Iterator[IO[bytes]]:
    # download_fileobj() repeats a download that breaks off. get_object() does not.
    with tempfile.TemporaryFile() as file:
        s3.download_fileobj(bucket, key, file)
        file.seek(0)
        yield file


def _list_numbers(children: list[int]) -> str:
    return ", ".join(map(str, children[:MAX_PRINTED])) + (" and others" if len(children) > MAX_PRINTED else "")
