"""`make local` and `make local-down` as a person gives them, without the setting up."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.folders import ROOT


@dataclass(frozen=True)
class Shown:
    """What `make local` has shown, and the photo that it was given."""

    text: str
    photo: Path

    def of(self, stem: str) -> str:
        """What it has shown of one example."""
        return self.text.split(f"==> the {stem} example: ")[1].split("==> ", maxsplit=1)[0]


def make_local(command: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `up` or `down` to its end. Where the tests are interrupted it is told to end, once, and lets go itself."""
    with subprocess.Popen(
        [sys.executable, "-m", "local", command, "--folder", str(folder), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said = process.communicate()
        except BaseException:
            process.terminate()
            process.communicate()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, *said)


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
