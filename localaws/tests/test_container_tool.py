"""Tests of the choice between docker and podman, of the CDK CLI's calls of this tool, and of task processes."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
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


def docker_script(*, info: str, host: str = "unix:///run/docker.sock") -> str:
    """Return a shell script that imitates the commands `docker context` and `docker info`."""
    return f"""case "$1" in context) echo '{{"Host": "{host}"}}' ;; *) echo '{info}' ;; esac"""


@pytest.fixture
def tools_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder. It is the only folder in PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_the_reason_for_no_tool_lists_the_missing_programs(tools_folder: Path) -> None:
    tool = container_tool.find(tools_folder, {})
    assert not tool
    assert tool.why == "docker is not installed; podman is not installed"


def test_docker_without_a_daemon_is_not_chosen(tools_folder: Path) -> None:
    write_program(tools_folder, "docker", 'echo \'{"ServerErrors": ["Cannot connect"]}\'; exit 1')
    assert "docker is installed, but does not work" in container_tool.find(tools_folder, {}).why


def test_docker_is_preferred_to_podman(tools_folder: Path) -> None:
    write_program(tools_folder, "docker", docker_script(info='{"MemoryLimit": true}'))
    write_program(tools_folder, "podman", 'echo \'{"host": {"cgroupControllers": []}}\'')
    tool = container_tool.find(tools_folder, {})
    assert (tool.name, tool.limits) == ("docker", True)
    assert tool.command == ("docker", "--host", "unix:///run/docker.sock"), "the option overrides DOCKER_HOST"
    podman = container_tool.find(tools_folder, {"LOCAL_CONTAINERS": "podman"})
    assert podman.why == "LOCAL_CONTAINERS=podman"
    assert (podman.name, podman.limits) == ("podman", False)
    assert str(tools_folder / "containers") in " ".join(podman.command), (
        "podman must not use the folder of the user's own images"
    )
    assert not container_tool.find(tools_folder, {"LOCAL_CONTAINERS": "none"})


@pytest.mark.parametrize("system", ['{"OperatingSystem": "Docker Desktop"}', '{"SecurityOptions": ["name=rootless"]}'])
def test_docker_with_its_own_network_is_not_chosen(tools_folder: Path, system: str) -> None:
    write_program(tools_folder, "docker", docker_script(info=system))
    assert "a network of its own" in container_tool.find(tools_folder, {}).why


def test_docker_on_another_machine_is_not_chosen(tools_folder: Path) -> None:
    write_program(tools_folder, "docker", docker_script(host="ssh://me@elsewhere", info="{}"))
    assert (
        "docker's daemon is not on this machine, but at ssh://me@elsewhere" in container_tool.find(tools_folder, {}).why
    )


def test_podman_runs_with_a_locale_that_supports_every_path(
    tools_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, conmon, which podman starts, fails in a folder such as `ü`."""
    monkeypatch.setenv("LC_ALL", "C")
    write_program(tools_folder, "podman", 'printf \'{"host": {}, "locale": "%s"}\' "$LC_ALL"')
    podman = container_tool.find(tools_folder, {"LOCAL_CONTAINERS": "podman"})
    assert '"locale": "C.UTF-8"' in podman("info").stdout


