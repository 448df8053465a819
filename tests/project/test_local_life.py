"""These tests check `make local` after failures: a used port, a killed engine, or an interrupted deployment.

The engine is the process of the local AWS, which imitates AWS on this machine.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from local.__main__ import _engine, _explain_errors, _lock, down, up
from local.console_process import ConsoleProcess
from local.project import PHOTO, SETTINGS
from localaws.aws import PORT, Engine, LocalAws, LocalError
from localaws.cdk import Cdk
from tests.support.folders import ROOT
from tests.support.make_local import make_local
from tests.support.waiting import wait_for

pytestmark = pytest.mark.local


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    # In these tests, ECS tasks run as processes. The smoke tests run them as containers if a container tool exists.
    monkeypatch.setenv("LOCAL_CONTAINERS", "none")
    aws = LocalAws(tmp_path / "it's here", SETTINGS)
    yield aws
    aws.stop()


def test_if_another_process_uses_the_default_port_the_engine_uses_a_free_port(
    aws: LocalAws, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other_server:
        other_server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other_server.bind(("127.0.0.1", PORT))
            other_server.listen()
        except OSError:
            print("another process already uses the port, so the test works without other_server")
        engine = _engine(aws)
    assert engine.port != PORT
    assert f"another process uses port {PORT}, so the local AWS uses port {engine.port}" in capsys.readouterr().out


def test_make_local_uses_a_running_engine_again_and_replaces_a_killed_engine(aws: LocalAws) -> None:
    first = _engine(aws)
    assert _engine(aws) == first
    os.kill(first.pid, signal.SIGKILL)
    second = _engine(aws)
    assert second.pid != first.pid
    assert aws.running_engine() == second


def test_an_engine_of_an_older_version_is_replaced(aws: LocalAws) -> None:
    """An engine of an older version has no site_port: it does not run the web site that the cron example checks."""
    first = _engine(aws)
    (aws.folder / "engine.json").write_text(f'{{"pid": {first.pid}, "port": {first.port}}}')
    second = _engine(aws)
    assert second.site_port
    assert not psutil.pid_exists(first.pid)


QUEUE = {"Type": "AWS::SQS::Queue"}
REFUSED_QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "standard.fifo"}}
"""A queue that SQS refuses to create, because only a FIFO queue can have this name."""


def deploy(aws: LocalAws, engine: Engine, operation: str, resources: Any) -> str:
    """Create or update a stack. Return its status."""
    cloudformation = aws.client("cloudformation", engine)
    getattr(cloudformation, f"{operation}_stack")(
        StackName="example", TemplateBody=json.dumps({"Resources": resources})
    )
    return wait_for(lambda: finished_status(cloudformation), "the end of the deployment")


def finished_status(cloudformation: Any) -> str | None:
    status = str(cloudformation.describe_stacks(StackName="example")["Stacks"][0]["StackStatus"])
    return None if status.endswith("_IN_PROGRESS") else status


def fail_deployment(aws: LocalAws) -> None:
    with pytest.raises(LocalError), aws.deploying():
        raise LocalError("the CDK CLI failed")


def test_after_a_failed_update_the_engine_and_its_data_remain(
    aws: LocalAws, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = _engine(aws)
    deploy(aws, engine, "create", {"Queue": QUEUE})
    aws.client("s3", engine).create_bucket(Bucket="mine")
    assert deploy(aws, engine, "update", {"Queue": QUEUE, "Other": REFUSED_QUEUE}) == "UPDATE_ROLLBACK_COMPLETE"
    fail_deployment(aws)
    assert _engine(aws) == engine
    assert [bucket["Name"] for bucket in aws.client("s3", engine).list_buckets()["Buckets"]] == ["mine"]
    assert "the last deployment failed, but every stack is in a complete state, so all data is kept" in (
        capsys.readouterr().out
    )


def test_after_a_failed_synthesis_the_engine_remains(aws: LocalAws) -> None:
    engine = _engine(aws)
    fail_deployment(aws)
    assert _engine(aws) == engine


def test_after_a_failed_creation_a_new_engine_starts(aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> None:
    first = _engine(aws)
    assert deploy(aws, first, "create", {"Queue": REFUSED_QUEUE}) == "ROLLBACK_COMPLETE"
    fail_deployment(aws)
    second = _engine(aws)
    assert second.pid != first.pid
    assert not psutil.pid_exists(first.pid)
    assert not aws.is_incomplete
    assert "the last deployment was not completed: example (ROLLBACK_COMPLETE). A new" in capsys.readouterr().out


def test_a_second_make_local_in_the_same_folder_is_an_error(tmp_path: Path) -> None:
    with _lock(tmp_path):
        second = make_local("up", tmp_path)
    assert second.returncode == 1
    assert second.stderr.startswith("error: make local or make watch works in")
    assert LocalAws(tmp_path).running_engine() is None


def test_a_missing_photo_is_reported_before_anything_starts(tmp_path: Path) -> None:
    run = make_local("up", tmp_path, "--photo", str(tmp_path / "none.jpg"))
    assert run.stderr == f"error: PHOTO={tmp_path / 'none.jpg'}: this file does not exist\n"
    assert LocalAws(tmp_path).running_engine() is None


@pytest.mark.parametrize("bucket", ["compute-thumbnail-uploads", "cdk-hnb659fds-assets-000000000000-us-east-1"])
def test_down_reports_resources_that_were_not_destroyed(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch, bucket: str
) -> None:
    engine = aws.start()
    monkeypatch.setattr(Cdk, "destroy", lambda _: None)
    monkeypatch.setattr("local.__main__._stack_names", lambda _: {"thumbnail": "compute-thumbnail"})
    aws.client("s3", engine).create_bucket(Bucket=bucket)
    with pytest.raises(LocalError, match=f"these resources were not destroyed: bucket {bucket}"):
        down(aws)
    assert not psutil.pid_exists(engine.pid)


@pytest.mark.parametrize(
    "error", [LocalError("the job failed:\nline 1\nline 2"), requests.ConnectionError("refused"), KeyError("Items")]
)
def test_an_error_of_an_exercise_and_the_end_of_the_engine_are_reported_in_one_line(
    aws: LocalAws, error: Exception
) -> None:
    engine = aws.start()
    message = r"the job failed:\nline 1" if isinstance(error, LocalError) else r"^the batch example failed: [^\n]+$"
    with pytest.raises(LocalError, match=message), _explain_errors(aws, "batch"):
        raise error
    os.kill(engine.pid, signal.SIGKILL)
    wait_for(lambda: aws.alive_engine() is None, "the end of the engine")
    message = r"^the local AWS ended during the batch example\. Its log: [^\n]+$"
    with pytest.raises(LocalError, match=message), _explain_errors(aws, "batch"):
        raise error


def test_the_error_of_a_deployment_names_the_page_with_the_deployed_examples(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The console has started before the deployment."""

    def fail(*_: object) -> None:
        raise LocalError("it failed")

    monkeypatch.setattr("local.__main__._deploy", fail)
    try:
        with pytest.raises(LocalError, match=r"^it failed\n[^\n]+ The page http://127\.0\.0\.1:\d+/ shows [^\n]+$"):
            up(aws, PHOTO)
    finally:
        ConsoleProcess(aws).stop()


