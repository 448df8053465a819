"""Runs array jobs of the batch example in the local AWS, and counts what their children have done."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from console.account import ERRORS
from local.batch_job import ArrayJob
from local.project import ROOT
from scripts.manifests import last_attempts

MAX_PICTURES = 2000
"""The progress counts at most this number of pictures. S3 lists 1,000 in one request."""
LOG_LINES = 20
"""The page shows this number of lines of a child's log."""


def _load_keys_of_batch() -> Any:
    # The image of the job contains this module, so it is not a module of a package of this environment.
    spec = importlib.util.spec_from_file_location("batch_keys", ROOT / "containers" / "batch" / "batch" / "keys.py")
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - the file exists
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    from batch import keys as keys_of_batch  # so mypy knows the names in the module
else:
    keys_of_batch = _load_keys_of_batch()


@dataclass
class Child:
    """One child of a job: its process in the last attempt, and its share of the pictures."""

    index: int
    thumbnails: frozenset[str]
    """The keys of the thumbnails of its share."""
    process: subprocess.Popen[str] | None = None
    log: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    was_killed: bool = False

    @property
    def state(self) -> str:
        """running, killed, succeeded or failed."""
        status = self.process.poll() if self.process else None
        if status is None:
            return "running"
        return "killed" if self.was_killed else "succeeded" if status == 0 else "failed"

    def kill(self) -> None:
        """End all processes of the child at once, as if AWS had taken its instance away."""
        if self.process and self.process.poll() is None:
            self.was_killed = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


class RunningJob:
    """An array job, and its attempts. The methods may be called by several threads."""

    def __init__(self, job: ArrayJob) -> None:
        """List the pictures of the job. Raises botocore's errors."""
        self.job = job
        self.attempt = 0
        self.totals: Mapping[int, Mapping[str, Any]] = {}
        """The totals in the manifest of each child's last attempt."""
        self._s3 = job.client("s3")
        self.prefix = keys_of_batch.prefix_of(job.keys)
        listed: list[Any] = []
        self.has_more = False
        ends = keys_of_batch.range_ends(self._keys(listed))  # as the children divide the keys
        self.pictures = len(listed)
        self.children = [Child(index, self._thumbnails(listed, ends, index)) for index in range(job.children)]
        self._thread: threading.Thread | None = None

    @property
    def thumbnails_prefix(self) -> str:
        """The beginning of the keys of the job's thumbnails."""
        return f"{self.job.outputs['ThumbnailsFolder']}{keys_of_batch.encoded_key(self.prefix)}"

    @property
    def is_running(self) -> bool:
        """Whether an attempt has not ended."""
        return self._thread is not None and self._thread.is_alive()

    def delete_thumbnails(self) -> None:
        """Delete the thumbnails that earlier jobs made of the same pictures. Raises botocore's errors."""
        bucket = self.job.outputs["OutputBucketName"]
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=self.thumbnails_prefix)
        for page in pages:
            if found := [{"Key": item["Key"]} for item in page.get("Contents", [])]:
                self._s3.delete_objects(Bucket=bucket, Delete={"Objects": found})

    def start(self) -> None:
        """Start the next attempt of every child. Raises botocore's errors."""
        self.attempt += 1
        attempt = contextlib.ExitStack()
        processes = attempt.enter_context(self.job.running_children(attempt=self.attempt))
        for child, process in zip(self.children, processes, strict=True):
            child.process, child.was_killed = process, False
            child.log.clear()
        self._thread = threading.Thread(target=self._wait, args=(attempt,))
        self._thread.start()

    def kill(self) -> None:
        """Kill all children."""
        for child in self.children:
            child.kill()

    def close(self) -> None:
        """Kill all children, and wait until their processes have ended."""
        self.kill()
        if self._thread:
            self._thread.join()

    def _keys(self, listed: list[Any]) -> Iterator[str]:
        """Yield all keys, and append the first MAX_PICTURES objects to `listed`. The list of a bucket can be long."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.job.outputs["InputBucketName"], Prefix=self.prefix
        )
        for page in pages:
            for item in page.get("Contents", []):
                if len(listed) < MAX_PICTURES:
                    listed.append(item)
                else:
                    self.has_more = True
                yield item["Key"]

    def _thumbnails(self, listed: list[Any], ends: list[str], index: int) -> frozenset[str]:
        share = keys_of_batch.Share.of_child(ends, child=index, children=self.job.children)
        folder = self.job.outputs["ThumbnailsFolder"]
        return frozenset(
            folder + keys_of_batch.thumbnail_name(found["Key"], found["ETag"].strip('"'))
            for found in listed
            if share.contains(found["Key"]) and any(_is_in_range(found["Key"], keys) for keys in share.ranges)
        )

    def _wait(self, attempt: contextlib.ExitStack) -> None:
        with attempt:
            readers = [threading.Thread(target=_read_log, args=(child,)) for child in self.children]
            for reader in readers:
                reader.start()
            for child in self.children:
                if child.process:
                    child.process.wait()
        for reader in readers:
            reader.join()
        bucket = self.job.outputs["OutputBucketName"]
        with contextlib.suppress(*ERRORS):  # if the local AWS has ended, the page says so
            self.totals = last_attempts(self._s3, bucket, f"manifests/{self.job.id}/")


def list_objects(s3: Any, bucket: str, prefix: str) -> tuple[list[Any], bool]:
    """Return the first MAX_PICTURES objects, and whether there are more. Raises botocore's errors."""
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, PaginationConfig={"MaxItems": MAX_PICTURES}
    )
    found = [item for page in pages for item in page.get("Contents", [])]
    return found, pages.resume_token is not None


def _is_in_range(key: str, keys: "keys_of_batch.KeyRange") -> bool:
    return (keys.after is None or key > keys.after) and (keys.end is None or key <= keys.end)


def _read_log(child: Child) -> None:
    output: IO[str] | None = child.process.stdout if child.process else None
    if output:
        with output:
            child.log.extend(output)
