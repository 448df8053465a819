"""Hide the packages of the tests, so that a program finds only what `make setup` installs on a user's machine.

Python imports this module when it starts, if PYTHONPATH has the folder of this module. So the programs that such a
program starts cannot import these packages either. The variable HIDDEN_PACKAGES has their names.
"""

import os
import sys
from collections.abc import Sequence
from types import ModuleType


class _Hidden:
    """A finder that comes before all others, and finds no module of a hidden package."""

    names = frozenset(os.environ.get("HIDDEN_PACKAGES", "").split())

    def find_spec(self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None) -> None:
        if name.partition(".")[0] in self.names:
            message = f"No module named {name!r}: only the packages of the tests contain it"
            raise ModuleNotFoundError(message, name=name)


sys.meta_path.insert(0, _Hidden())
