"""Shows the batch example at work: a job over many pictures loses its host half way, and a second attempt ends it."""

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.jobs import ArrayJob
from local.scene import Scene
from local.thumbnail import PHOTO
from localaws.aws import LocalError
from scripts.manifests import show_manifests

TITLE = "a job over 500 pictures loses its host half way"
PICTURES = 500
CHILDREN = 2
FOLDER = "exercise/"
PATIENCE_SECONDS = 60


def exercise(scene: Scene, outputs: dict[str, str]) -> None:
    """Run the job, kill it half way, run it again, and count. Raises LocalError for a picture lost or done twice."""
    s3 = scene.client("s3")
    _put_pictures(s3, outputs)
    job = ArrayJob(
        client=scene.client,
        environment=scene.aws.environment(scene.engine),
        deployed=outputs,
        keys=f"{FOLDER}*",
        children=CHILDREN,
    )
    with job.started(attempt=1) as first:
        _wait_for_half(s3, outputs, first)
        for child in first:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    before = _thumbnails(s3, outputs)
    print(f"    {CHILDREN} children shared {PICTURES} pictures, and were killed when {len(before)} were done")
    started = time.monotonic()
    with job.started(attempt=2) as second:
        words = [child.communicate(timeout=PATIENCE_SECONDS)[0] for child in second]
    if any(child.returncode for child in second):
        raise LocalError("the job failed:\n" + "".join(words))
    print(f"    a second attempt took {time.monotonic() - started:.1f} s. What its children say:")
    settled = show_manifests(s3, outputs["OutputBucketName"], job.id, CHILDREN)
    _judge(before, _thumbnails(s3, outputs), settled=settled)
    print(f"    {PICTURES} thumbnails: no picture was lost, and none was done twice")


def suggestions(_scene: Scene, outputs: dict[str, str]) -> list[str]:
    """Commands to go on with."""
    pictures, made = outputs["InputBucketName"], outputs["OutputBucketName"]
    return [
        f"aws s3 cp your-photo.jpg s3://{pictures}/holiday/",
        "python -m local.jobs 'holiday/*' 2",
        f"aws s3 ls --recursive s3://{made}/thumbnails/256/holiday/",
    ]


def _put_pictures(s3: Any, outputs: dict[str, str]) -> None:
    for key in _thumbnails(s3, outputs):  # of the last time
        s3.delete_object(Bucket=outputs["OutputBucketName"], Key=key)
    body = PHOTO.read_bytes()
    with ThreadPoolExecutor(4) as threads:
        for put in [
            threads.submit(s3.put_object, Bucket=outputs["InputBucketName"], Key=f"{FOLDER}{number:04}.jpg", Body=body)
            for number in range(PICTURES)
        ]:
            put.result()


def _thumbnails(s3: Any, outputs: dict[str, str]) -> dict[str, Any]:
    """Every thumbnail of the exercise's pictures, and when it was written."""
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=outputs["OutputBucketName"], Prefix=f"thumbnails/256/{FOLDER}"
    )
    return {found["Key"]: found["LastModified"] for page in pages for found in page.get("Contents", [])}


def _wait_for_half(s3: Any, outputs: dict[str, str], children: list[subprocess.Popen[str]]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(_thumbnails(s3, outputs)) < PICTURES // 2:
        if time.monotonic() > deadline or all(child.poll() is not None for child in children):
            for child in children:
                child.kill()
            raise LocalError("the job got nowhere:\n" + "".join(child.communicate()[0] for child in children))
        time.sleep(0.02)


def _judge(before: dict[str, Any], after: dict[str, Any], *, settled: bool) -> None:
    if not len(before) < PICTURES:
        raise LocalError("the job was done before it could be killed: use more pictures")
    if len(after) != PICTURES or not settled:
        raise LocalError(f"{PICTURES} pictures have {len(after)} thumbnails")
    twice = [key for key in before if after[key] != before[key]]
    if twice:
        raise LocalError(f"done twice: {', '.join(twice[:5])}")
