"""This test changes code and settings in a copy of the project, and deploys the copy again into the local AWS.

The local AWS is a program that imitates AWS on this machine. The tests of localaws/ change one property of each kind of
resource. This test shows that the changes of a person arrive there.
"""

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local.project import SETTINGS, base_image, context, stand_in_image
from localaws.aws import Engine, LocalAws
from localaws.cdk import Cdk
from localaws.urls import local_url
from tests.handlers.thumbnail import pictures
from tests.smoke.test_thumbnail import ThumbnailExample
from tests.support.deployment import Deployment
from tests.support.folders import ROOT

pytestmark = [pytest.mark.fork, pytest.mark.local, pytest.mark.timeout(300)]

PARTS = ("app.py", "cdk.json", "config.py", "settings_checks.py", "stacks", "lambda_src", "containers")
"""The files and folders that synthesis needs."""
SKIP_STACKS = "app.ApiStack = app.EcrStack = app.EcsEc2Stack = app.LightsailStack = lambda **_: None"
"""Python code that skips some stacks, so that the test is faster."""
EDITS = {
    "containers/web/web/page.html": ("This page as JSON", "This fork as JSON"),
    "lambda_src/thumbnail/settle.py": ('"status": "made"', '"status": "forked"'),
    "config.py": ("log_retention=RetentionDays.ONE_WEEK", "log_retention=RetentionDays.TWO_WEEKS"),
}
"""For each file of the copy: the text to replace, and the new text."""
CHANGED_SETTINGS = {
    "thumbnail_max_edge": "128",
    "cron_schedule": "rate(1 hour)",
    "batch_image": "registry.example/job:2",
    "batch_max_vcpus": "8",
}


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    """Return a copy of the project. It shares the installed packages with the project."""
    folder = tmp_path / "fork"
    folder.mkdir()
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    for installed in ("node_modules", ".build"):
        (folder / installed).symlink_to(ROOT / installed)
    return folder


@pytest.fixture
def aws(tmp_path: Path, fork: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """Return a local AWS for the copy. Its ECS tasks are processes."""
    monkeypatch.setenv("LOCAL_CONTAINERS", "none")
    web, *others = SETTINGS.stand_ins
    web = dataclasses.replace(web, environment={"PYTHONPATH": str(fork / "containers" / "web")})
    aws = LocalAws(tmp_path / "aws", dataclasses.replace(SETTINGS, project=str(fork), stand_ins=(web, *others)))
    yield aws
    aws.stop()


def deploy(aws: LocalAws, engine: Engine, fork: Path, **settings: str) -> Deployment:
    """Synthesize the copy without validation, and deploy it with the CDK CLI."""
    cdk = Cdk(aws, engine)
    values = {**context(engine), "web_image": stand_in_image(fork / "containers" / "web"), **settings}
    synthesis = f"import app; {SKIP_STACKS}; app.build_app({values!r}, outdir={str(cdk.assembly)!r}).synth()"
    subprocess.run(
        [sys.executable, "-c", synthesis],
        cwd=fork,
        env={**aws.environment(engine), "CDK_VALIDATION": "false"},
        check=True,
    )
    if not aws.client("cloudformation", engine).describe_stacks()["Stacks"]:
        cdk.bootstrap()
    cdk.deploy()
    return Deployment(
        client=lambda service: aws.client(service, engine),
        prefix="compute",
        url=lambda url: local_url(url, engine.endpoint),
        is_local=True,
    )


def observe(deployment: Deployment) -> dict[str, Any]:
    """Upload a picture. Return its item, the page of the web service, and some settings of the deployed resources."""
    example, batch, logs = ThumbnailExample.of(deployment), deployment.client("batch"), deployment.client("logs")
    item = example.wait_for_item(example.upload("a.jpg", pictures.jpeg()))
    page = requests.get(deployment.url(deployment.outputs("fargate")["ServiceUrl"]), timeout=30).text
    schedule = deployment.client("scheduler").get_schedule(Name=deployment.outputs("cron")["ScheduleName"])
    job, environments = deployment.outputs("batch")["JobDefinitionArn"], batch.describe_compute_environments()
    return {
        "status": item["status"],
        "width": item["thumbnail_width"],
        "page": next(phrase for phrase in EDITS["containers/web/web/page.html"] if phrase in page),
        "schedule": schedule["ScheduleExpression"],
        "job": [
            definition["containerProperties"]["image"]
            for definition in batch.describe_job_definitions(jobDefinitions=[job])["jobDefinitions"]
            if definition["jobDefinitionArn"] == job
        ],
        "vcpus": {each["computeResources"]["maxvCpus"] for each in environments["computeEnvironments"]},
        "days": {group.get("retentionInDays") for group in logs.describe_log_groups()["logGroups"]},
    }


def test_a_second_deployment_shows_every_change_of_a_fork(aws: LocalAws, fork: Path) -> None:
    engine = aws.start(port=0)
    first = deploy(aws, engine, fork)
    assert observe(first) == {
        "status": "made",
        "width": "256",
        "page": "This page as JSON",
        "schedule": "rate(1 minute)",
        "job": [base_image()],
        "vcpus": {4},
        "days": {7},
    }
    example = ThumbnailExample.of(first)
    key = example.upload("kept.jpg", pictures.jpeg())
    item = example.wait_for_item(key)
    for name, (old, new) in EDITS.items():
        file = fork / name
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))
    assert observe(deploy(aws, engine, fork, **CHANGED_SETTINGS)) == {
        "status": "forked",
        "width": "128",
        "page": "This fork as JSON",
        "schedule": "rate(1 hour)",
        "job": ["registry.example/job:2"],
        "vcpus": {8},
        "days": {14},
    }
    assert example.item(key) == item
    assert example.thumbnail_exists(item)
