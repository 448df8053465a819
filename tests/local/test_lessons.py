"""These tests run the commands of the lessons in the local AWS, a program that imitates AWS on this machine."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from localaws.aws import Engine, LocalAws
from localaws.process_groups import end_process_group
from tests.support.apps import templates
from tests.support.deployment import Deployment
from tests.support.documents import RUN_SECTIONS, has_lesson, lesson, outputs_used_by_sh_blocks, sh_blocks
from tests.support.folders import ROOT
from tests.support.forks import copy_project

LESSONS = sorted(filter(has_lesson, templates("sandbox")))
MAX_LESSONS = 4
"""Maximum number of lessons that run at the same time."""
MAX_LESSON_SECONDS = 400
"""Time limit for one lesson. It is necessary, because the loops in the lessons have no limit."""
Run = subprocess.CompletedProcess[str]
OUTPUT_OF_WATCH_IT: Mapping[str, list[str]] = {
    "thumbnail": [
        '"message":"made".*"image_key":"coffee.jpg"',
        '"CloudWatchMetrics".*"Made"',
        r"(?m)^\S+\t[1-9]\d*\.0$",
        r"compute-thumbnail-DeadLettersVisible\S+\tALARM",
    ],
    "cron": [
        '"message":"down".*"url":"http://no-such-name.invalid/"',
        '"CloudWatchMetrics".*"Up"',
        r"(?m)^\S+\t[01]\.\d+$",
        r"compute-cron-SiteDown\S+\t(OK|ALARM)",
    ],
    "api": [
        r"compute-api-Dashboard\w+",
        '"message":"request refused".*"status":412',
        r"(?m)^\S+\t[1-9]\d*\.0$",
        r"compute-api-ServerErrors\S+\tALARM",
    ],
    "ecr": ['"message":"copied"'],
    "ecs_ec2": [
        '"path": "/api/whoami"',
        r"service compute-ecs-ec2-\S+",
        r"compute-ecs-ec2-NoTargets\S+\tINSUFFICIENT_DATA",
    ],
    "fargate": [
        '"path": "/api/whoami"',
        r"service compute-fargate-\S+",
        r"compute-fargate-NoTargets\S+\tINSUFFICIENT_DATA",
    ],
    "batch": ['"key":.*letter.jpg', '"key":.*empty.jpg', r"compute-batch-FailedJobs\S+\tOK"],
    "lightsail": [r"compute-lightsail-\S+\tCREATE_COMPLETE"],
    "websocket": ['"message":"sent".*"gone":1', r"compute-websocket-DeadLettersVisible\S+\t(OK|INSUFFICIENT_DATA)"],
    "function_image": ['"image_key":"coffee.jpg"', r"-DeadLettersVisible\S+\t(OK|INSUFFICIENT_DATA)"],
}
"""Regular expressions for lines that the commands of the section `Watch it` must print."""


@pytest.fixture(scope="module")
def lesson_runs(
    request: pytest.FixtureRequest,
    deployment: Deployment,
    engine: Engine,
    local_aws: LocalAws,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Future[Run]]]:
    """Start the selected lessons at the same time. Each lesson uses its own stack, and mostly waits for AWS.

    The lessons run in a copy of the project, in a folder with spaces and unusual letters in its path.
    """
    project = tmp_path_factory.mktemp("lessons") / "a b" / "ü ☕"
    copy_project(project)
    assert local_aws.running_engine() == engine
    items = cast("list[pytest.Function]", request.session.items)
    stems = [str(item.callspec.params["stem"]) for item in items if "lesson_runs" in item.fixturenames]
    (ROOT / ".build").mkdir(exist_ok=True)
    stems_with_outputs = [
        stem for stem in stems if outputs_used_by_sh_blocks(lesson(stem)) <= set(deployment.outputs(stem))
    ]
    scripts: list[subprocess.Popen[str]] = []
    with ThreadPoolExecutor(MAX_LESSONS) as pool:
        yield {stem: pool.submit(_run, lesson(stem), project, local_aws, scripts) for stem in stems_with_outputs}
        pool.shutdown(wait=False, cancel_futures=True)  # after an interruption, lessons may still wait or run
        with ThreadPoolExecutor(MAX_LESSONS) as ending_pool:
            ending_pool.map(_end, scripts)


def _end(script: subprocess.Popen[str]) -> None:
    if script.poll() is None:
        end_process_group(script.pid, script)


def _run(text: str, project: Path, local_aws: LocalAws, scripts: list[subprocess.Popen[str]]) -> Run:
    # Run all commands of RUN_SECTIONS in the local AWS. The output contains the headings of the sections.
    programs = f'PATH={shlex.quote(f"{project}/.venv/bin")}:"$PATH"'
    commands = [f". {shlex.quote(str(local_aws.env_file))}", programs, "set -eux"]
    for heading in RUN_SECTIONS:
        commands += [f"echo '## {heading}'", *sh_blocks(text, heading)]
    script = "\n".join(commands)
    with subprocess.Popen(
        ["bash", "-c", script],
        cwd=project,
        # The templates are not validated again. HOME contains the unpacked files of CDK.
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "CDK_VALIDATION": "false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        scripts.append(process)
        try:
            output = process.communicate(timeout=MAX_LESSON_SECONDS)
        finally:
            _end(process)
    return Run(process.args, process.returncode, *output)


@pytest.mark.skipif(
    shutil.which("curl") is None or shutil.which("bash") is None, reason="the lessons need curl and bash"
)
@pytest.mark.timeout(MAX_LESSON_SECONDS + 30)
@pytest.mark.parametrize("stem", LESSONS)
def test_the_commands_of_the_lesson_work(stem: str, lesson_runs: dict[str, Future[Run]]) -> None:
    if stem not in lesson_runs:
        pytest.skip("without a container tool, the stack does not have all outputs that the lesson uses")
    run = lesson_runs[stem].result()
    assert run.returncode == 0, run.stdout + run.stderr
    watched = run.stdout.split("## Watch it\n")[1]
    assert [line for line in OUTPUT_OF_WATCH_IT[stem] if not re.search(line, watched)] == [], watched


@pytest.mark.parametrize("stem", ["ecs_ec2", "fargate"])
def test_the_command_of_the_lesson_lists_the_containers_of_the_tasks(
    stem: str, deployment: Deployment, engine: Engine, local_aws: LocalAws
) -> None:
    (command,) = re.findall(r'^"\$CDK_DOCKER" ps .*$', lesson(stem), re.MULTILINE)
    # With --quiet, each line of the output is the id of one container.
    script = f". {shlex.quote(str(local_aws.env_file))}\n{command} --quiet"
    run = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    if not engine.tool:
        assert (run.returncode, run.stdout) == (1, "")
        assert "there is no container tool" in run.stderr
        return
    assert run.returncode == 0, run.stderr
    ecs = deployment.client("ecs")
    clusters = [deployment.outputs(name)["ClusterName"] for name in ("ecs_ec2", "fargate")]
    assert len(run.stdout.split()) >= sum(len(ecs.list_tasks(cluster=cluster)["taskArns"]) for cluster in clusters) > 0


def test_every_lesson_writes_its_own_files() -> None:
    """The lessons run at the same time in the same folder, so two lessons must not write the same file."""
    files = [set(re.findall(r"\.build/[\w.-]+", lesson(stem))) for stem in LESSONS]
    assert sum(map(len, files)) == len(set.union(*files))
