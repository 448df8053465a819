"""The local AWS when things go wrong: a port that is taken, an engine that dies, a deployment that breaks off."""

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

from local.__main__ import _alone, _engine, down
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
    # Tasks are processes here. They are containers, where there is a tool, in what the smoke tests try.
    monkeypatch.setenv("LOCAL_CONTAINERS", "none")
    aws = LocalAws(tmp_path / "it's here", SETTINGS)
    yield aws
    aws.stop()


def test_a_taken_port_is_said_and_another_is_used(aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", PORT))
            other.listen()
        except OSError:
            print("taken already: as well")
        engine = _engine(aws)
    assert engine.port != PORT
    assert f"port {PORT} is taken by another process: using {engine.port}" in capsys.readouterr().out


def _open_files(pid: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since they were listed
            yield str(descriptor.readlink())


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads Linux's table of listening sockets")
def test_it_listens_on_this_machine_alone(aws: LocalAws) -> None:
    engine = aws.start()
    sockets = {*_open_files(engine.pid)}
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{engine.pid}/net/{table}").read_text().splitlines()[1:]
    ]
    listening = {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}
    assert listening == {f"0100007F:{port:04X}" for port in (engine.port, engine.site_port)}


def test_the_site_is_down_while_there_is_a_file(aws: LocalAws) -> None:
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
    assert not aws.site_down_file.exists(), "or it would be down the next time"


def test_it_keeps_away_from_the_persons_containers(aws: LocalAws) -> None:
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
    """It has no site for the cron example."""
    first = _engine(aws)
    (aws.folder / "engine.json").write_text(f'{{"pid": {first.pid}, "port": {first.port}}}')
    second = _engine(aws)
    assert second.site_port
    assert not psutil.pid_exists(first.pid)


def test_after_a_half_done_deployment_it_starts_afresh(aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> None:
    first = _engine(aws)
    with pytest.raises(LocalError), aws.deploying():
        raise LocalError("broken off")
    second = _engine(aws)
    assert second.pid != first.pid
    assert not psutil.pid_exists(first.pid)
    assert not aws.half_done
    assert "the last deployment broke off half done: starting afresh" in capsys.readouterr().out


def test_stopping_leaves_no_process_and_no_file_in_the_temporary_folder(aws: LocalAws) -> None:
    engine = aws.start()
    aws.stop()
    assert not psutil.pid_exists(engine.pid)
    assert aws.running() is None
    assert {path.name for path in aws.folder.iterdir()} == {"engine.log"}


def test_a_number_left_from_before_a_restart_is_no_reason_to_kill(aws: LocalAws) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as innocent:
        aws.folder.mkdir()
        (aws.folder / "engine.json").write_text(f'{{"pid": {innocent.pid}, "port": 4566}}')
        assert aws.running() is None
        aws.stop()
        assert innocent.poll() is None
        (aws.folder / "engine.json").write_text("")  # nor is a file that was cut off
        assert aws.running() is None
        innocent.kill()


def test_the_cli_does_not_wait_for_an_engine_that_is_gone(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = aws.start()
    cdk = Cdk(aws, engine)
    monkeypatch.setattr(cdk, "_command", "sleep")
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(LocalError, match="the local AWS ended while testing"):
        cdk._run("60", activity="testing")


def test_two_at_once_do_not_get_into_each_others_way(tmp_path: Path) -> None:
    with _alone(tmp_path):
        second = make_local("up", tmp_path)
    assert second.returncode == 1
    assert second.stderr.startswith("error: another make local is at work")
    assert LocalAws(tmp_path).running() is None


def test_a_photo_that_is_not_there_is_said_before_anything_starts(tmp_path: Path) -> None:
    run = make_local("up", tmp_path, "--photo", str(tmp_path / "none.jpg"))
    assert run.stderr == f"error: PHOTO={tmp_path / 'none.jpg'}: there is no such file\n"
    assert LocalAws(tmp_path).running() is None


@pytest.mark.parametrize("bucket", ["compute-thumbnail-uploads", "cdk-hnb659fds-assets-000000000000-us-east-1"])
def test_down_reports_what_its_deletion_left(aws: LocalAws, monkeypatch: pytest.MonkeyPatch, bucket: str) -> None:
    engine = aws.start()
    monkeypatch.setattr(Cdk, "destroy", lambda _: None)
    aws.client("s3", engine).create_bucket(Bucket=bucket)
    with pytest.raises(LocalError, match=f"there was still: bucket {bucket}"):
        down(aws)
    assert not psutil.pid_exists(engine.pid)


def test_after_a_half_done_deployment_down_drops_the_engine(aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> None:
    engine = aws.start()
    with pytest.raises(LocalError), aws.deploying():
        raise LocalError("broken off")
    down(aws)
    assert "broke off half done: it goes with the engine" in capsys.readouterr().out
    assert not psutil.pid_exists(engine.pid)


def test_an_engine_that_cannot_start_says_why(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "_command", [sys.executable, "-c", "raise SystemExit('no engine today')"])
    with pytest.raises(LocalError, match="no engine today"):
        aws.start()
    assert aws.running() is None


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes where Linux lists them")
@pytest.mark.parametrize(
    ("sign", "after"), [(signal.SIGINT, "    synthesizing: "), (signal.SIGHUP, "==> synthesize and deploy")]
)
def test_an_interrupted_deployment_leaves_nothing_running(aws: LocalAws, sign: signal.Signals, after: str) -> None:
    """Ctrl-C while the CLI deploys, and a terminal that is closed while it synthesizes."""
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
        os.killpg(up.pid, sign)  # as a terminal does
        assert "nothing is left running" in up.stderr.read()
        assert up.wait() == 1
    assert engine is not None
    assert not psutil.pid_exists(engine.pid)
    assert _processes_of(aws) == []
    assert aws.running() is None


def _processes_of(aws: LocalAws) -> list[str]:
    # Each has the folder in its arguments or, what the CLI starts, in its environment.
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if os.fsencode(aws.folder) in (process / "cmdline").read_bytes() + (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
    return found


def test_the_persons_own_aws_settings_are_not_used(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
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
