"""Synthesize the apps in the given folders. Each app imports only the modules of its folder.

`python -P tests/support/synthesize_folders.py a b` synthesizes both apps in one process, because jsii starts slowly.
"""

import importlib
import sys
from pathlib import Path


def synthesize(folder: Path) -> None:
    """Write the assembly of each profile into `cdk.out/<profile>` in the folder. Then unload the folder's modules."""
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
