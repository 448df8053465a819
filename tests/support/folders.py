"""The project's folder, and the folder that all processes of a test run share. Importing this module is fast."""

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
    """Make this process and its children synthesize into one folder. Return a function that removes the folder."""
    if _VARIABLE in os.environ:
        return lambda: None
    os.environ[_VARIABLE] = tempfile.mkdtemp(prefix="cdk.out-")
    return lambda: shutil.rmtree(os.environ.pop(_VARIABLE))


@cache
def assemblies() -> Path:
    """Return the shared folder, or one of this process only when none is shared."""
    if _VARIABLE in os.environ:
        return Path(os.environ[_VARIABLE])
    folder = tempfile.mkdtemp(prefix="cdk.out-")
    atexit.register(shutil.rmtree, folder)
    return Path(folder)
