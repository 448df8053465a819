"""These tests build the web image and run it as ECS does. They are skipped if the machine has no container tool."""

import json
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from local.project import SETTINGS
from localaws import base_image, container_tool
from tests.containers.images import compiled_modules
from tests.containers.servers import TIMEOUT_SECONDS, WEB, send_request
from tests.support.bundles import locked_versions
from tests.support.waiting import wait_for

IMAGE = f"localhost/web-under-test-{os.getpid()}"
BASE_IMAGE = f"{IMAGE}-base"


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[container_tool.Tool]:
    folder = tmp_path_factory.mktemp("containers")
    usable_tool = container_tool.find(folder)
    if not usable_tool:
        pytest.skip(f"no container tool: {usable_tool.why}")
    yield usable_tool
    usable_tool("rmi", "--force", IMAGE, BASE_IMAGE)
    container_tool.remove_all(usable_tool, folder)


def run_tool(tool: container_tool.Tool, *arguments: str) -> str:
    """Run the container tool, and return its output. Fail if its exit status is not 0."""
    run = tool(*arguments)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.fixture(scope="module")
def image(tool: container_tool.Tool) -> str:
    """Build the image and return its name.

    If the registry of the base image cannot be reached, the base image is made from the Python of this machine.
    """
    build_arguments: tuple[str, ...] = ()
    assert SETTINGS.base_image is not None
    if not container_tool.is_reachable(SETTINGS.base_image.image):
        base_image.import_into(tool, SETTINGS.base_image, BASE_IMAGE)
        build_arguments = ("--build-arg", f"BASE_IMAGE={BASE_IMAGE}")
    run_tool(tool, "build", *tool.build, *build_arguments, "--tag", IMAGE, str(WEB))
    return IMAGE


def test_the_image_declares_its_user_its_command_and_its_health_check(tool: container_tool.Tool, image: str) -> None:
    (image_details,) = json.loads(run_tool(tool, "image", "inspect", image))
    # docker reports the health check inside of Config, podman reports it outside.
    config: dict[str, Any] = {"Healthcheck": image_details.get("Healthcheck"), **image_details["Config"]}
    assert config["User"] == "65532:65532", "the user must be a number, and must not be root"
    assert config["Cmd"] == ["python", "-m", "web"]
    assert config["Healthcheck"]["Test"] == ["CMD", "python", "-m", "web.healthcheck"]
    assert config["StopSignal"] in ("SIGTERM", "15")
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    assert config["Labels"]["org.opencontainers.image.licenses"] == "MIT-0"


INSPECT = """
import json, os, pathlib
app = [path for path in pathlib.Path("/app").rglob("*")]
print(json.dumps({
    "names": sorted({path.relative_to("/app").parts[0] for path in app}),
    "writable": [str(path) for path in app if os.access(path, os.W_OK)],
    "unreadable": [str(path) for path in app if not os.access(path, os.R_OK)],
    "not compiled": [str(path) for path in app if path.suffix == ".py"
                     and not list((path.parent / "__pycache__").glob(path.stem + ".*.pyc"))],
    "build": os.path.exists("/build"),
    "user": os.getuid(),
}))
"""
"""A program that runs in the container. It prints its user and facts about the files of the image as JSON."""


def test_the_image_contains_only_the_packages_in_requirements_txt(tool: container_tool.Tool, image: str) -> None:
    report = json.loads(run_tool(tool, "run", "--rm", "--network", "host", *tool.run, image, "python", "-c", INSPECT))
    packages = {name.replace("-", "_") for name in locked_versions(WEB / "requirements.txt")}
    names = {name.partition(".")[0] for name in report["names"] if not name.endswith(".dist-info")}
    assert names - {"__pycache__"} <= packages | {"web"}
    assert {"web", "starlette", "uvicorn"} <= names
    assert (report["writable"], report["unreadable"], report["not compiled"]) == ([], [], [])
    assert (report["build"], report["user"]) == (False, 65532)


def test_python_compiles_no_module_when_the_server_starts(tool: container_tool.Tool, image: str) -> None:
    assert compiled_modules(tool, image, "web.server") == []


def test_a_container_of_the_image_answers_requests_and_stops_with_exit_status_0(
    tool: container_tool.Tool, image: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free_socket:
        port = free_socket.getsockname()[1]
    variables = ("--env", f"PORT={port}", "--env", "DRAIN_QUIET_SECONDS=0.2")
    restrictions = ("--read-only", "--cap-drop", "ALL", "--network", "host", *tool.run)
    name = f"web-under-test-{os.getpid()}"
    run_tool(tool, "run", "--detach", "--name", name, *restrictions, *variables, image)
    try:
        wait_for(lambda: _is_ready(port), "the server to be ready", seconds=TIMEOUT_SECONDS)
        assert b"Not on ECS" in send_request(port, "/").body
        run_tool(tool, "exec", name, "python", "-m", "web.healthcheck")
        run_tool(tool, "stop", "--time", "20", name)
        (state,) = json.loads(run_tool(tool, "inspect", "--format", "[{{json .State}}]", name))
        assert state["ExitCode"] == 0
        log = [json.loads(line) for line in run_tool(tool, "logs", name).splitlines()]
        assert [line["path"] for line in log if line["message"] == "request"] == ["/"]
    finally:
        tool("rm", "--force", name)


def _is_ready(port: int) -> bool:
    try:
        return send_request(port, "/readyz").status == 200
    except OSError:
        return False
