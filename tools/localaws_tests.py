"""Run the tests of localaws/ (the local AWS), unless they have already passed with the same files.

The tests also run again if the pinned packages, Python or the container tool (docker or podman) have changed.
"""

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
"""Other files that can change the result: the options of pytest, the pinned packages, and this program."""


def fingerprint() -> str:
    """Return a hash of everything that can change the result of the tests. The hash does not depend on git."""
    with tempfile.TemporaryDirectory() as folder:
        tool = container_tool.find(Path(folder))
    digest = hashlib.sha256(f"{sys.version}\n{tool.name}, limits: {tool.limits}\n".encode())
    package_files = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    for path in sorted([*package_files, *(ROOT / name for name in OTHER_FILES)]):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)}\n{path.stat().st_mode:o} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def main() -> int:
    """Run the tests if necessary. Return the exit status."""
    parser = argparse.ArgumentParser(description="Run the tests of localaws/.")
    parser.add_argument(
        "--always", action="store_true", help="run the tests even if they have passed before (CI uses this option)"
    )
    always = parser.parse_args().always
    success_file = ROOT / ".build" / f"localaws-tested-{fingerprint()}"
    if success_file.exists() and not always:
        print("the tests of localaws/ have passed with these files (to run them again: pytest localaws/tests)")
        return 0
    command = [sys.executable, "-m", "pytest", "localaws/tests", "--numprocesses", "3", "--dist", "loadfile"]
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if status == 0:
        success_file.parent.mkdir(exist_ok=True)
        for old_file in success_file.parent.glob("localaws-tested-*"):
            old_file.unlink()
        success_file.touch()
    return status


if __name__ == "__main__":
    sys.exit(main())
