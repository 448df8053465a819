"""Run `make watch` in a copy of this project, so that nobody edits the project itself."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localaws.process_groups import running_program
from tests.support.folders import ROOT
from tests.support.waiting import wait_for

LIVE_SECONDS = 20
"""A generous limit for a machine that runs other tests at the same time. Alone, it is less than a second."""
DEPLOYED_SECONDS = 90
"""A generous limit for loading CDK, a synthesis and a deployment."""


@dataclass(frozen=True)
class Watching:
    """A running `make watch` in a copy of this project."""

    project: Path
    process: subprocess.Popen[str]
    log: Path

    def wait_for(self, text: str, *, times: int = 1, seconds: float = LIVE_SECONDS) -> None:
        """Wait until the output contains the text this number of times."""
        wait_for(lambda: self.output().count(text) >= times, f"{text!r} in\n{self.output()}", seconds=seconds)

    def output(self) -> str:
        """Return the output until now."""
        return self.log.read_text(encoding="utf-8")

    def read(self, name: str) -> str:
        """Return the text of a file in the copy."""
        return (self.project / name).read_text(encoding="utf-8")

    def save(self, name: str, text: str) -> None:
        """Save a file as many editors do: they write a new file, and move it over the old one."""
        new = self.project / f"{name}.new~"
        new.write_text(text, encoding="utf-8")
        new.replace(self.project / name)


@contextlib.contextmanager
def watching_copy(local_folder: Path, scratch: Path) -> Iterator[Watching]:
    """Copy the project into the folder `scratch`, and run `make watch` there until the end of the `with` block."""
    project, log = scratch / "project", scratch / "watch.log"
    project.mkdir()
    for name in ("app.py", "config.py", "settings_checks.py", "cdk.json"):
        shutil.copy(ROOT / name, project)
    for name in ("local", "stacks", "lambda_src", "containers"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("node_modules", ".build"):
        (project / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "local.watch", "--folder", str(local_folder)]
    with log.open("wb") as output, running_program(command, folder=project, output=output) as process:
        watching = Watching(project, process, log)
        watching.wait_for("==> watching", seconds=DEPLOYED_SECONDS)
        yield watching
