"""These tests run the commands of the lessons in the local AWS, a program that imitates AWS on this machine."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import cast

import pytest

from localaws.aws import Engine, LocalAws
from localaws.process_groups import end_process_group
from tests.support.apps import templates
from tests.support.deployment import Deployment
from tests.support.documents import has_lesson, lesson, outputs_used_by_sh_blocks, section
from tests.support.folders import ROOT

LESSONS = sorted(filter(has_lesson, templates("sandbox")))
MAX_LESSONS = 4
"""Maximum number of lessons that run at the same time."""
MAX_LESSON_SECONDS = 150
"""Time limit for one lesson. It is necessary, because the loops in the lessons have no limit."""
Run = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def lesson_runs(
    request: pytest.FixtureRequest, deployment: Deployment, engine: Engine, local_aws: LocalAws
) -> Iterator[dict[str, Future[Run]]]:
    """Start the selected lessons at the same time. Each lesson uses its own stack, and mostly waits for AWS."""
    assert local_aws.running_engine() == engine
    items = cast("list[pytest.Function]", request.session.items)
    stems = [str(item.callspec.params["stem"]) for item in items if "lesson_runs" in item.fixturenames]
    (ROOT / ".build").mkdir(exist_ok=True)
    stems_with_outputs = [
        stem for stem in stems if outputs_used_by_sh_blocks(lesson(stem)) <= set(deployment.outputs(stem))
    ]
    scripts: list[subprocess.Popen[str]] = []
    with ThreadPoolExecutor(MAX_LESSONS) as pool:
        yield {stem: pool.submit(_run, lesson(stem), local_aws, scripts) for stem in stems_with_outputs}
        pool.shutdown(wait=False, cancel_futures=True)  # after an interruption, lessons may still wait or run
        with ThreadPoolExecutor(MAX_LESSONS) as ending_pool:
            ending_pool.map(_end, scripts)


def _end(script: subprocess.Popen[str]) -> None:
    if script.poll() is None:
        end_process_group(script.pid, script)


def _run(text: str, local_aws: LocalAws, scripts: list[subprocess.Popen[str]]) -> Run:
    # Run all commands of the sections `Try it` and `Break it` in the local AWS.
    sections = section(text, "Try it") + section(text, "Break it")
    blocks = re.findall(r"```sh\n(.*?)```", sections, re.DOTALL)
    script = "\n".join([f". {shlex.quote(str(local_aws.env_file))}", "set -eux", *blocks])
    with subprocess.Popen(
        ["bash", "-c", script],
        cwd=ROOT,
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


def test_every_lesson_writes_its_own_files() -> None:
    """The lessons run at the same time in the same folder, so two lessons must not write the same file."""
    files = [set(re.findall(r"\.build/[\w.-]+", lesson(stem))) for stem in LESSONS]
    assert sum(map(len, files)) == len(set.union(*files))
