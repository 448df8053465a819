"""Tests of the start of an engine, of its ports and settings, and of the clean-up after its end."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import Any

import psutil
import pytest
import requests
from ministack.core import responses

from localaws import PORT, LocalAws, LocalError
from localaws.cdk import Cdk
from localaws.engine import _USUAL_SERVICES
from localaws.environment import engine_variables
from localaws.process_groups import running_program

PRINT_CHILD = ("sh", "-c", "sleep 60 & echo $!; wait")
"""A program that starts a child process and prints its id."""


def test_the_engine_uses_a_free_port_if_another_process_uses_the_port(aws: LocalAws) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other_socket:
        engine = aws.start(other_socket.getsockname()[1])
        assert engine.port != other_socket.getsockname()[1]
    assert aws.running_engine() == engine


def test_only_programs_on_this_machine_can_connect_to_the_engine(aws: LocalAws) -> None:
    engine = aws.start()
    connections = psutil.Process(engine.pid).net_connections(kind="inet")
    listening_addresses = {
        (item.laddr.ip, item.laddr.port) for item in connections if item.status == psutil.CONN_LISTEN
    }
    assert listening_addresses == {("127.0.0.1", engine.port), ("127.0.0.1", engine.site_port)}


def test_the_web_site_is_down_while_the_file_exists(aws: LocalAws) -> None:
    engine = aws.start()
    assert engine.site == f"http://127.0.0.1:{engine.site_port}/"
    assert requests.get(engine.site, timeout=10).status_code == 200
    aws.site_down_file.touch()
    assert requests.get(engine.site, timeout=10).status_code == 503
    aws.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(engine.site, timeout=10)
    assert not aws.site_down_file.exists(), "the web site must be up after the next start"


def test_the_engine_cannot_reach_the_users_docker(aws: LocalAws) -> None:
    path = engine_variables(PORT, aws.folder, aws.folder)["DOCKER_HOST"].removeprefix("unix://")
    assert path.startswith(str(aws.folder))
    assert not Path(path).exists()


def test_a_stopped_engine_leaves_only_its_log(aws: LocalAws) -> None:
    engine = aws.start()
    aws.stop()
    assert not psutil.pid_exists(engine.pid)
    assert aws.running_engine() is None
    assert {path.name for path in aws.folder.iterdir()} == {"engine.log"}


def test_another_process_with_the_same_id_is_not_killed(aws: LocalAws) -> None:
    """After a restart of the machine, any process may have the id of the old engine."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other_process:
        aws.folder.mkdir()
        (aws.folder / "engine.json").write_text(f'{{"pid": {other_process.pid}, "port": 4566}}')
        assert aws.running_engine() is None
        aws.stop()
        assert other_process.poll() is None
        (aws.folder / "engine.json").write_text("")  # an interrupted write leaves an empty file
        assert aws.running_engine() is None
        other_process.kill()


def test_the_error_contains_the_reason_why_the_engine_does_not_start(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "_command", [sys.executable, "-c", "raise SystemExit('a test reason')"])
    with pytest.raises(LocalError, match="a test reason"):
        aws.start()
    assert aws.running_engine() is None


def test_a_program_and_its_child_processes_end_with_the_block(tmp_path: Path) -> None:
    with running_program(PRINT_CHILD, folder=tmp_path, output=PIPE) as program:
        output = program.stdout
        assert output
        child = psutil.Process(int(output.readline()))
    assert program.returncode is not None
    assert not psutil.wait_procs([child], timeout=10)[1]
    assert output.closed


def test_a_signal_during_the_start_of_a_program_does_not_leave_it_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[str]] = []

    def start_and_receive_signal(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
        started.append(popen(*arguments, **options))
        signal.raise_signal(signal.SIGINT)  # as Ctrl-C before the caller knows the id of the program
        return started[0]

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start_and_receive_signal)
    with pytest.raises(KeyboardInterrupt), running_program(["sleep", "60"], folder=tmp_path, output=PIPE):
        pass
    assert started[0].returncode is not None


def test_the_cdk_cli_is_stopped_when_the_engine_ends(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = aws.start()
    cdk = Cdk(aws, engine)
    monkeypatch.setattr(cdk, "_command", "sleep")
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(LocalError, match="the local AWS ended while testing"):
        cdk._run("60", activity="testing")


def test_the_users_own_aws_settings_are_not_used(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "CDK_HOME"):
        monkeypatch.setenv(name, "value of the user")
    environment = aws.environment(aws.start())
    assert "value of the user" not in environment.values()
    assert environment["CDK_HOME"] == str(aws.folder / "cdk-home")
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    run = subprocess.run(
        ["sh", "-c", f". {shlex.quote(str(aws.env_file))} && aws s3 mb s3://test-bucket && aws s3 ls"],
        env={"PATH": os.environ["PATH"], "HOME": str(aws.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "test-bucket" in run.stdout, run.stderr + aws.env_file.read_text()


@pytest.mark.parametrize("service", _USUAL_SERVICES)
def test_the_engine_loads_the_model_of_each_usual_service_early(service: str) -> None:
    """Otherwise the first answer of the service waits for its model."""
    assert responses._service_model(service) is not None, f"ministack has no model for {service}: correct its name"
