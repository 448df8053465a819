"""The local AWS when things go wrong: a port that is taken, an engine that dies, a deployment that breaks off."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.__main__ import _engine
from local.aws import PORT, LocalAws, LocalError
from tests.apps import ROOT

pytestmark = pytest.mark.local


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[LocalAws]:
    aws = LocalAws(tmp_path / "local")
    yield aws
    aws.stop()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


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


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads Linux's table of listening sockets")
def test_it_listens_on_this_machine_alone(aws: LocalAws) -> None:
    engine = aws.start()
    listening = {
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{engine.pid}/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{engine.port:04X}")
    }
    assert listening == {f"0100007F:{engine.port:04X}"}


def test_a_running_engine_is_used_again_and_a_killed_one_replaced(aws: LocalAws) -> None:
    first = _engine(aws)
    assert _engine(aws) == first
    os.kill(first.pid, signal.SIGKILL)
    second = _engine(aws)
    assert second.pid != first.pid
    assert aws.running() == second


def test_after_a_half_done_deployment_it_starts_afresh(aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> None:
    first = _engine(aws)
    with pytest.raises(LocalError), aws.deploying():
        raise LocalError("broken off")
    second = _engine(aws)
    assert second.pid != first.pid
    assert not alive(first.pid)
    assert not aws.half_done
    assert "the last deployment broke off half done: starting afresh" in capsys.readouterr().out


def test_stopping_leaves_no_process_and_no_file_in_the_temporary_folder(aws: LocalAws) -> None:
    engine = aws.start()
    aws.stop()
    assert not alive(engine.pid)
    assert aws.running() is None
    assert {path.name for path in aws.folder.iterdir()} == {"engine.log"}


def test_an_engine_that_cannot_start_says_why(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "_command", [sys.executable, "-c", "raise SystemExit('no engine today')"])
    with pytest.raises(LocalError, match="no engine today"):
        aws.start()
    assert aws.running() is None


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_deployment_leaves_nothing_running(tmp_path: Path, sign: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "local", "up", "--folder", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as up:
        assert up.stdout is not None
        assert up.stderr is not None
        for line in up.stdout:
            if line.startswith("    synthesizing"):
                break
        engine = LocalAws(tmp_path).running()
        os.killpg(up.pid, sign)  # as a terminal does: to the CLI too
        assert "nothing is left running" in up.stderr.read()
        assert up.wait() == 1
    assert engine is not None
    assert not alive(engine.pid)
    with pytest.raises(ProcessLookupError):
        os.killpg(up.pid, 0)
    assert LocalAws(tmp_path).running() is None


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
        ["sh", "-c", f". {aws.env_file} && aws s3 mb s3://by-hand && aws s3 ls"],
        env={"PATH": os.environ["PATH"], "HOME": str(aws.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "by-hand" in run.stdout, run.stderr + exported
