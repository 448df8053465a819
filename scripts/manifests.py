"""What the children of an array job say that they have done."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SHOWN = 10
"""Lines about pictures that were not made; the rest is in the manifests."""
OUTCOMES = ("made", "skipped", "rejected", "failed")


def show_manifests(s3: "S3Client", bucket: str, job_id: str, children: int) -> bool:
    """Print the sums over all children, and what was not made. False if not every child has settled its whole share.

    Raises botocore's errors.
    """
    found = last_attempts(s3, bucket, f"manifests/{job_id}/")
    sums = Counter({outcome: sum(one[outcome] for one in found.values()) for outcome in OUTCOMES})
    print("    " + ", ".join(f"{sums[outcome]:,} {outcome}" for outcome in OUTCOMES))
    for line in _not_made(s3, bucket, found):
        print(f"        {line['outcome']}: {line['key']}: {line['reason']}")
    if sums["rejected"] + sums["failed"] > SHOWN:
        print(f"        and more: aws s3 cp --recursive s3://{bucket}/manifests/{job_id} .")
    unsettled = [child for child in range(children) if not found.get(child, {}).get("complete")]
    if unsettled:
        print(f"    not settled to the end: {_some(unsettled)} of {children}")
    return not unsettled and not sums["failed"]


def last_attempts(s3: "S3Client", bucket: str, prefix: str) -> dict[int, dict[str, Any]]:
    """The sums of each child's last attempt: one that lost its host has a manifest of each that could write one.

    Raises botocore's errors.
    """
    last: dict[int, tuple[int, str]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for key in (found["Key"] for found in page.get("Contents", []) if found["Key"].endswith(".json")):
            child, attempt = map(int, key.removeprefix(prefix).split(".")[:2])
            last[child] = max(last.get(child, (0, "")), (attempt, key))
    return {
        child: {**json.load(s3.get_object(Bucket=bucket, Key=key)["Body"]), "name": key.removesuffix(".json")}
        for child, (_, key) in sorted(last.items())
    }


def _not_made(s3: "S3Client", bucket: str, found: dict[int, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    left = SHOWN
    for one in found.values():
        if not one["rejected"] + one["failed"]:
            continue
        for line in s3.get_object(Bucket=bucket, Key=f"{one['name']}.jsonl")["Body"].iter_lines():
            settled = json.loads(line)
            if settled["outcome"] in ("rejected", "failed"):
                yield settled
                left -= 1
            if not left:
                return


def _some(children: list[int]) -> str:
    named = ", ".join(map(str, children[:SHOWN]))
    return f"child {named}" + (" and others" if len(children) > SHOWN else "")
