"""The work of one child of the array job: it processes every picture in its share of the keys.

To process a picture means to make its thumbnail, or to find the reason why this is impossible or not necessary.
"""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from batch.buckets import Buckets, PictureRemovedError
from batch.decoders import Decoders
from batch.division import Division, StoppedError
from batch.failures import describe
from batch.keys import MAX_KEY_BYTES, Picture, thumbnail_name, with_existing_thumbnails
from batch.manifest import Manifest, Outcome
from thumbnail.imaging import Rejected
from thumbnail.limits import Limits

THREADS = 3
"""Threads for each vCPU: while one thread waits for its decoder, two threads wait for S3."""
MAX_PENDING = 4
"""Pictures for each vCPU that are in progress or wait for a thread. A waiting picture needs memory only for its key."""
MAX_FAILURES = 100
"""After this number of failures the child gives up. Then AWS fails in general, or a bug affects many pictures."""
STOP_SECONDS = 20
"""When the job has to stop, the child has this time to finish the pictures that are being processed.
AWS Batch kills the job 30 seconds after SIGTERM.
https://aws.amazon.com/blogs/hpc/understanding-the-aws-batch-termination-process/"""
PROGRESS_SECONDS = 5
"""Seconds between two lines about the progress."""

Result = tuple[Outcome, str, dict[str, Any]]
"""The outcome of one picture, its key, and the other fields of its line in the manifest."""


@dataclass(kw_only=True)
class Child:
    """One child of the array job, with everything that it needs to process its share of the keys."""

    prefix: str
    index: int
    """The number of this child in the array, from 0."""
    children: int
    vcpus: int
    buckets: Buckets
    division: Division
    limits: Limits
    decoders: Decoders
    manifest: Manifest
    stopping: threading.Event
    """An event that is set when the job has to stop. Then the child finishes the pictures in progress and begins no
    other picture."""
    abandoned: bool = False
    """Whether the child ended before all pictures in progress were finished."""
    _pending: set[Future[Result]] = field(default_factory=set)
    _last_report: float = field(default_factory=time.monotonic)

    def run(self) -> bool:
        """Process every picture of the share. Return True if the child began all pictures.

        The child ends earlier if it cannot list a bucket, after MAX_FAILURES failures, or if the job has to stop. After
        an unexpected error it also ends earlier, so that its manifest still reports the finished pictures.
        """
        threads = ThreadPoolExecutor(THREADS * self.vcpus)
        try:
            began_all = self._begin_all(threads)
        except StoppedError:
            began_all = False
        except Exception as error:  # noqa: BLE001 - after a bug, the manifest is needed, too
            say("the child begins no more pictures", child=self.index, **describe(error))
            began_all = False
        self._finish()
        threads.shutdown(wait=False)
        self.report("ended", complete=began_all)
        return began_all

    def _begin_all(self, threads: ThreadPoolExecutor) -> bool:
        for picture, has_thumbnail in self._share():
            if has_thumbnail:
                self.manifest.add("skipped", picture.key)
                self._report_regularly()
            else:
                self._pending.add(threads.submit(self._process, picture))
                self._wait_until_pending(at_most=MAX_PENDING * self.vcpus)
            if self.stopping.is_set() or self.manifest.counts["failed"] >= MAX_FAILURES:
                return False
        return True

    def _share(self) -> Iterator[tuple[Picture, bool]]:
        share = self.division.share(self.prefix, child=self.index, children=self.children)
        for keys in share.ranges:
            listed = self.buckets.pictures(self.prefix, keys)
            pictures = (picture for picture in listed if share.contains(picture.key))
            yield from with_existing_thumbnails(pictures, self.buckets.thumbnail_names(self.prefix, keys.after))

    def _wait_until_pending(self, *, at_most: int) -> None:
        while len(self._pending) > at_most and not self.stopping.is_set():
            self._record_finished(timeout=1)

    def _finish(self) -> None:
        self._wait_until_pending(at_most=0)
        self._pending = {future for future in self._pending if not future.cancel()}  # drops pictures not yet begun
        deadline = time.monotonic() + STOP_SECONDS
        while self._pending and time.monotonic() < deadline:
            self._record_finished(timeout=deadline - time.monotonic())
        self.abandoned = bool(self._pending)

    def _record_finished(self, *, timeout: float) -> None:
        finished, self._pending = wait(self._pending, timeout, FIRST_COMPLETED)
        for future in finished:
            outcome, key, more = future.result()
            self.manifest.add(outcome, key, **more)
            if outcome == "failed":
                say("a picture failed", key=key, child=self.index, **more)
        self._report_regularly()

    def _process(self, picture: Picture) -> Result:
        try:
            return "made", picture.key, {"thumbnail": self._make_thumbnail(picture)}
        except Rejected as rejected:
            return "rejected", picture.key, {"reason": str(rejected)}
        except PictureRemovedError:
            return "skipped", picture.key, {"reason": "The picture was removed while the job ran."}
        except Exception as error:  # noqa: BLE001 - a bug that one picture reveals must not stop the other pictures
            return "failed", picture.key, describe(error)

    def _make_thumbnail(self, picture: Picture) -> str:
        self.limits.check_size(picture.key, picture.size)
        length = self.buckets.key_length(thumbnail_name(picture.key, picture.etag))
        if length > MAX_KEY_BYTES:
            raise Rejected(f"The key of its thumbnail would have {length:,} bytes; S3 allows {MAX_KEY_BYTES:,}.")
        data, etag = self.buckets.read(picture.key, self.limits)
        return self.buckets.write(thumbnail_name(picture.key, etag), self.decoders.thumbnail(data))

    def _report_regularly(self) -> None:
        if time.monotonic() - self._last_report >= PROGRESS_SECONDS:
            self.report("progress")

    def report(self, message: str, **more: Any) -> None:
        """Print how many pictures the child has processed, by outcome."""
        self._last_report = time.monotonic()
        say(message, child=self.index, children=self.children, **self.manifest.counts, **more)


def say(message: str, **more: Any) -> None:
    """Print one line of JSON, because CloudWatch Logs can search JSON by field."""
    print(json.dumps({"message": message, **more}, ensure_ascii=False), flush=True)
