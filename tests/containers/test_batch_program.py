"""The job's program as a container runs it, against the local AWS: environment, signals and exit codes."""

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

from local.batch_job import PROGRAM
from localaws.aws import Engine, LocalAws
from localaws.process_groups import end_process_group
from tests.handlers.thumbnail import pictures
from tests.support.waiting import wait_for

PICTURES = 40
SOME = 5


@dataclass
class World:
    """Two buckets for one test, and a way to run the program on them."""

    s3: Any
    environment: dict[str, str]
    name: str
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def put(self, pictures_: int) -> None:
        body = pictures.jpeg((1200, 900))  # takes about 10 ms, so the job can be stopped between two pictures
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
        """Pause the program when some thumbnails exist. Each count pauses it, or it might end during the count."""

        def is_midway() -> bool:
            run.send_signal(signal.SIGSTOP)
            if len(self.versions()) >= SOME:
                return True
            run.send_signal(signal.SIGCONT)
            return False

        wait_for(is_midway, "some thumbnails")

    def versions(self) -> list[str]:
        """Return the key of every thumbnail, once for each time that it was written."""
        found = self.s3.list_object_versions(Bucket=f"{self.name}-out", Prefix="thumbnails/").get("Versions", [])
        return [one["Key"] for one in found]

    def drop(self, which: str) -> None:
        bucket = f"{self.name}-{which}"

        def dropped() -> bool:
            for version in self.s3.list_object_versions(Bucket=bucket).get("Versions", []):
                self.s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
            try:
                self.s3.delete_bucket(Bucket=bucket)
            except ClientError as error:  # requests of a killed process may still arrive
                if error.response["Error"]["Code"] != "BucketNotEmpty":
                    raise
                return False
            return True

        wait_for(dropped, f"{bucket} to be empty")

    def totals(self, attempt: int) -> dict[str, Any]:
        key = f"manifests/job/00000.{attempt}.json"
        return dict(json.load(self.s3.get_object(Bucket=f"{self.name}-out", Key=key)["Body"]))


@pytest.fixture
def world(local_aws: LocalAws, engine: Engine) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as temporary:  # a killed process leaves sockets in it
        environment = {**local_aws.environment(engine), "TMPDIR": temporary}
        world = World(local_aws.client("s3", engine), environment, f"batch-{uuid.uuid4()}")
        for bucket in (f"{world.name}-in", f"{world.name}-out"):
            world.s3.create_bucket(Bucket=bucket)
        world.s3.put_bucket_versioning(Bucket=f"{world.name}-out", VersioningConfiguration={"Status": "Enabled"})
        yield world
        for run in world.started:
            end_process_group(run.pid, run)  # a failed test may leave a paused process
            run.communicate()
    world.drop("in")
    world.drop("out")


@pytest.mark.parametrize(
    ("sign", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)], ids=["told to stop", "killed"]
)
def test_a_second_attempt_continues_where_the_lost_host_stopped(world: World, sign: signal.Signals, code: int) -> None:
    world.put(PICTURES)
    first = world.start()
    world.pause_midway(first)
    first.send_signal(sign)
    first.send_signal(signal.SIGCONT)
    output = first.communicate(timeout=30)
    assert first.returncode == code, output
    wait_for(lambda: _has_ended(first.pid), "the decoders to end with the job", seconds=10)
    before = world.versions()
    assert SOME <= len(before) < PICTURES
    if sign is signal.SIGTERM:
        assert world.totals(1)["complete"] is False
        assert world.totals(1)["made"] == len(before)

    second = world.start(attempt=2)
    output = second.communicate(timeout=60)
    assert second.returncode == 0, output
    totals = world.totals(2)
    assert (totals["complete"], totals["made"], totals["skipped"]) == (True, PICTURES - len(before), len(before))
    versions = world.versions()
    assert len(versions) == len(set(versions)) == PICTURES, "a picture was lost or done twice"


def test_a_stopped_child_exits_with_143_even_if_it_cannot_write_its_manifest(world: World) -> None:
    """Batch retries only exit code 143. With another code the child would be given up."""
    world.put(PICTURES)
    run = world.start()
    world.pause_midway(run)
    world.drop("out")
    run.send_signal(signal.SIGTERM)
    run.send_signal(signal.SIGCONT)
    output = run.communicate(timeout=30)
    world.s3.create_bucket(Bucket=f"{world.name}-out")
    assert run.returncode == 143, output
    assert "NoSuchBucket" in output[0]


def _has_ended(process_group: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process_group, 0)
        return False
    return True


def test_the_exit_code_is_1_when_aws_fails(world: World) -> None:
    world.put(1)
    run = world.start(OUTPUT_BUCKET="no-such-bucket-as-this")
    assert run.communicate(timeout=30)
    assert run.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "index", "message"),
    [
        (("--keys", "*.jpg", "--children", "1"), "0", "'*.jpg' is not like holiday/* or *"),
        (("--keys", "*", "--children", "2"), "2", "child 2 of 2: --children must be the size of the array"),
    ],
)
def test_a_wrong_command_line_is_explained(world: World, arguments: tuple[str, ...], index: str, message: str) -> None:
    run = world.start(*arguments, AWS_BATCH_JOB_ARRAY_INDEX=index)
    assert message in run.communicate(timeout=30)[1]
    assert run.returncode == 2


def test_the_decoders_do_not_import_the_sdk() -> None:
    """This saves 30 MB for each vCPU."""
    program = "import sys, batch.decoders, batch.__main__; sys.exit('botocore' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": PROGRAM}, check=True)
