"""The container tool: which one is chosen, how the CDK CLI calls it, and that a task ends with the engine."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import wait_for

from localaws import BaseImage, StandIn, container_tool, docker_for_cdk
from localaws.container_tool import Tool
from localaws.task_runner import RUN_WITH_PARENT, ImageError, Images

BASE = BaseImage(image="public.ecr.aws/python", cache="")
PODMAN = Tool(name="podman", why="", command=("podman",), plain_http=("--tls-verify=false",))


def write_program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def docker(*, info: str, host: str = "unix:///run/docker.sock") -> str:
    """Return a script that answers as docker's client does. It knows the engine's address without asking the engine."""
    return f"""case "$1" in context) echo '{{"Host": "{host}"}}' ;; *) echo '{info}' ;; esac"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_without_a_tool_the_reason_names_what_is_missing(tools: Path) -> None:
    found = container_tool.find(tools, {})
    assert not found
    assert found.why == "docker is not installed; podman is not installed"


def test_docker_without_an_engine_is_not_chosen(tools: Path) -> None:
    write_program(tools, "docker", 'echo \'{"ServerErrors": ["Cannot connect"]}\'; exit 1')
    assert "docker is installed, but does not work" in container_tool.find(tools, {}).why


def test_docker_is_preferred_to_podman(tools: Path) -> None:
    write_program(tools, "docker", docker(info='{"MemoryLimit": true}'))
    write_program(tools, "podman", 'echo \'{"host": {"cgroupControllers": []}}\'')
    found = container_tool.find(tools, {})
    assert (found.name, found.limits) == ("docker", True)
    assert found.command == ("docker", "--host", "unix:///run/docker.sock"), "DOCKER_HOST differs there"
    podman = container_tool.find(tools, {"LOCAL_CONTAINERS": "podman"})
    assert (podman.name, podman.limits) == ("podman", False)
    assert str(tools / "containers") in " ".join(podman.command), "the person's own images are elsewhere"
    assert not container_tool.find(tools, {"LOCAL_CONTAINERS": "none"})


@pytest.mark.parametrize("system", ['{"OperatingSystem": "Docker Desktop"}', '{"SecurityOptions": ["name=rootless"]}'])
def test_docker_with_its_own_network_is_not_chosen(tools: Path, system: str) -> None:
    write_program(tools, "docker", docker(info=system))
    assert "a network of its own" in container_tool.find(tools, {}).why


def test_docker_on_another_machine_is_not_chosen(tools: Path) -> None:
    write_program(tools, "docker", docker(host="ssh://me@elsewhere", info="{}"))
    assert "docker's daemon is not on this machine, but at ssh://me@elsewhere" in container_tool.find(tools, {}).why


def test_the_paths_of_podmans_sockets_are_short(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """podman rejects a folder of more than 50 characters."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", "/tmp")  # noqa: S108
    write_program(tools, "podman", "echo '{\"host\": {}}'")
    runs = [container_tool.find(tools / name, {}).storage[1] for name in ("a" * 60, "b" * 60, "a" * 60)]
    assert len(runs[0]) <= 50
    assert runs[0] == runs[2] != runs[1]


def test_a_tool_survives_the_way_to_another_process() -> None:
    assert Tool.from_json(json.loads(PODMAN.to_json())) == PODMAN


def test_images_for_the_account_go_to_the_engine(tmp_path: Path) -> None:
    image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/assets:tag"
    push = docker_for_cdk.arguments(PODMAN, tmp_path, 4566, None, ["push", image])
    assert push == ["push", "--tls-verify=false", "127.0.0.1:4566/assets:tag"]
    tag = docker_for_cdk.arguments(PODMAN, tmp_path, 4566, None, ["tag", "cdkasset-1", image])
    assert tag == ["tag", "cdkasset-1", "127.0.0.1:4566/assets:tag"]
    assert docker_for_cdk.main(["login", "--username", "AWS"], {}) == 0


def test_a_build_uses_the_real_base_image_if_reachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_tool, "is_reachable", lambda _: True)
    build = docker_for_cdk.arguments(PODMAN, tmp_path, 4566, BASE, ["build", "--tag", "x", "."])
    assert build == ["build", "--label", f"local-aws={tmp_path}", "--tag", "x", "."]


def test_without_a_tool_only_an_image_with_a_stand_in_runs() -> None:
    images = Images(Tool(name="none", why=""), {"web:1": StandIn(image="web:1", command=())}, str, str)
    images.pull("web:1")
    with pytest.raises(ImageError, match="there is no container tool to run other:1"):
        images.pull("other:1")


def test_a_task_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    ready, ended = tmp_path / "ready", tmp_path / "ended"
    script = f"trap 'touch {ended}; exit 3' TERM; touch {ready}; while :; do sleep 0.05; done"
    with subprocess.Popen(
        [sys.executable, "-I", str(RUN_WITH_PARENT), "sh", "-c", script], stdin=subprocess.PIPE
    ) as process:
        wait_for(ready.exists)
        assert process.stdin is not None
        process.stdin.close()  # as when the engine is killed
        assert process.wait(timeout=10) == 3
    assert ended.exists()


def test_sigterm_reaches_the_task(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap 'exit 4' TERM; touch {ready}; while :; do sleep 0.05; done"
    with subprocess.Popen(
        [sys.executable, "-I", str(RUN_WITH_PARENT), "sh", "-c", script], stdin=subprocess.PIPE
    ) as process:
        wait_for(ready.exists)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=10) == 4
