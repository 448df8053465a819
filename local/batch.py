"""Shows the batch example at work. A job is killed half way, and its second attempt makes the missing thumbnails."""

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.batch_job import ArrayJob
from local.deployment import LocalDeployment
from local.project import PHOTO
from local.waiting import wait_for
from localaws.aws import LocalError
from scripts.manifests import show_manifests

TITLE = "a job over 200 pictures is killed half way and continues in a second attempt"
PICTURES = 200
CHILDREN = 2
KEY_PREFIX = "exercise/"
"""The keys of all pictures of the exercise begin with this text."""
PATIENCE_SECONDS = 120


def exercise(deployment: LocalDeployment, outputs: dict[str, str]) -> None:
    """Run the job and kill it half way. Run it again, and count the thumbnails.

    Raises LocalError if a thumbnail is missing or was made twice.
    """
    s3 = deployment.client("s3")
    _put_pictures(s3, outputs)
    job = ArrayJob(
        client=deployment.client,
        environment=deployment.aws.environment(deployment.engine),
        outputs=outputs,
        keys=f"{KEY_PREFIX}*",
        children=CHILDREN,
    )
    with job.running_children(attempt=1) as first_attempt:
        _wait_for_half(s3, outputs, first_attempt)
        for child in first_attempt:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    before = _thumbnails(s3, outputs)
    print(f"    {CHILDREN} children shared {PICTURES} pictures. They were killed after {len(before)} thumbnails")
    started = time.monotonic()
    with job.running_children(attempt=2) as second_attempt:
        logs = [child.communicate(timeout=PATIENCE_SECONDS)[0] for child in second_attempt]
    if any(child.returncode for child in second_attempt):
        raise LocalError("the job failed:\n" + "".join(logs))
    print(f"    the second attempt took {time.monotonic() - started:.1f} s. Its children report:")
    complete = show_manifests(s3, outputs["OutputBucketName"], job.id, CHILDREN)
    _check(before, _thumbnails(s3, outputs), complete=complete)
    print(f"    there are {PICTURES} thumbnails: each picture has one, and none was made twice")


def suggestions(_deployment: LocalDeployment, outputs: dict[str, str]) -> list[str]:
    """Return shell commands that the person may try next."""
    return [
        f"aws s3 cp your-photo.jpg s3://{outputs['InputBucketName']}/holiday/",
        "python -m local.batch_job 'holiday/*' 2",
        f"aws s3 ls --recursive s3://{outputs['OutputBucketName']}/{outputs['ThumbnailsFolder']}holiday/",
    ]


def _put_pictures(s3: Any, outputs: dict[str, str]) -> None:
    for key in _thumbnails(s3, outputs):  # an earlier `make local` made these
        s3.delete_object(Bucket=outputs["OutputBucketName"], Key=key)
    body = PHOTO.read_bytes()
    with ThreadPoolExecutor(4) as threads:
        for upload in [
            threads.submit(
                s3.put_object, Bucket=outputs["InputBucketName"], Key=f"{KEY_PREFIX}{number:04}.jpg", Body=body
            )
            for number in range(PICTURES)
        ]:
            upload.result()


def _thumbnails(s3: Any, outputs: dict[str, str]) -> dict[str, Any]:
    """Return the thumbnails of the exercise: each key, and the time when the thumbnail was written."""
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=outputs["OutputBucketName"], Prefix=f"{outputs['ThumbnailsFolder']}{KEY_PREFIX}"
    )
    return {found["Key"]: found["LastModified"] for page in pages for found in page.get("Contents", [])}


def _wait_for_half(s3: Any, outputs: dict[str, str], processes: list[subprocess.Popen[str]]) -> None:
    def is_half_done() -> bool:
        return len(_thumbnails(s3, outputs)) >= PICTURES // 2

    def is_half_done_or_ended() -> bool:
        return is_half_done() or all(process.poll() is not None for process in processes)

    wait_for(is_half_done_or_ended, seconds=PATIENCE_SECONDS)
    if not is_half_done():
        for process in processes:
            process.kill()
        logs = "".join(process.communicate()[0] for process in processes)
        raise LocalError(f"the job made less than half of the thumbnails in {PATIENCE_SECONDS} s:\n{logs}")


def _check(before: dict[str, Any], after: dict[str, Any], *, complete: bool) -> None:
    if len(before) >= PICTURES:
        raise LocalError("the job ended before it could be killed. Increase PICTURES in local/batch.py")
    if len(after) != PICTURES or not complete:
        raise LocalError(f"the job is not complete: it made {len(after)} thumbnails of {PICTURES} pictures")
    made_twice = [key for key in before if after[key] != before[key]]
    if made_twice:
        raise LocalError(f"these thumbnails were made twice: {', '.join(made_twice[:5])}")
