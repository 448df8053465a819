"""Run the tests of localaws/, unless they have passed before with the same files, pins, Python and container tool."""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from localaws import container_tool

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "localaws"
OTHER_FILES = ("pyproject.toml", "requirements-dev.txt", "tools/localaws_tests.py")
"""The options of pytest, the pinned packages, and this program."""


def fingerprint() -> str:
    """Return a hash of everything that can change the result of the tests. It does not depend on git."""
    with tempfile.TemporaryDirectory() as folder:
        tool = container_tool.find(Path(folder))
    digest = hashlib.sha256(f"{sys.version}\n{tool.name}, limits: {tool.limits}\n".encode())
    package_files = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    for path in sorted([*package_files, *(ROOT / name for name in OTHER_FILES)]):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)}\n{path.stat().st_mode:o} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def main() -> int:
    """Run the tests if necessary, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--always", action="store_true", help="run the tests in any case, as in CI")
    always = parser.parse_args().always
    mark = ROOT / ".build" / f"localaws-tested-{fingerprint()}"
    if mark.exists() and not always:
        print("the tests of localaws/ have passed with these files (to run them again: pytest localaws/tests)")
        return 0
    pytest = [sys.executable, "-m", "pytest", "localaws/tests", "--numprocesses", "3", "--dist", "loadfile"]
    status = subprocess.run(pytest, cwd=ROOT, check=False).returncode
    if status == 0:
        mark.parent.mkdir(exist_ok=True)
        for old in mark.parent.glob("localaws-tested-*"):
            old.unlink()
        mark.touch()
    return status


if __name__ == "__main__":
    sys.exit(main())
