"""What `make local` tells the person who gave the command, and that what it suggests to do next can be done."""

import re
import shlex
import subprocess

import pytest

from local.aws import Engine, LocalAws
from tests.conftest import Deployment
from tests.support.by_hand import Shown
from tests.support.folders import ROOT

pytestmark = pytest.mark.timeout(300)  # all that a person sees of it, one after the other


def test_it_shows_every_example_at_work(shown: Shown, deployed: Deployment, local_aws: LocalAws) -> None:
    assert deployed.is_local
    assert "format             PNG" in shown.of("thumbnail")
    assert (local_aws.folder / f"{shown.photo.stem}.webp").read_bytes()[8:12] == b"WEBP"
    assert re.search(r"the schedule fired by itself: .* up after \d+ ms\n", shown.of("cron"))
    assert re.search(
        r"the site is taken down: .* down, it answers 503 Service Unavailable, after \d+ ms\n", shown.of("cron")
    )
    assert re.search(r"and brought up again: .* up after \d+ ms\n", shown.of("cron"))
    assert re.search(r"PATCH /v1/notes/{id} -> 412 Precondition Failed +from the version before", shown.of("api"))
    assert re.search(r"GET   /v1/notes      -> 403 Forbidden +without the key", shown.of("api"))


@pytest.mark.parametrize("stem", ["ecr", "ecs_ec2", "fargate"])
def test_it_says_what_was_real(stem: str, shown: Shown, deployed: Deployment, engine: Engine) -> None:
    assert deployed.is_local
    told = shown.of(stem)
    if stem == "ecr":
        assert ("is empty: no image can be built here" in told) == (not engine.tool)
        return
    if engine.tool:
        assert f"each task is a container of {engine.tool.name}'s, its image built from containers/web" in told
    else:
        assert "its image is but a name" in told
    assert "requests went on meanwhile, none failed, and a new task is there" in told


def test_what_it_suggests_to_do_next_can_be_done(shown: Shown, deployed: Deployment) -> None:
    suggested = shown.text.split("To try next:")[1].replace("your-photo.jpg", shlex.quote(str(shown.photo)))
    commands = [line.strip() for line in suggested.splitlines()]
    note = shown.of("api").split("to be read with the key: ")[1].split()[0]
    script = "\n".join(
        [
            "set -e",
            *(line for line in commands if line.startswith((". ", "aws ", "KEY=", "curl ", "python "))),
            # By its address, for the other tests' notes fill the first page of the list:
            f'curl --fail -H "X-Api-Key: $KEY" {note}',
            # As it was, for the lesson whose pictures these are:
            f"aws s3 rm --recursive s3://{deployed.outputs('batch')['InputBucketName']}/holiday/",
        ]
    )
    tried = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr
    assert "delete: s3://" in tried.stdout
    assert re.search(r'^HTTP/1.1 200 OK\r?\n(.+\n)+\r?\n\{"notes":\[\{', tried.stdout, re.MULTILINE)
    assert '"title":"Hello, world"' in tried.stdout
    assert "thumbnails/256/holiday/my'20`photo`'20ünd'20+'20'25.png!" in tried.stdout
