"""The container tool: which is taken, what the CDK CLI gives to it, and that a task ends with the engine."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import until

from localaws import BaseImage, StandIn, container_tool, docker_for_cdk
from localaws.container_tool import Tool
from localaws.task_runner import RUN_WITH_PARENT, ImageError, Images

BASE = BaseImage(image="public.ecr.aws/python", cache="")
PODMAN = Tool(name="podman", why="", command=("podman",), plain_http=("--tls-verify=false",))


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def docker(*, info: str, host: str = "unix:///run/docker.sock") -> str:
    """A script that answers as the client does, which knows where the engine is before it asks it."""
    return f"""case "$1" in context) echo '{{"Host": "{host}"}}' ;; *) echo '{info}' ;; esac"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_without_a_tool_it_says_what_is_missing(tools: Path) -> None:
    found = container_tool.find(tools, {})
    assert not found
    assert found.why == "docker is not installed; podman is not installed"


def test_dockers_client_alone_is_not_enough(tools: Path) -> None:
    program(tools, "docker", 'echo \'{"ServerErrors": ["Cannot connect"]}\'; exit 1')
    assert "docker is installed, but does not work" in container_tool.find(tools, {}).why


def test_docker_is_taken_before_podman(tools: Path) -> None:
    program(tools, "docker", docker(info='{"MemoryLimit": true}'))
    program(tools, "podman", 'echo \'{"host": {"cgroupControllers": []}}\'')
    found = container_tool.find(tools, {})
    assert (found.name, found.limits) == ("docker", True)
    assert found.command == ("docker", "--host", "unix:///run/docker.sock"), "though DOCKER_HOST is another there"
    podman = container_tool.find(tools, {"LOCAL_CONTAINERS": "podman"})
    assert (podman.name, podman.limits) == ("podman", False)
    assert str(tools / "containers") in " ".join(podman.command), "among the person's own"
    assert not container_tool.find(tools, {"LOCAL_CONTAINERS": "none"})


@pytest.mark.parametrize("system", ['{"OperatingSystem": "Docker Desktop"}', '{"SecurityOptions": ["name=rootless"]}'])
def test_docker_in_a_network_of_its_own_is_not_taken(tools: Path, system: str) -> None:
    program(tools, "docker", docker(info=system))
    assert "its own machine or network" in container_tool.find(tools, {}).why


def test_docker_on_another_machine_is_not_taken(tools: Path) -> None:
    program(tools, "docker", docker(host="ssh://me@elsewhere", info="{}"))
    assert "docker's engine is not on this machine, but at ssh://me@elsewhere" in container_tool.find(tools, {}).why


def test_podmans_sockets_have_short_names(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses a folder of more than 50 characters."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", "/tmp")  # noqa: S108
    program(tools, "podman", "echo '{\"host\": {}}'")
    runs = [container_tool.find(tools / name, {}).storage[1] for name in ("a" * 60, "b" * 60, "a" * 60)]
    assert len(runs[0]) <= 50
    assert runs[0] == runs[2] != runs[1]


def test_what_a_tool_is_survives_the_way_to_another_process() -> None:
    assert Tool.from_json(json.loads(PODMAN.to_json())) == PODMAN


def test_what_goes_to_the_account_goes_to_the_engine(tmp_path: Path) -> None:
    image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/assets:tag"
    push = docker_for_cdk.arguments(PODMAN, tmp_path, 4566, None, ["push", image])
    assert push == ["push", "--tls-verify=false", "127.0.0.1:4566/assets:tag"]
    tag = docker_for_cdk.arguments(PODMAN, tmp_path, 4566, None, ["tag", "cdkasset-1", image])
    assert tag == ["tag", "cdkasset-1", "127.0.0.1:4566/assets:tag"]
    assert docker_for_cdk.main(["login", "--username", "AWS"], {}) == 0


def test_a_build_uses_the_real_base_where_it_is_reachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_tool, "is_reachable", lambda _: True)
    build = docker_for_cdk.arguments(PODMAN, tmp_path, 4566, BASE, ["build", "--tag", "x", "."])
    assert build == ["build", "--label", f"local-aws={tmp_path}", "--tag", "x", "."]


def test_without_a_tool_only_the_web_image_has_a_stand_in() -> None:
    images = Images(Tool(name="none", why=""), {"web:1": StandIn(image="web:1", command=())}, str, str)
    images.pull("web:1")
    with pytest.raises(ImageError, match="there is no container tool to run other:1"):
        images.pull("other:1")


def test_a_task_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    ready, ended = tmp_path / "ready", tmp_path / "ended"
    script = f"trap 'touch {ended}; exit 3' TERM; touch {ready}; while :; do sleep 0.05; done"
    with subprocess.Popen(
        [sys.executable, "-I", str(RUN_WITH_PARENT), "sh", "-c", script], stdin=subprocess.PIPE
    ) as leash:
        until(ready.exists)
        assert leash.stdin is not None
        leash.stdin.close()  # as when the engine is killed
        assert leash.wait(timeout=10) == 3
    assert ended.exists()


def test_sigterm_reaches_the_task(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap 'exit 4' TERM; touch {ready}; while :; do sleep 0.05; done"
    with subprocess.Popen(
        [sys.executable, "-I", str(RUN_WITH_PARENT), "sh", "-c", script], stdin=subprocess.PIPE
    ) as leash:
        until(ready.exists)
        os.kill(leash.pid, signal.SIGTERM)
        assert leash.wait(timeout=10) == 4
