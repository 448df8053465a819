"""Synthesize the apps in the given folders. Each one imports only its own modules.

`python -P tests/support/synthesize_folders.py a b` does both in one process, because jsii starts slower than it
synthesizes.
"""

import importlib
import sys
from pathlib import Path


def synthesize(folder: Path) -> None:
    """Write each profile's assembly into `cdk.out/<profile>` in the folder, and unload the folder's modules."""
    sys.path.insert(0, str(folder))
    for profile in importlib.import_module("config").PROFILES:
        outdir = folder / "cdk.out" / profile
        importlib.import_module("app").build_app({"profile": profile}, outdir=str(outdir)).synth()
    sys.path.remove(str(folder))
    for name in [name for name, module in sys.modules.items() if _is_in(folder, module)]:
        del sys.modules[name]


def _is_in(folder: Path, module: object) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_relative_to(folder)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        synthesize(Path(argument))
