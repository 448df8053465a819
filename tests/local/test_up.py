"""These tests check the output of `make local`, and run the commands that it suggests."""

import os
import re

import pytest

from localaws.aws import Engine, LocalAws
from localaws.container_tool import CHOICE
from tests.support.deployment import Deployment
from tests.support.make_local import MakeLocalRun

pytestmark = pytest.mark.timeout(300)  # `make local` may run before the first of these tests


def test_make_local_shows_every_example_at_work(
    make_local_run: MakeLocalRun, deployment: Deployment, local_aws: LocalAws
) -> None:
    assert deployment.is_local
    assert "format             PNG" in make_local_run.section("thumbnail")
    assert (local_aws.folder / f"{make_local_run.photo.stem}.webp").read_bytes()[8:12] == b"WEBP"
    cron, api = make_local_run.section("cron"), make_local_run.section("api")
    assert re.search(r": .* up after \d+ ms\n", cron)
    assert re.search(r": .* down, it answers 503 Service Unavailable, after \d+ ms\n", cron)
    assert re.search(r"PATCH +/v1/notes/{id} +-> 412 Precondition Failed", api)
    assert re.search(r"GET +/v1/notes +-> 403 Forbidden", api)


@pytest.mark.parametrize("stem", ["ecs_ec2", "fargate"])
def test_make_local_prints_whether_tasks_are_containers(
    stem: str, make_local_run: MakeLocalRun, deployment: Deployment, engine: Engine
) -> None:
    assert deployment.is_local
    assert (f"{engine.tool.name} container" in make_local_run.section(stem)) == bool(engine.tool)


def test_make_local_uses_the_container_tool_that_the_environment_names(engine: Engine) -> None:
    """In CI, each row of the matrix names a tool. If it does not work there, the row must not pass with processes."""
    assert engine.tool.name == (os.environ.get(CHOICE) or engine.tool.name), engine.tool.why
