"""Run the fast tests, but only the groups of tests that the changed files can affect.

Each folder in tests/handlers is a group, which tests the function in the folder of the same name in lambda_src. All
other fast tests are the group `stacks`. A group runs again if it has never passed with the files that can affect it.
tests/support/read_files.py fails a group that reads any other file of this project.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STACKS = "stacks"
OPTIONS = (
    "-q",
    "-p",
    "no:xdist",
    "-p",
    "no:cacheprovider",
    "--hypothesis-profile",
    "fast",
    "-m",
    "not local and not slow",
)
NO_GROUP = (
    *("README.md", "bench/", "console/", "docs/", "findings/", "tests/console/", "tests/containers/"),
    *("tests/docs/", "tests/local/", "tests/project/", "tests/smoke/"),
)
"""Files and folders that no fast test reads, except those of the next list."""
ONLY_STACKS = ("app.py", "config.py", "docs/lightsail.md", "stacks/", "tests/stacks/", "tests/contracts/")
"""Files and folders that only the group `stacks` reads."""
KEPT_SUCCESSES = 20
"""Hashes that are kept for each group. Somebody who takes an edit back does not wait for the tests again."""
NO_SOURCE = ("node_modules", "cdk.out", "__pycache__")
"""Folders that the set-up, the build or Python writes. The names of others begin with a dot."""


def groups() -> dict[str, list[str]]:
    """Return the arguments of pytest for each group."""
    folders = sorted(path.parent for path in (ROOT / "tests" / "handlers").glob("*/__init__.py"))
    other_files = sorted((ROOT / "tests" / "handlers").glob("test_*.py"))
    others = [str(path.relative_to(ROOT)) for path in [ROOT / "tests" / STACKS, *other_files]]
    return {STACKS: others, **{folder.name: [str(folder.relative_to(ROOT))] for folder in folders}}


def can_affect(path: str, group: str) -> bool:
    """Whether a change of this file, relative to ROOT, can change the result of the group."""
    if path.startswith(ONLY_STACKS):
        return group == STACKS
    if path.startswith(NO_GROUP):
        return False
    match path.split("/"):
        case ["tests", "handlers", folder, _, *_]:
            return group == folder
        case ["lambda_src", folder, _, *_]:
            return group in (folder, STACKS)
    return True  # for example tests/conftest.py, requirements-dev.txt and this file


def source_files() -> Iterator[str]:
    """Yield each file of this project, relative to ROOT."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in NO_SOURCE]
        yield from (str((Path(folder) / name).relative_to(ROOT)) for name in names)


def fingerprint(group: str) -> str:
    """Return a hash of everything that can change the result of the group."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(path for path in source_files() if can_affect(path, group)):
        content = (ROOT / path).read_bytes()
        digest.update(f"{path}\n{(ROOT / path).stat().st_mode:o} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def run(group: str, *, always: bool) -> bool:
    """Run a group if necessary, and print its result. Return whether it has passed."""
    success_file, before = ROOT / ".build" / "fast-tests" / group, fingerprint(group)
    successes = success_file.read_text(encoding="utf-8").split() if success_file.exists() else []
    if not always and before in successes:
        print(f"{group}: passed before with the same files", flush=True)
        return True
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.read_files", *OPTIONS, *groups()[group]]
    environment = {**os.environ, "CDK_VALIDATION": "false", "FAST_TESTS": group}
    tests = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    passed = tests.returncode == 0
    print(f"{group}: {tests.stdout.splitlines()[-1]}" if passed else tests.stdout + tests.stderr, flush=True)
    others = [one for one in successes if one != before]
    success_file.parent.mkdir(parents=True, exist_ok=True)
    success_file.write_text("\n".join([*others, *[before] * passed][-KEPT_SUCCESSES:]), encoding="utf-8")
    return passed


def main() -> int:
    """Run two groups at a time. Return the exit status."""
    parser = argparse.ArgumentParser(description="Run the fast tests that the changed files can affect.")
    parser.add_argument("--all", action="store_true", help="run all groups")
    always = parser.parse_args().all
    with ThreadPoolExecutor(max_workers=2) as pool:
        return 0 if all([*pool.map(lambda group: run(group, always=always), groups())]) else 1


if __name__ == "__main__":
    sys.exit(main())
