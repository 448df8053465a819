"""Functions that run `make local` and `make local-down`, but without `make setup`."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.folders import ROOT


@dataclass(frozen=True)
class MakeLocalRun:
    """The output of one run of `make local`, and the picture that the run uploaded."""

    output: str
    photo: Path

    def section(self, stem: str) -> str:
        """Return the lines of the output about one example. `stem` is its short name, such as ecs_ec2."""
        return self.output.split(f"==> the {stem} example: ")[1].split("==> ", maxsplit=1)[0]


def make_local(command: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command `up` or `down`, and return its result.

    If the test run is interrupted, this function sends SIGTERM to the command and waits until it has cleaned up.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "local", command, "--folder", str(folder), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate()
        except BaseException:
            process.terminate()
            process.communicate()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
