"""These tests check the output of `make local`, and run the commands that it suggests."""

import re
import shlex
import subprocess

import pytest
import requests

from localaws.aws import Engine, LocalAws
from tests.support.deployment import Deployment
from tests.support.folders import ROOT
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
    assert re.search(r"PATCH /v1/notes/{id} -> 412 Precondition Failed", api)
    assert re.search(r"GET   /v1/notes      -> 403 Forbidden", api)


@pytest.mark.parametrize("stem", ["ecs_ec2", "fargate"])
def test_make_local_prints_whether_tasks_are_containers(
    stem: str, make_local_run: MakeLocalRun, deployment: Deployment, engine: Engine
) -> None:
    assert deployment.is_local
    assert (f"{engine.tool.name} container" in make_local_run.section(stem)) == bool(engine.tool)


def test_the_suggested_commands_work(make_local_run: MakeLocalRun, deployment: Deployment) -> None:
    suggestions = make_local_run.output.split("To try next:")[1]
    commands = [
        line.strip()
        for line in suggestions.replace("your-photo.jpg", shlex.quote(str(make_local_run.photo))).splitlines()
    ]
    (note,) = re.findall(r"https?://\S+/v1/notes/[\w-]+", make_local_run.section("api"))
    script = "\n".join(
        [
            "set -e",
            *(line for line in commands if line.startswith((". ", "aws ", "KEY=", "curl ", "python "))),
            # This command reads the note by its URL, because the first page of the list contains notes of other tests.
            f'curl --fail -H "X-Api-Key: $KEY" {note}',
            # The folder must be empty, because the commands of the lesson count its pictures.
            f"aws s3 rm --recursive s3://{deployment.outputs('batch')['InputBucketName']}/holiday/",
        ]
    )
    run = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "delete: s3://" in run.stdout
    assert re.search(r'^HTTP/1.1 200 OK\r?\n(.+\n)+\r?\n\{"notes":\[\{', run.stdout, re.MULTILINE)
    assert '"title":"Hello, world"' in run.stdout
    folder = deployment.outputs("batch")["ThumbnailsFolder"]
    assert f"{folder}holiday/my'20`photo`'20ünd'20+'20'25.png!" in run.stdout


def test_the_suggested_addresses_work_in_a_browser(make_local_run: MakeLocalRun, deployment: Deployment) -> None:
    assert deployment.is_local
    suggestions = make_local_run.output.split("To try next:")[1]
    assert re.findall(r"https?://\S+\.amazonaws\.com", suggestions) == [], (
        "a browser would look for them in the real AWS"
    )
    pages = re.findall(r"# open this page .*: (http\S+)", suggestions)
    answers = [requests.get(page, timeout=10).text for page in pages]
    assert len(pages) == 2
    assert all(re.search(r"<title>.*ECS on (EC2|Fargate)</title>", answer) for answer in answers)
