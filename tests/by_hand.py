"""`make local` and `make local-down` as a person gives them, without the setting up."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.folders import ROOT


@dataclass(frozen=True)
class Shown:
    """What `make local` has shown, and the photo that it was given."""

    text: str
    photo: Path

    def of(self, stem: str) -> str:
        """What it has shown of one example."""
        return self.text.split(f"==> the {stem} example: ")[1].split("==> ", maxsplit=1)[0]


def make_local(command: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `up` or `down` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "local", command, "--folder", str(folder), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
