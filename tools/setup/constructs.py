"""Prepare CDK for the first synthesis: `python -m tools.setup.constructs`.

jsii, the bridge between Python and CDK, unpacks CDK's npm packages into its cache. At the same time, Python compiles
the modules of aws_cdk that the stacks import. Otherwise the first synthesis would do both, one after the other.
"""

import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

_IMPORT = re.compile(r"^from aws_cdk(?:\.(\w+))? import (?:(aws_\w+))?", re.MULTILINE)


def folders(stacks: Path = Path("stacks")) -> list[str]:
    """Return the folders of aws_cdk with the modules that the files in the folder `stacks` import."""
    spec = importlib.util.find_spec("aws_cdk")
    assert spec is not None  # noqa: S101 - the set-up has installed this package
    assert spec.origin is not None  # noqa: S101 - it is not a namespace package
    package = Path(spec.origin).parent
    names = {
        name for file in stacks.glob("*.py") for match in _IMPORT.findall(file.read_text("utf-8")) for name in match
    }
    return [str(package), *(str(package / name) for name in sorted(names) if (package / name).is_dir() and name)]


def main() -> None:
    """Compile, and unpack. Ends with an error if jsii fails."""
    with subprocess.Popen([sys.executable, "-m", "compileall", "-q", "-l", *folders()]):
        importlib.import_module("stacks._node")
        importlib.import_module("aws_cdk")


if __name__ == "__main__":
    main()