def test_after_an_incomplete_deployment_down_only_stops_the_engine(
    aws: LocalAws, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = aws.start()
    with pytest.raises(LocalError), aws.deploying():
        raise LocalError("interrupted")
    down(aws)
    assert "the last deployment was not completed" in capsys.readouterr().out
    assert not psutil.pid_exists(engine.pid)


@pytest.mark.skipif(
    not Path("/proc").exists(), reason="the test reads the list of processes that only Linux has in /proc"
)
@pytest.mark.parametrize(
    ("signal_number", "output_before_signal"),
    [(signal.SIGINT, "    synthesizing: "), (signal.SIGHUP, "==> synthesize and deploy")],
)
def test_an_interrupted_deployment_leaves_nothing_running(
    aws: LocalAws, signal_number: signal.Signals, output_before_signal: str
) -> None:
    """The person presses Ctrl-C during the deployment, or closes the terminal during the synthesis."""
    with subprocess.Popen(
        [sys.executable, "-m", "local", "up", "--folder", str(aws.folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as up:
        assert up.stdout is not None
        assert up.stderr is not None
        for line in up.stdout:
            if line.startswith(output_before_signal):
                break
        engine = aws.running_engine()
        wait_for(
            lambda: len(_processes_of(aws)) > 2, "a process of the CDK CLI, in addition to the engine and the command"
        )
        os.killpg(up.pid, signal_number)  # a terminal sends the signal to the process group
        assert "no process is left running" in up.stderr.read()
        assert up.wait() == 1
    assert engine is not None
    assert not psutil.pid_exists(engine.pid)
    assert _processes_of(aws) == []
    assert aws.running_engine() is None


def _processes_of(aws: LocalAws) -> list[str]:
    # The path of the folder is in the arguments or in the environment of every process that `make local` starts.
    command_lines = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # the process has ended
            if os.fsencode(aws.folder) in (process / "cmdline").read_bytes() + (process / "environ").read_bytes():
                command_lines.append((process / "cmdline").read_text())
    return command_lines
