"""Run `make local` and `make local-down` as a person does, without the set-up."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.folders import ROOT


@dataclass(frozen=True)
class MakeLocalRun:
    """The output of one `make local`, and the photo that it uploaded."""

    output: str
    photo: Path

    def section(self, stem: str) -> str:
        """Return the part of the output that shows one example."""
        return self.output.split(f"==> the {stem} example: ")[1].split("==> ", maxsplit=1)[0]


def make_local(command: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `up` or `down` to its end.

    If the tests are interrupted, this process gets one SIGTERM and then cleans up by itself.
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