def test_the_folder_for_sockets_of_podman_has_a_short_path(tools_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """podman rejects such a folder if its path has more than 50 characters."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", "/tmp")  # noqa: S108
    write_program(tools_folder, "podman", "echo '{\"host\": {}}'")
    socket_folders = [
        container_tool.find(tools_folder / name, {}).storage[1] for name in ("a" * 60, "b" * 60, "a" * 60)
    ]
    assert len(socket_folders[0]) <= 50
    assert socket_folders[0] == socket_folders[2] != socket_folders[1]


def test_a_tool_is_equal_after_conversion_to_json_and_back() -> None:
    assert Tool.from_json(json.loads(PODMAN.to_json())) == PODMAN


def test_images_for_an_account_are_pushed_to_the_engine(tmp_path: Path) -> None:
    image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/assets:tag"
    push = docker_for_cdk.arguments(PODMAN, tmp_path, 4566, None, ["push", image])
    assert push == ["push", "--tls-verify=false", "127.0.0.1:4566/assets:tag"]
    tag = docker_for_cdk.arguments(PODMAN, tmp_path, 4566, None, ["tag", "cdkasset-1", image])
    assert tag == ["tag", "cdkasset-1", "127.0.0.1:4566/assets:tag"]
    assert docker_for_cdk.main(["login", "--username", "AWS"], {}) == 0


def test_the_containers_of_a_local_aws_can_be_listed(tmp_path: Path) -> None:
    command = ["ps", "--filter", f"label=local-aws={tmp_path}"]
    assert docker_for_cdk.arguments(PODMAN, tmp_path, 4566, None, command) == command


def test_without_a_tool_every_docker_command_fails(capsys: pytest.CaptureFixture[str]) -> None:
    no_tool = Tool(name="none", why="docker is not installed")
    assert docker_for_cdk.main(["ps"], {"LOCAL_AWS_TOOL": no_tool.to_json()}) == 1
    assert capsys.readouterr().err == "error: there is no container tool: docker is not installed\n"


def test_a_build_uses_the_real_base_image_if_its_registry_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_tool, "is_reachable", lambda _: True)
    without_images = Tool(name="podman", why="", command=("false",))
    build = docker_for_cdk.arguments(without_images, tmp_path, 4566, BASE, ["build", "--tag", "x", "."])
    assert build == ["build", "--label", f"local-aws={tmp_path}", "--tag", "x", "."]


def test_a_build_asks_no_registry_for_a_base_image_that_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So `make local` works without network after the first run."""
    monkeypatch.setattr(container_tool, "is_reachable", lambda _: pytest.fail("a registry was asked"))
    with_image = Tool(name="podman", why="", command=("true",))
    build = docker_for_cdk.arguments(with_image, tmp_path, 4566, BASE, ["build", "."])
    assert build == ["build", "--label", f"local-aws={tmp_path}", "."]


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """Return the folder of a local AWS in which podman has stored an image."""
    (tmp_path / "containers" / "root" / "image").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    return tmp_path


def podman_with(folder: Path, *, build_containers: str = "") -> Tool:
    """Return a tool that lists these containers of interrupted builds, and no others."""
    script = f"case \"$*\" in *--external*) echo '{build_containers}' ;; esac"
    stored = (str(folder / "containers" / "root"), str(folder / "run"))
    return Tool(name="podman", why="", command=("sh", "-c", script, "podman"), storage=stored)


def test_podmans_images_stay_for_the_next_start(storage: Path) -> None:
    for _ in range(2):
        container_tool.remove_containers(podman_with(storage), storage)
        assert (storage / "containers" / "root" / "image").exists(), "the next make local would build every layer again"
        assert not (storage / "run").exists(), "this folder is outside of the folder of the local AWS"


def test_podmans_images_are_removed_after_some_days(storage: Path) -> None:
    """So the images do not grow for ever, and the base image gets its security updates."""
    container_tool.remove_containers(podman_with(storage), storage)
    days_ago = time.time() - (container_tool.KEPT_DAYS + 1) * 24 * 60 * 60
    os.utime(storage / "containers" / "first-use", (days_ago, days_ago))
    container_tool.remove_containers(podman_with(storage), storage)
    assert not (storage / "containers").exists()


@pytest.mark.parametrize(("days", "is_kept"), [(-1, True), (1, False)])
def test_a_start_removes_images_that_are_too_old(storage: Path, days: int, *, is_kept: bool) -> None:
    container_tool.remove_containers(podman_with(storage), storage)
    seconds = time.time() - (container_tool.KEPT_DAYS + days) * 24 * 60 * 60
    os.utime(storage / "containers" / "first-use", (seconds, seconds))
    container_tool.remove_old_images(storage)
    assert (storage / "containers").exists() == is_kept


def test_podmans_images_stay_while_another_tool_is_in_use(storage: Path) -> None:
    container_tool.remove_containers(Tool(name="none", why=""), storage)
    assert (storage / "containers" / "root" / "image").exists()


def test_podmans_images_are_removed_even_if_another_tool_is_in_use_now(storage: Path) -> None:
    container_tool.remove_all(Tool(name="none", why=""), storage)
    assert not (storage / "containers").exists()


@pytest.mark.parametrize(("script", "is_kept"), [("exec /bin/sleep 60", True), ("exit 125", False)])
def test_only_images_that_podman_refuses_are_removed(
    tools_folder: Path, storage: Path, monkeypatch: pytest.MonkeyPatch, script: str, *, is_kept: bool
) -> None:
    """A busy machine may need longer than the limit of this answer. Its images are good."""
    monkeypatch.setattr(container_tool, "ANSWER_SECONDS", 0.2)
    write_program(tools_folder, "podman", script)
    assert container_tool.find(storage, {}).name == "none"
    assert (storage / "containers" / "root" / "image").exists() == is_kept


def test_the_remains_of_an_interrupted_build_are_removed_with_all_images(storage: Path) -> None:
    container_tool.remove_containers(podman_with(storage, build_containers="0a1b2c"), storage)
    assert not (storage / "containers").exists()


def test_an_image_is_pulled_again_only_if_the_registry_has_another_one(tmp_path: Path) -> None:
    calls, digests = tmp_path / "calls", iter(["sha256:1", "sha256:1", "sha256:2"])
    tool = Tool(name="podman", why="", command=("sh", "-c", f"echo $0 >> '{calls}'"))
    images = Images(tool, {}, str, lambda _: next(digests))
    for _ in range(3):
        images.pull("registry/web:1")
    assert calls.read_text() == "pull\npull\n"


def test_without_a_tool_an_image_without_a_stand_in_is_an_error() -> None:
    images = Images(Tool(name="none", why=""), {"web:1": StandIn(image="web:1", command=())}, str, str)
    images.pull("web:1")
    with pytest.raises(ImageError, match="there is no container tool to run other:1"):
        images.pull("other:1")


def test_a_stand_in_without_a_tag_replaces_the_image_with_any_digest() -> None:
    stand_in = StandIn(image="registry.example/web", command=())
    images = Images(Tool(name="none", why=""), {stand_in.image: stand_in}, str, str)
    images.pull(f"registry.example/web@sha256:{'0a' * 32}")
    for other in (f"registry.example/other@sha256:{'0a' * 32}", "registry.example/web:1"):
        with pytest.raises(ImageError, match="no stand-in for it"):
            images.pull(other)


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start run_with_parent.py with a command that exits with 3 after SIGTERM. Wait until the command runs."""
    started_file = tmp_path / "started"
    script = f"trap 'exit 3' TERM; touch {started_file}; while :; do sleep 0.05; done"
    command = [sys.executable, "-I", str(RUN_WITH_PARENT), "sh", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        wait_for(started_file.exists)
        yield process


def test_a_task_gets_sigterm_when_the_parent_process_ends(runner: subprocess.Popen[bytes]) -> None:
    assert runner.stdin is not None
    runner.stdin.close()  # the operating system closes the pipe when the engine is killed
    assert runner.wait(timeout=10) == 3


def test_a_task_gets_sigterm_when_its_runner_gets_sigterm(runner: subprocess.Popen[bytes]) -> None:
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(timeout=10) == 3
