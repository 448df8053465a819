"""Each page has commands for the terminal. These tests run them as a person would."""

import html
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import requests

from tests.local.console.conftest import session_without_proxy
from tests.support.deployment import Deployment
from tests.support.make_local import MakeLocalRun

STEMS = (
    *("thumbnail", "cron", "api", "ecr", "ecs_ec2", "fargate", "batch", "lightsail", "websocket", "function_image"),
)

pytestmark = pytest.mark.timeout(300)  # `make local` may run before the first of these tests


@pytest.fixture
def commands(console_url: str) -> list[str]:
    """Return the commands on the pages of all examples. Each page begins with the command that reads `.local/env`."""
    found: list[str] = []
    with session_without_proxy() as session:
        for stem in STEMS:
            page = session.get(f"{console_url}/examples/{stem}", timeout=30).text
            match = re.search(r'<pre id="commands"[^>]*>(.*?)</pre>', page, re.DOTALL)
            assert match, f"/examples/{stem} has no commands"
            found += html.unescape(match[1]).splitlines()
    return found


def restore_services(deployment: Deployment) -> str:
    """Return the commands that give both web services their number of tasks again."""
    return "\n".join(
        "aws ecs update-service --cluster {ClusterName} --service {ServiceName} --desired-count 2".format(
            **deployment.outputs(stem)
        )
        for stem in ("ecs_ec2", "fargate")
    )


def test_the_commands_work(
    commands: list[str], make_local_run: MakeLocalRun, deployment: Deployment, tmp_path: Path
) -> None:
    photo = shlex.quote(str(make_local_run.photo))
    (note,) = re.findall(r"https?://\S+/v1/notes/[\w-]+", make_local_run.section("api"))
    script = "\n".join(
        [
            "set -e",
            *(
                line.replace("cp your-photo.jpg", f"cp {photo}")
                for line in commands
                if line.startswith(("cd ", ". ", "aws ", "KEY=", "curl ", "python "))
            ),
            # This command reads the note by its URL, because the first page of the list contains notes of other tests.
            f'curl --fail -H "X-Api-Key: $KEY" {note}',
            # The folder must be empty, because the commands of the lesson count its pictures.
            f"aws s3 rm --recursive s3://{deployment.outputs('batch')['InputBucketName']}/holiday/",
        ]
    )
    run = subprocess.run(
        ["bash", "-c", f"{script}\n{restore_services(deployment)}"],
        cwd=tmp_path,  # the commands must not depend on the folder of the shell
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "delete: s3://" in run.stdout
    assert re.search(r'^HTTP/1.1 200 OK\r?\n(.+\n)+\r?\n\{"notes":\[\{', run.stdout, re.MULTILINE)
    assert '"title":"Hello, world"' in run.stdout
    folder = deployment.outputs("batch")["ThumbnailsFolder"]
    assert f"{folder}holiday/my'20`photo`'20ünd'20+'20'25.png!" in run.stdout


def test_the_addresses_work_in_a_browser(commands: list[str]) -> None:
    text = "\n".join(commands)
    assert re.findall(r"https?://\S+\.amazonaws\.com", text) == [], "a browser would look for them in the real AWS"
    pages = re.findall(r"# open this page .*: (http\S+)", text)
    answers = [requests.get(page, timeout=10).text for page in pages]
    assert len(pages) == 2
    assert all(re.search(r"<title>.*ECS on (EC2|Fargate)</title>", answer) for answer in answers)
