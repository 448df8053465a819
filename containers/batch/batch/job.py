"""One child of the array job: settles every picture in its share of the keys."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from batch.buckets import Buckets, PictureRemovedError
from batch.decoders import Decoders
from batch.keys import MAX_KEY_BYTES, Picture, is_in_share, thumbnail_name, with_done
from batch.manifest import Manifest, Outcome
from thumbnail.imaging import Rejected
from thumbnail.limits import Limits

THREADS = 3
"""Threads for each vCPU: while one waits for its decoder, two wait for S3."""
IN_FLIGHT = 4
"""Pictures for each vCPU that are in work or next. Those that are next need only their key in memory."""
MAX_FAILURES = 100
"""After so many failures the child gives up, because then AWS fails in general and not for single pictures."""
STOP_SECONDS = 20
"""Time for the pictures in work when the job has to stop. AWS Batch kills the job 30 seconds after SIGTERM.
https://aws.amazon.com/blogs/hpc/understanding-the-aws-batch-termination-process/"""
PROGRESS_SECONDS = 5

Settled = tuple[Outcome, str, dict[str, Any]]
"""The outcome of one picture, its key, and the other fields of its line in the manifest."""


@dataclass(kw_only=True)
class Job:
    """A child with its share of the keys and the parts that it works with."""

    prefix: str
    child: int
    children: int
    vcpus: int
    buckets: Buckets
    limits: Limits
    decoders: Decoders
    manifest: Manifest
    stopping: threading.Event
    """Set when the job has to stop: the child finishes the pictures in work and begins no other."""
    abandoned: bool = False
    """Whether the job stopped before all pictures in work were finished."""
    _pending: set[Future[Settled]] = field(default_factory=set)
    _reported: float = field(default_factory=time.monotonic)

    def run(self) -> bool:
        """Settle every picture of the share. Return False if AWS failed or the job had to stop before the end."""
        threads = ThreadPoolExecutor(THREADS * self.vcpus)
        try:
            listed = self._begin_all(threads)
        except (BotoCoreError, ClientError) as error:
            say("a list failed", error=str(error), child=self.child)
            listed = False
        self._finish()
        threads.shutdown(wait=False)
        self.report("ended", complete=listed)
        return listed

    def _begin_all(self, threads: ThreadPoolExecutor) -> bool:
        for picture, done in self._share():
            if done:
                self.manifest.add("skipped", picture.key)
                self._report_regularly()
            else:
                self._pending.add(threads.submit(self._settle, picture))
                self._collect(at_most=IN_FLIGHT * self.vcpus)
            if self.stopping.is_set() or self.manifest.counts["failed"] >= MAX_FAILURES:
                return False
        return True

    def _share(self) -> Iterator[tuple[Picture, bool]]:
        in_share = partial(is_in_share, child=self.child, children=self.children)
        pictures = (picture for picture in self.buckets.pictures(self.prefix) if in_share(picture.key))
        return with_done(pictures, self.buckets.names(self.prefix))

    def _collect(self, *, at_most: int) -> None:
        while len(self._pending) > at_most and not self.stopping.is_set():
            self._take(seconds=1)

    def _finish(self) -> None:
        self._collect(at_most=0)
        self._pending = {future for future in self._pending if not future.cancel()}  # drops those not yet begun
        deadline = time.monotonic() + STOP_SECONDS
        while self._pending and time.monotonic() < deadline:
            self._take(seconds=deadline - time.monotonic())
        self.abandoned = bool(self._pending)

    def _take(self, *, seconds: float) -> None:
        done, self._pending = wait(self._pending, seconds, FIRST_COMPLETED)
        for future in done:
            outcome, key, more = future.result()
            self.manifest.add(outcome, key, **more)
            if outcome == "failed":
                say("AWS failed", key=key, child=self.child, **more)
        self._report_regularly()

    def _settle(self, picture: Picture) -> Settled:
        try:
            return "made", picture.key, {"thumbnail": self._make(picture)}
        except Rejected as rejected:
            return "rejected", picture.key, {"reason": str(rejected)}
        except PictureRemovedError:
            return "skipped", picture.key, {"reason": "It was removed meanwhile."}
        except (BotoCoreError, ClientError) as error:
            return "failed", picture.key, {"reason": str(error)}

    def _make(self, picture: Picture) -> str:
        self.limits.check_size(picture.key, picture.size)
        length = self.buckets.key_length(thumbnail_name(picture.key, picture.etag))
        if length > MAX_KEY_BYTES:
            raise Rejected(f"Its thumbnail's key would have {length:,} bytes; S3 takes {MAX_KEY_BYTES:,}.")
        data, etag = self.buckets.read(picture.key, self.limits)
        return self.buckets.write(thumbnail_name(picture.key, etag), self.decoders.thumbnail(data))

    def _report_regularly(self) -> None:
        if time.monotonic() - self._reported >= PROGRESS_SECONDS:
            self.report("progress")

    def report(self, message: str, **more: Any) -> None:
        """Print how many pictures the child has settled, by outcome."""
        self._reported = time.monotonic()
        say(message, child=self.child, children=self.children, **self.manifest.counts, **more)


def say(message: str, **more: Any) -> None:
    """Print one line of JSON, so that CloudWatch Logs can search by field."""
    print(json.dumps({"message": message, **more}, ensure_ascii=False), flush=True)
