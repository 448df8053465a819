"""The web image, built, and run as ECS runs it. Skipped without a container tool."""

import json
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from local.project import SETTINGS
from localaws import base_image, container_tool
from tests.containers.servers import PATIENCE, WEB, ask
from tests.support.bundles import locked_versions
from tests.support.waiting import wait_for

NAME = f"localhost/web-under-test-{os.getpid()}"
BASE = f"{NAME}-base"


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[container_tool.Tool]:
    folder = tmp_path_factory.mktemp("containers")
    found = container_tool.find(folder)
    if not found:
        pytest.skip(f"no container tool: {found.why}")
    yield found
    found("rmi", "--force", NAME, BASE)
    container_tool.remove_all(found, folder)


def succeed(tool: container_tool.Tool, *arguments: str) -> str:
    run = tool(*arguments)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.fixture(scope="module")
def image(tool: container_tool.Tool) -> str:
    base: tuple[str, ...] = ()
    assert SETTINGS.base_image is not None
    if not container_tool.is_reachable(SETTINGS.base_image.image):
        base_image.import_into(tool, SETTINGS.base_image, BASE)
        base = ("--build-arg", f"BASE_IMAGE={BASE}")
    succeed(tool, "build", *tool.build, *base, "--tag", NAME, str(WEB))
    return NAME


def test_the_image_declares_user_command_and_health_check(tool: container_tool.Tool, image: str) -> None:
    (found,) = json.loads(succeed(tool, "image", "inspect", image))
    config: dict[str, Any] = {
        "Healthcheck": found.get("Healthcheck"),
        **found["Config"],
    }  # beside Config in podman
    assert config["User"] == "65532:65532", "the user must be a number other than root's"
    assert config["Cmd"] == ["python", "-m", "web"]
    assert config["Healthcheck"]["Test"] == ["CMD", "python", "-m", "web.healthcheck"]
    assert config["StopSignal"] in ("SIGTERM", "15")
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    assert config["Labels"]["org.opencontainers.image.licenses"] == "MIT-0"


LOOK = """
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


def test_the_image_holds_only_the_locked_packages(tool: container_tool.Tool, image: str) -> None:
    found = json.loads(succeed(tool, "run", "--rm", "--network", "host", *tool.run, image, "python", "-c", LOOK))
    packages = {name.replace("-", "_") for name in locked_versions(WEB / "requirements.txt")}
    names = {name.partition(".")[0] for name in found["names"] if not name.endswith(".dist-info")}
    assert names - {"__pycache__"} <= packages | {"web"}
    assert {"web", "starlette", "uvicorn"} <= names
    assert (found["writable"], found["unreadable"], found["not compiled"]) == ([], [], [])
    assert (found["build"], found["user"]) == (False, 65532)


def test_the_image_serves_and_stops_as_on_ecs(tool: container_tool.Tool, image: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = ("--env", f"PORT={port}", "--env", "DRAIN_QUIET_SECONDS=0.2")
    hardened = ("--read-only", "--cap-drop", "ALL", "--network", "host", *tool.run)
    name = f"web-under-test-{os.getpid()}"
    succeed(tool, "run", "--detach", "--name", name, *hardened, *settings, image)
    try:
        wait_for(lambda: _answers(port), "the server", seconds=PATIENCE)
        assert b"Not on ECS" in ask(port, "/").body
        succeed(tool, "exec", name, "python", "-m", "web.healthcheck")
        succeed(tool, "stop", "--time", "20", name)
        (state,) = json.loads(succeed(tool, "inspect", "--format", "[{{json .State}}]", name))
        assert state["ExitCode"] == 0
        log = [json.loads(line) for line in succeed(tool, "logs", name).splitlines()]
        assert [line["path"] for line in log if line["message"] == "request"] == ["/"]
    finally:
        tool("rm", "--force", name)


def _answers(port: int) -> bool:
    try:
        return ask(port, "/readyz").status == 200
    except OSError:
        return False
