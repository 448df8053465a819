"""Starts one child: reads its command line and environment, handles signals, and sets the exit code."""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from types import FrameType
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from batch.buckets import Buckets
from batch.decoders import Decoders
from batch.division import Division
from batch.failures import AWS_ERRORS, describe, repetition
from batch.job import THREADS, Child, say
from batch.keys import prefix_of
from batch.manifest import Manifest
from thumbnail.limits import Limits

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OPTIONS = ("--keys", "--children")
"""The options of the program. Each has a value."""
AWS_FAILED = 1
"""Exit code of a child that did not process all its pictures, because AWS failed or the program has a bug."""
STOPPED = 128 + signal.SIGTERM
"""Exit code 143 of a child that had to stop, usually because AWS takes its instance away. The job definition has a rule
that Batch retries a child with this code."""


def main() -> int:
    """Run one child. Exit code 0: every picture was processed or rejected. 1: AWS or a picture failed. 143: stopped."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        return _run(_arguments(os.environ), os.environ, stopping)
    except AWS_ERRORS as error:
        say("AWS failed", **describe(error))
        return STOPPED if stopping.is_set() else AWS_FAILED


def _run(arguments: argparse.Namespace, environment: Mapping[str, str], stopping: threading.Event) -> int:
    started = time.monotonic()
    vcpus = int(environment.get("VCPUS", "0")) or len(os.sched_getaffinity(0))
    limits = Limits.from_environment(environment)
    decoders = Decoders(vcpus, limits)
    s3, repeat, output = _client(vcpus), repetition(stopping), environment["OUTPUT_BUCKET"]
    # Batch sets AWS_BATCH_JOB_ID to <id of the array job>:<index of the child>.
    job_id, attempt = environment["AWS_BATCH_JOB_ID"].partition(":")[0], int(environment["AWS_BATCH_JOB_ATTEMPT"])
    manifest = Manifest(s3, repeat, output, f"manifests/{job_id}/{arguments.child:05}.{attempt}")
    buckets = Buckets(
        s3,
        repeat,
        pictures=environment["INPUT_BUCKET"],
        thumbnails=output,
        folder=f"thumbnails/{limits.max_edge}/",
    )
    child = Child(
        prefix=arguments.prefix,
        index=arguments.child,
        children=arguments.children,
        vcpus=vcpus,
        buckets=buckets,
        division=Division(
            s3, repeat, buckets, bucket=output, key=f"manifests/{job_id}/ranges.jsonl", stopping=stopping
        ),
        limits=limits,
        decoders=decoders,
        manifest=manifest,
        stopping=stopping,
    )
    complete = child.run()
    try:
        manifest.close(
            complete=complete,
            child=arguments.child,
            children=arguments.children,
            attempt=attempt,
            seconds=round(time.monotonic() - started, 1),
        )
    except AWS_ERRORS as error:
        say("the manifest was not written", **describe(error))
        raise
    finally:
        if child.abandoned:
            sys.stdout.flush()
            os._exit(STOPPED)  # a normal exit waits until the abandoned pictures are finished
    code = STOPPED if stopping.is_set() else AWS_FAILED if not complete or manifest.counts["failed"] else 0
    decoders.close()
    return code


def _arguments(environment: Mapping[str, str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m batch", description=main.__doc__, allow_abbrev=False)
    parser.add_argument(
        "--keys", required=True, help="holiday/* selects the keys that begin with holiday/; * selects all keys"
    )
    parser.add_argument(
        "--children", type=int, required=True, help="number of children; 1 if the job is not an array job"
    )
    arguments = parser.parse_args(_join_options(sys.argv[1:]))
    try:
        arguments.prefix = prefix_of(arguments.keys)
    except ValueError as error:
        parser.error(f"--keys: {error}")
    # AWS Batch passes each child its index but not the number of children.
    arguments.child = int(environment.get("AWS_BATCH_JOB_ARRAY_INDEX", "0"))
    if not 0 <= arguments.child < arguments.children:
        parser.error(f"child {arguments.child} of {arguments.children}: --children must be the size of the array")
    return arguments


def _join_options(words: list[str]) -> list[str]:
    # AWS Batch passes an option and its value as two words. If the value begins with a dash, argparse would take it for
    # an option. As one word, such as `--keys=-1/*`, it is certainly a value.
    remaining, joined = iter(words), []
    for word in remaining:
        value = next(remaining, None) if word in OPTIONS else None
        joined.append(word if value is None else f"{word}={value}")
    return joined


def _client(vcpus: int) -> "S3Client":
    return boto3.client(
        "s3",
        config=Config(
            connect_timeout=5,
            read_timeout=20,
            retries={"mode": "standard", "total_max_attempts": 5},  # enough for half a minute of "slow down" errors
            max_pool_connections=THREADS * vcpus + 1,  # the lists need one more connection
        ),
    )
