"""The program as a container runs it: a process, its environment, signals and exit codes; against the local AWS."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws import Engine, LocalAws
from local.groups import end_group
from local.jobs import PROGRAM
from tests.handlers.thumbnail import pictures
from tests.support.waiting import wait_for

PICTURES = 40
SOME = 5


@dataclass
class World:
    """Two buckets of their own, and a program over them."""

    s3: Any
    environment: dict[str, str]
    name: str
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def put(self, pictures_: int) -> None:
        body = pictures.jpeg((1200, 900))  # some 10 ms each: time enough to be stopped in between
        for number in range(pictures_):
            self.s3.put_object(Bucket=f"{self.name}-in", Key=f"{number:03}.jpg", Body=body)

    def start(self, *arguments: str, attempt: int = 1, **environment: str) -> subprocess.Popen[str]:
        run = subprocess.Popen(
            [sys.executable, "-m", "batch", *(arguments or ("--keys", "*", "--children", "1"))],
            env={
                **self.environment,
                "PYTHONPATH": PROGRAM,
                "INPUT_BUCKET": f"{self.name}-in",
                "OUTPUT_BUCKET": f"{self.name}-out",
                "MAX_EDGE": "64",
                "MAX_BYTES": "1000000",
                "MAX_PIXELS": "2000000",
                "MAX_DECODING_BYTES": "100000000",
                "VCPUS": "1",
                "AWS_BATCH_JOB_ID": "job",
                "AWS_BATCH_JOB_ATTEMPT": str(attempt),
                **environment,
            },
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(run)
        return run

    def pause_midway(self, run: subprocess.Popen[str]) -> None:
        """Stop it when there are some thumbnails. It is stopped while they are counted, or it might be done by then."""

        def is_midway() -> bool:
            run.send_signal(signal.SIGSTOP)
            if len(self.versions()) >= SOME:
                return True
            run.send_signal(signal.SIGCONT)
            return False

        wait_for(is_midway, "some thumbnails")

    def versions(self) -> list[str]:
        """The key of every thumbnail, as often as it was written."""
        found = self.s3.list_object_versions(Bucket=f"{self.name}-out", Prefix="thumbnails/").get("Versions", [])
        return [one["Key"] for one in found]

    def drop(self, which: str) -> None:
        bucket = f"{self.name}-{which}"

        def dropped() -> bool:
            for version in self.s3.list_object_versions(Bucket=bucket).get("Versions", []):
                self.s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
            try:
                self.s3.delete_bucket(Bucket=bucket)
            except ClientError as error:  # what was sent by a process that is stopped since may still come in
                if error.response["Error"]["Code"] != "BucketNotEmpty":
                    raise
                return False
            return True

        wait_for(dropped, f"{bucket} to be empty")

    def sums(self, attempt: int) -> dict[str, Any]:
        key = f"manifests/job/00000.{attempt}.json"
        return dict(json.load(self.s3.get_object(Bucket=f"{self.name}-out", Key=key)["Body"]))


@pytest.fixture
def world(local_aws: LocalAws, engine: Engine) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as temporary:  # where one that is killed leaves its sockets
        environment = {**local_aws.environment(engine), "TMPDIR": temporary}
        world = World(local_aws.client("s3", engine), environment, f"batch-{uuid.uuid4()}")
        for bucket in (f"{world.name}-in", f"{world.name}-out"):
            world.s3.create_bucket(Bucket=bucket)
        world.s3.put_bucket_versioning(Bucket=f"{world.name}-out", VersioningConfiguration={"Status": "Enabled"})
        yield world
        for run in world.started:
            end_group(run.pid, run)  # a test that fails may leave one that waits for ever
            run.communicate()
    world.drop("in")
    world.drop("out")


@pytest.mark.parametrize(
    ("sign", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)], ids=["told to stop", "killed"]
)
def test_a_job_that_loses_its_host_goes_on_where_it_was(world: World, sign: signal.Signals, code: int) -> None:
    world.put(PICTURES)
    first = world.start()
    world.pause_midway(first)
    first.send_signal(sign)
    first.send_signal(signal.SIGCONT)
    words = first.communicate(timeout=30)
    assert first.returncode == code, words
    wait_for(lambda: _gone(first.pid), "its decoders to end with it", seconds=10)
    before = world.versions()
    assert SOME <= len(before) < PICTURES
    if sign is signal.SIGTERM:
        assert world.sums(1)["complete"] is False
        assert world.sums(1)["made"] == len(before)

    second = world.start(attempt=2)
    words = second.communicate(timeout=60)
    assert second.returncode == 0, words
    sums = world.sums(2)
    assert (sums["complete"], sums["made"], sums["skipped"]) == (True, PICTURES - len(before), len(before))
    versions = world.versions()
    assert len(versions) == len(set(versions)) == PICTURES, "one was lost, or done twice"


def test_a_host_that_takes_s3_along_is_a_lost_host_all_the_same(world: World) -> None:
    """Batch retries no exit code but 143: with another, the child that could not write its manifest would be lost."""
    world.put(PICTURES)
    run = world.start()
    world.pause_midway(run)
    world.drop("out")
    run.send_signal(signal.SIGTERM)
    run.send_signal(signal.SIGCONT)
    words = run.communicate(timeout=30)
    world.s3.create_bucket(Bucket=f"{world.name}-out")
    assert run.returncode == 143, words
    assert "NoSuchBucket" in words[0]


def _gone(group: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, 0)
        return False
    return True


def test_when_aws_fails_the_exit_code_says_so(world: World) -> None:
    world.put(1)
    run = world.start(OUTPUT_BUCKET="no-such-bucket-as-this")
    assert run.communicate(timeout=30)
    assert run.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "index", "said"),
    [
        (("--keys", "*.jpg", "--children", "1"), "0", "'*.jpg' is not like holiday/* or *"),
        (("--keys", "*", "--children", "2"), "2", "child 2 of 2: --children has to be the array's size"),
    ],
)
def test_a_job_that_was_submitted_wrongly_says_so(
    world: World, arguments: tuple[str, ...], index: str, said: str
) -> None:
    run = world.start(*arguments, AWS_BATCH_JOB_ARRAY_INDEX=index)
    assert said in run.communicate(timeout=30)[1]
    assert run.returncode == 2


def test_a_decoders_process_does_not_carry_the_sdk() -> None:
    """It is forked from what has imported the imaging alone: 30 MB less for each vCPU."""
    program = "import sys, batch.decoders, batch.__main__; sys.exit('botocore' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": PROGRAM}, check=True)
