"""The lessons' commands do what the lessons say."""

import os
import re
import shlex
import shutil
import subprocess

import pytest

from local.aws import Engine, LocalAws
from tests.apps import ROOT
from tests.conftest import Deployment
from tests.test_docs import asked_outputs, every_lesson, lesson, section


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="the lessons use both")
@every_lesson
def test_the_lessons_commands_do_what_it_says(
    stem: str, deployed: Deployment, engine: Engine, local_aws: LocalAws
) -> None:
    """`Try it` and `Break it`, from the first command to the last, against the local AWS."""
    outputs = deployed.outputs(stem)
    assert outputs
    assert local_aws.running() == engine
    text = lesson(stem)
    parts = section(text, "Try it") + section(text, "Break it")
    blocks = re.findall(r"```sh\n(.*?)```", parts, re.DOTALL)
    missing = asked_outputs(text) - set(outputs)
    if missing:
        pytest.skip(f"not deployed here: {', '.join(missing)}; no container tool is at hand")
    script = "\n".join([f". {shlex.quote(str(local_aws.env_file))}", "set -eux", *blocks])
    (ROOT / ".build").mkdir(exist_ok=True)
    run = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(local_aws.folder)},
        capture_output=True,
        text=True,
        timeout=90,  # its loops wait for ever
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
