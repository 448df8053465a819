"""Where the project is, and where all processes of a run keep what they share. Imports nothing that is slow."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SHARED = "TESTS_ASSEMBLIES"


def share_assemblies() -> Callable[[], None]:
    """Have this process and those that it starts synthesize into one folder; returns what removes it."""
    if _SHARED in os.environ:
        return lambda: None
    os.environ[_SHARED] = tempfile.mkdtemp(prefix="cdk.out-")
    return lambda: shutil.rmtree(os.environ.pop(_SHARED))


@cache
def assemblies() -> Path:
    """The folder of the run, or one of this process alone where none is shared."""
    if _SHARED in os.environ:
        return Path(os.environ[_SHARED])
    folder = tempfile.mkdtemp(prefix="cdk.out-")
    atexit.register(shutil.rmtree, folder)
    return Path(folder)
