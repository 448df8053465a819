"""These tests run the program of the Batch job as a container does, with environment variables, signals and exit codes.

The program uses the local AWS, a program that imitates AWS on this machine.
"""

import contextlib
import json
import os
import random
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

from batch import command
from local.batch_job import PYTHON_PATH
from localaws.aws import Engine, LocalAws
from localaws.process_groups import end_process_group
from tests.handlers.thumbnail import pictures
from tests.support.faulty_server import Fault, Request, forward_to, run_faulty_server
from tests.support.waiting import wait_for

PICTURE_COUNT = 40
MIDWAY_COUNT = 5
"""The tests pause the program when this number of thumbnails exists."""
FAULTS: list[Fault] = ["503", "503 cut off", "reset", "cut off", "cut off by reset"]
"""The faults of S3's answers that cost no waiting time."""


@dataclass
class World:
    """Two buckets for one test, and methods that fill them, run the program, and read the results."""

    s3: Any
    environment: dict[str, str]
    name: str
    runs: list[subprocess.Popen[str]] = field(default_factory=list)

    def put_pictures(self, count: int) -> None:
        """Put this number of equal pictures into the input bucket."""
        body = pictures.jpeg((1200, 900))  # needs about 10 ms, so a test can stop the job between two pictures
        for number in range(count):
            self.s3.put_object(Bucket=f"{self.name}-in", Key=f"{number:03}.jpg", Body=body)

    def start(self, *arguments: str, attempt: int = 1, **environment: str) -> subprocess.Popen[str]:
        """Start the program. By default, one child processes all keys."""
        run = subprocess.Popen(
            [sys.executable, "-m", "batch", *(arguments or ("--keys", "*", "--children", "1"))],
            env={
                **self.environment,
                "PYTHONPATH": PYTHON_PATH,
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
        self.runs.append(run)
        return run

    def pause_midway(self, run: subprocess.Popen[str]) -> None:
        """Pause the program when some thumbnails exist.

        A running program could end while the thumbnails are counted. So each count also pauses the program.
        """

        def is_midway() -> bool:
            run.send_signal(signal.SIGSTOP)
            if len(self.thumbnail_versions()) >= MIDWAY_COUNT:
                return True
            run.send_signal(signal.SIGCONT)
            return False

        wait_for(is_midway, "some thumbnails")

    def thumbnail_versions(self) -> list[str]:
        """Return the key of every version of every thumbnail. A thumbnail that was written twice has two versions."""
        versions = self.s3.list_object_versions(Bucket=f"{self.name}-out", Prefix="thumbnails/").get("Versions", [])
        return [version["Key"] for version in versions]

    def delete_bucket(self, suffix: str) -> None:
        """Delete one of the two buckets, `in` or `out`, with all its objects."""
        bucket = f"{self.name}-{suffix}"

        def is_deleted() -> bool:
            for version in self.s3.list_object_versions(Bucket=bucket).get("Versions", []):
                self.s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
            try:
                self.s3.delete_bucket(Bucket=bucket)
            except ClientError as error:  # requests of a killed process may still arrive
                if error.response["Error"]["Code"] != "BucketNotEmpty":
                    raise
                return False
            return True

        wait_for(is_deleted, f"the deletion of {bucket}")

    def totals(self, attempt: int) -> dict[str, Any]:
        """Return the totals in the manifest of an attempt. The manifest is the job's report about its pictures."""
        key = f"manifests/job/00000.{attempt}.json"
        return dict(json.load(self.s3.get_object(Bucket=f"{self.name}-out", Key=key)["Body"]))


@pytest.fixture
def world(local_aws: LocalAws, engine: Engine) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as temporary_folder:  # a killed process leaves sockets in this folder
        environment = {**local_aws.environment(engine), "TMPDIR": temporary_folder}
        world = World(local_aws.client("s3", engine), environment, f"batch-{uuid.uuid4()}")
        for bucket in (f"{world.name}-in", f"{world.name}-out"):
            world.s3.create_bucket(Bucket=bucket)
        world.s3.put_bucket_versioning(Bucket=f"{world.name}-out", VersioningConfiguration={"Status": "Enabled"})
        yield world
        for run in world.runs:
            end_process_group(run.pid, run)  # a failed test may leave a paused process
            run.communicate()
    world.delete_bucket("in")
    world.delete_bucket("out")


@pytest.mark.parametrize(
    ("sent_signal", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)], ids=["SIGTERM", "SIGKILL"]
)
def test_a_second_attempt_makes_only_the_missing_thumbnails(
    world: World, sent_signal: signal.Signals, exit_code: int
) -> None:
    """The first attempt ends early, as if AWS removed its instance."""
    world.put_pictures(PICTURE_COUNT)
    first_run = world.start()
    world.pause_midway(first_run)
    first_run.send_signal(sent_signal)
    first_run.send_signal(signal.SIGCONT)
    output = first_run.communicate(timeout=30)
    assert first_run.returncode == exit_code, output
    wait_for(lambda: _has_ended(first_run.pid), "the end of the decoders", seconds=10)
    first_versions = world.thumbnail_versions()
    assert MIDWAY_COUNT <= len(first_versions) < PICTURE_COUNT
    if sent_signal is signal.SIGTERM:
        assert world.totals(1)["complete"] is False
        assert world.totals(1)["made"] == len(first_versions)

    second_run = world.start(attempt=2)
    output = second_run.communicate(timeout=60)
    assert second_run.returncode == 0, output
    totals = world.totals(2)
    assert (totals["complete"], totals["made"], totals["skipped"]) == (
        True,
        PICTURE_COUNT - len(first_versions),
        len(first_versions),
    )
    versions = world.thumbnail_versions()
    assert len(versions) == len(set(versions)) == PICTURE_COUNT, "a thumbnail is missing or was written twice"


def test_a_stopped_child_exits_with_143_even_if_it_cannot_write_its_manifest(world: World) -> None:
    """143 is the only exit code after which Batch retries a child."""
    world.put_pictures(PICTURE_COUNT)
    run = world.start()
    world.pause_midway(run)
    world.delete_bucket("out")
    run.send_signal(signal.SIGTERM)
    run.send_signal(signal.SIGCONT)
    output = run.communicate(timeout=30)
    world.s3.create_bucket(Bucket=f"{world.name}-out")
    assert run.returncode == 143, output
    assert "NoSuchBucket" in output[0]


def _has_ended(process_group: int) -> bool:
    """Whether no process of the process group runs."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process_group, 0)
        return False
    return True


def test_no_picture_is_lost_when_40_percent_of_the_answers_of_s3_fail(world: World, engine: Engine) -> None:
    world.put_pictures(PICTURE_COUNT)
    faults: list[Fault | None] = []

    def choose_fault(request: Request) -> Fault | None:
        # The seed makes the faults of each request the same in every run.
        chance = random.Random(f"{request.method} {request.path.replace(world.name, '')} {request.earlier}")  # noqa: S311
        fault = chance.choice(FAULTS) if chance.random() < 0.4 else None
        faults.append(fault)
        return fault

    with run_faulty_server(forward_to(engine.endpoint), choose_fault) as endpoint:
        run = world.start(AWS_ENDPOINT_URL_S3=endpoint)
        output = run.communicate(timeout=120)
    assert run.returncode == 0, output
    assert (world.totals(1)["complete"], world.totals(1)["made"]) == (True, PICTURE_COUNT)
    assert {*FAULTS} <= {*faults}


def test_the_exit_code_is_1_when_aws_fails(world: World) -> None:
    world.put_pictures(1)
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
def test_a_wrong_command_line_gets_an_error_message(
    world: World, arguments: tuple[str, ...], index: str, message: str
) -> None:
    run = world.start(*arguments, AWS_BATCH_JOB_ARRAY_INDEX=index)
    assert message in run.communicate(timeout=30)[1]
    assert run.returncode == 2


@pytest.mark.parametrize(
    "keys",
    ["*", "-dash*", "--*", "--children*", "--keys*", "-1*", "-h*", "a b*", "@file*", "Ref::keys*", "--keys=a*", "ünï*"],
)
def test_the_keys_may_look_like_an_option(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    """AWS Batch passes the keys as a word of their own."""
    monkeypatch.setattr(sys, "argv", ["batch", "--keys", keys, "--children", "2"])
    arguments = command._arguments({"AWS_BATCH_JOB_ARRAY_INDEX": "1"})
    assert (arguments.prefix, arguments.child, arguments.children) == (keys.removesuffix("*"), 1, 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--keys", "", "--children", "1"], "--keys: '' is not like holiday/* or *"),
        (["--keys", "-dash", "--children", "1"], "--keys: '-dash' is not like holiday/* or *"),
        (["--children", "1", "--keys"], "--keys: expected one argument"),
        (["--keys", "*", "--children", "Ref::children"], "--children: invalid int value: 'Ref::children'"),
        (["--keys", "*", "--child", "1"], "the following arguments are required: --children"),
    ],
)
def test_the_error_names_the_wrong_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["batch", *words])
    with pytest.raises(SystemExit):
        command._arguments({})
    assert message in capsys.readouterr().err


def test_the_decoders_do_not_import_botocore() -> None:
    """Without botocore, the process of each vCPU needs 30 MB less memory."""
    program = "import sys, batch.decoders, batch.__main__; sys.exit('botocore' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": PYTHON_PATH}, check=True)
