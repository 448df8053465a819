"""The local AWS when things go wrong: a used port, an engine that dies, an interrupted deployment."""

import contextlib
import http.client
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.__main__ import _engine, _lock, down
from local.project import SETTINGS
from localaws.aws import PORT, LocalAws, LocalError
from localaws.cdk import Cdk
from localaws.environment import engine_variables
from tests.support.folders import ROOT
from tests.support.make_local import make_local
from tests.support.waiting import wait_for

pytestmark = pytest.mark.local


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    # Tasks are processes in these tests. The smoke tests use containers where a tool exists.
    monkeypatch.setenv("LOCAL_CONTAINERS", "none")
    aws = LocalAws(tmp_path / "it's here", SETTINGS)
    yield aws
    aws.stop()


def test_a_free_port_is_used_if_the_usual_one_is_taken(aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", PORT))
            other.listen()
        except OSError:
            print("another process uses the port already, which serves the test as well")
        engine = _engine(aws)
    assert engine.port != PORT
    assert f"another process uses port {PORT}, so the local AWS uses port {engine.port}" in capsys.readouterr().out


def _open_files(pid: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed after it was listed
            yield str(descriptor.readlink())


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads Linux's table of listening sockets")
def test_the_engine_listens_only_on_this_machine(aws: LocalAws) -> None:
    engine = aws.start()
    sockets = {*_open_files(engine.pid)}
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{engine.pid}/net/{table}").read_text().splitlines()[1:]
    ]
    listening = {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}
    assert listening == {f"0100007F:{port:04X}" for port in (engine.port, engine.site_port)}


def test_the_site_is_down_while_the_file_exists(aws: LocalAws) -> None:
    engine = aws.start()

    def status() -> int:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", engine.site_port, timeout=10)) as connection:
            connection.request("GET", "/")
            return connection.getresponse().status

    assert engine.site == f"http://127.0.0.1:{engine.site_port}/"
    assert status() == 200
    aws.site_down_file.touch()
    assert status() == 503
    aws.stop()
    with pytest.raises(ConnectionRefusedError):
        status()
    assert not aws.site_down_file.exists(), "otherwise the site would be down at the next start"


def test_the_engine_does_not_touch_the_persons_containers(aws: LocalAws) -> None:
    socket_ = engine_variables(PORT, aws.folder, ROOT)["DOCKER_HOST"].removeprefix("unix://")
    assert socket_.startswith(str(aws.folder))
    assert not Path(socket_).exists()


def test_a_running_engine_is_used_again_and_a_killed_one_replaced(aws: LocalAws) -> None:
    first = _engine(aws)
    assert _engine(aws) == first
    os.kill(first.pid, signal.SIGKILL)
    second = _engine(aws)
    assert second.pid != first.pid
    assert aws.running() == second


def test_an_engine_of_an_older_version_is_replaced(aws: LocalAws) -> None:
    """Such an engine has no site for the cron example."""
    first = _engine(aws)
    (aws.folder / "engine.json").write_text(f'{{"pid": {first.pid}, "port": {first.port}}}')
    second = _engine(aws)
    assert second.site_port
    assert not psutil.pid_exists(first.pid)


def test_an_incomplete_deployment_gets_a_new_engine(aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> None:
    first = _engine(aws)
    with pytest.raises(LocalError), aws.deploying():
        raise LocalError("interrupted")
    second = _engine(aws)
    assert second.pid != first.pid
    assert not psutil.pid_exists(first.pid)
    assert not aws.half_done
    assert "the last deployment was not completed" in capsys.readouterr().out


def test_stopping_leaves_no_process_and_no_file_in_the_temporary_folder(aws: LocalAws) -> None:
    engine = aws.start()
    aws.stop()
    assert not psutil.pid_exists(engine.pid)
    assert aws.running() is None
    assert {path.name for path in aws.folder.iterdir()} == {"engine.log"}


def test_a_process_id_from_before_a_restart_is_not_killed(aws: LocalAws) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as innocent:
        aws.folder.mkdir()
        (aws.folder / "engine.json").write_text(f'{{"pid": {innocent.pid}, "port": 4566}}')
        assert aws.running() is None
        aws.stop()
        assert innocent.poll() is None
        (aws.folder / "engine.json").write_text("")  # an incomplete file is ignored too
        assert aws.running() is None
        innocent.kill()


def test_the_cli_is_ended_when_the_engine_has_ended(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = aws.start()
    cdk = Cdk(aws, engine)
    monkeypatch.setattr(cdk, "_command", "sleep")
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(LocalError, match="the local AWS ended while testing"):
        cdk._run("60", activity="testing")


def test_a_second_make_local_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with _lock(tmp_path):
        second = make_local("up", tmp_path)
    assert second.returncode == 1
    assert second.stderr.startswith("error: another make local runs in")
    assert LocalAws(tmp_path).running() is None


def test_a_missing_photo_is_reported_before_anything_starts(tmp_path: Path) -> None:
    run = make_local("up", tmp_path, "--photo", str(tmp_path / "none.jpg"))
    assert run.stderr == f"error: PHOTO={tmp_path / 'none.jpg'}: this file does not exist\n"
    assert LocalAws(tmp_path).running() is None


@pytest.mark.parametrize("bucket", ["compute-thumbnail-uploads", "cdk-hnb659fds-assets-000000000000-us-east-1"])
def test_down_reports_what_the_destruction_left(aws: LocalAws, monkeypatch: pytest.MonkeyPatch, bucket: str) -> None:
    engine = aws.start()
    monkeypatch.setattr(Cdk, "destroy", lambda _: None)
    aws.client("s3", engine).create_bucket(Bucket=bucket)
    with pytest.raises(LocalError, match=f"the destruction left: bucket {bucket}"):
        down(aws)
    assert not psutil.pid_exists(engine.pid)


def test_down_drops_an_incomplete_deployment(aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> None:
    engine = aws.start()
    with pytest.raises(LocalError), aws.deploying():
        raise LocalError("interrupted")
    down(aws)
    assert "was not completed: it ends with the engine" in capsys.readouterr().out
    assert not psutil.pid_exists(engine.pid)


def test_the_reason_is_reported_if_the_engine_cannot_start(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "_command", [sys.executable, "-c", "raise SystemExit('the disk is full')"])
    with pytest.raises(LocalError, match="the disk is full"):
        aws.start()
    assert aws.running() is None


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads Linux's list of processes")
@pytest.mark.parametrize(
    ("sign", "after"), [(signal.SIGINT, "    synthesizing: "), (signal.SIGHUP, "==> synthesize and deploy")]
)
def test_an_interrupted_deployment_leaves_nothing_running(aws: LocalAws, sign: signal.Signals, after: str) -> None:
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
            if line.startswith(after):
                break
        engine = aws.running()
        wait_for(lambda: len(_processes_of(aws)) > 2, "the CLI to run beside the engine and the command")
        os.killpg(up.pid, sign)  # a terminal sends the signal to the process group
        assert "no process is left running" in up.stderr.read()
        assert up.wait() == 1
    assert engine is not None
    assert not psutil.pid_exists(engine.pid)
    assert _processes_of(aws) == []
    assert aws.running() is None


def _processes_of(aws: LocalAws) -> list[str]:
    # Every process has the folder in its arguments, or, if the CLI starts it, in its environment.
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # the process has ended
            if os.fsencode(aws.folder) in (process / "cmdline").read_bytes() + (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
    return found


def test_the_persons_aws_settings_are_not_used(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "CDK_HOME"):
        monkeypatch.setenv(name, "the person's")
    engine = aws.start()
    environment = aws.environment(engine)
    assert "the person's" not in environment.values()
    assert environment["CDK_HOME"] == str(aws.folder / "cdk-home")
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    exported = aws.env_file.read_text()
    run = subprocess.run(
        ["sh", "-c", f". {shlex.quote(str(aws.env_file))} && aws s3 mb s3://by-hand && aws s3 ls"],
        env={"PATH": os.environ["PATH"], "HOME": str(aws.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "by-hand" in run.stdout, run.stderr + exported
