"""The manifests of an array job: what each child did with each picture."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_SHOWN = 10
"""Most pictures or children that are listed. The manifests have the rest."""
OUTCOMES = ("made", "skipped", "rejected", "failed")


def show_manifests(s3: "S3Client", bucket: str, job_id: str, children: int) -> bool:
    """Print the sums over all children, and the pictures without a thumbnail.

    Return whether every child finished its share and no picture failed. Raises botocore's errors.
    """
    attempts = last_attempts(s3, bucket, f"manifests/{job_id}/")
    sums = Counter({outcome: sum(attempt[outcome] for attempt in attempts.values()) for outcome in OUTCOMES})
    print("    " + ", ".join(f"{sums[outcome]:,} {outcome}" for outcome in OUTCOMES))
    for line in islice(_without_thumbnail(s3, bucket, attempts), MAX_SHOWN):
        print(f"        {line['outcome']}: {line['key']}: {line['reason']}")
    if sums["rejected"] + sums["failed"] > MAX_SHOWN:
        print(f"        and more: aws s3 cp --recursive s3://{bucket}/manifests/{job_id} .")
    unfinished = [child for child in range(children) if not attempts.get(child, {}).get("complete")]
    if unfinished:
        print(f"    unfinished: {_listed(unfinished)} of {children}")
    return not unfinished and not sums["failed"]


def last_attempts(s3: "S3Client", bucket: str, prefix: str) -> dict[int, dict[str, Any]]:
    """Return the sums of each child's last attempt. A child that lost its host may have a manifest of each attempt.

    Raises botocore's errors.
    """
    last: dict[int, tuple[int, str]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for key in (item["Key"] for item in page.get("Contents", []) if item["Key"].endswith(".json")):
            child, attempt = map(int, key.removeprefix(prefix).split(".")[:2])
            last[child] = max(last.get(child, (0, "")), (attempt, key))
    return {
        child: {**json.load(s3.get_object(Bucket=bucket, Key=key)["Body"]), "name": key.removesuffix(".json")}
        for child, (_, key) in sorted(last.items())
    }


def _without_thumbnail(s3: "S3Client", bucket: str, attempts: dict[int, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for attempt in attempts.values():
        if attempt["rejected"] + attempt["failed"]:
            for line in s3.get_object(Bucket=bucket, Key=f"{attempt['name']}.jsonl")["Body"].iter_lines():
                picture = json.loads(line)
                if picture["outcome"] in ("rejected", "failed"):
                    yield picture


def _listed(children: list[int]) -> str:
    names = ", ".join(map(str, children[:MAX_SHOWN]))
    return f"child {names}" + (" and others" if len(children) > MAX_SHOWN else "")
