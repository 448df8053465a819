"""Functions that run `make local` and `make local-down`, but without `make setup`."""

import functools
import importlib.metadata
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.bundles import locked_versions
from tests.support.folders import ROOT

WITHOUT_TESTS = ROOT / "tests" / "support" / "without_tests"


@dataclass(frozen=True)
class MakeLocalRun:
    """The output of one run of `make local`, and the picture that the run uploaded."""

    output: str
    photo: Path

    def section(self, stem: str) -> str:
        """Return the lines of the output about one example. `stem` is its short name, such as ecs_ec2."""
        return self.output.split(f"==> the {stem} example: ")[1].split("==> ", maxsplit=1)[0]


def make_local(command: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command `up`, `down` or `clean`, and return its result.

    The command finds no package that only the tests need.

    If the test run is interrupted, this function sends SIGTERM to the command and waits until it has cleaned up.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "local", command, "--folder", str(folder), *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(WITHOUT_TESTS), "HIDDEN_PACKAGES": " ".join(packages_of_the_tests())},
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


@functools.cache
def packages_of_the_tests() -> frozenset[str]:
    """Return the names of the packages that programs import, such as `moto`, and that `make setup` does not install."""
    of_users, of_tests = (locked_versions(ROOT / f"requirements-{name}.txt").keys() for name in ("local", "dev"))
    return frozenset(
        name
        for name, distributions in importlib.metadata.packages_distributions().items()
        if {found.lower().replace("_", "-").replace(".", "-") for found in distributions} <= of_tests - of_users
    )
