"""Run the tests of localaws/, unless they have passed before with the same files, pins, Python and container tool.

CI runs them always. A stamp in .build/ has the hash of everything that they depend on.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from localaws import container_tool

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "localaws"
OTHERS = ("pyproject.toml", "requirements-dev.txt", "tools/localaws_tests.py")
"""The options of pytest, the pinned packages, and this file."""


def fingerprint() -> str:
    """Return the hash of all that may change the outcome of the tests. The state of git is no part of it."""
    with tempfile.TemporaryDirectory() as folder:
        tool = container_tool.find(Path(folder))
    digest = hashlib.sha256(f"{sys.version}\n{tool.name} {tool.why} {tool.limits}\n".encode())
    package = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    for path in sorted([*package, *(ROOT / name for name in OTHERS)]):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)}\n{path.stat().st_mode:o} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def main() -> int:
    """Run the tests where it is necessary, and return the exit status."""
    stamp = ROOT / ".build" / f"localaws-tested-{fingerprint()}"
    if stamp.exists() and not os.environ.get("CI"):
        print("localaws/ is unchanged since its tests have passed; to run them anyway: pytest localaws/tests")
        return 0
    pytest = [sys.executable, "-m", "pytest", "localaws/tests", "--numprocesses", "3", "--dist", "loadfile"]
    status = subprocess.run(pytest, cwd=ROOT, check=False).returncode
    if status == 0:
        stamp.parent.mkdir(exist_ok=True)
        for old in stamp.parent.glob("localaws-tested-*"):
            old.unlink()
        stamp.touch()
    return status


if __name__ == "__main__":
    sys.exit(main())
