"""The folder of the project, and the folder of the cloud assemblies, which all processes of a test run share."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_VARIABLE = "TESTS_ASSEMBLIES"


def share_assemblies() -> Callable[[], None]:
    """Let this process and its child processes share one folder. Return a function that removes the folder."""
    if _VARIABLE in os.environ:
        return lambda: None
    os.environ[_VARIABLE] = tempfile.mkdtemp(prefix="cdk.out-")
    return lambda: shutil.rmtree(os.environ.pop(_VARIABLE))


@cache
def assemblies() -> Path:
    """Return the shared folder. If there is no shared folder, create a folder for this process."""
    if _VARIABLE in os.environ:
        return Path(os.environ[_VARIABLE])
    folder = tempfile.mkdtemp(prefix="cdk.out-")
    atexit.register(shutil.rmtree, folder)
    return Path(folder)
