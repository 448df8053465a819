"""Hide the packages of the tests, so that a program finds only what `make setup` installs on a user's machine.

Python imports this module when it starts, if PYTHONPATH has the folder of this module. So the programs that such a
program starts do not find these packages either. The variable HIDDEN_PACKAGES has their names.
"""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

HIDDEN = frozenset(os.environ.get("HIDDEN_PACKAGES", "").split())


class _Visible(PathFinder):
    """Finds modules as Python does, but not those of a hidden package."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in HIDDEN:
            return None
        return PathFinder.find_spec(fullname, path, target)


sys.meta_path[:] = [_Visible if finder is PathFinder else finder for finder in sys.meta_path]
