"""Run the fast tests, but only the groups of tests that the changed files can affect.

Each folder in tests/handlers is a group, which tests the function in the folder of the same name in lambda_src. All
other fast tests are the group `stacks`. A group runs again if a file that can affect it has changed since its last
success. tests/support/read_files.py fails a group that reads any other file of this project.
"""

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STACKS = "stacks"
OPTIONS = (
    *("-q", "--maxfail=5", "-p", "no:xdist", "-p", "no:cacheprovider", "--hypothesis-profile", "fast"),
    *("-m", "not local and not slow"),
)
"""The options of pytest. One mistake can fail hundreds of tests, whose output nobody reads."""
READERS: dict[str, list[str]] = {
    "docs/lightsail.md": [STACKS],
    "app.py": [STACKS],
    "config.py": [STACKS],
    "stacks/": [STACKS],
    "tests/stacks/": [STACKS],
    "tests/contracts/": [STACKS],
    "README.md": [],
    "bench/": [],
    "console/": [],
    "docs/": [],
    "findings/": [],
    "tests/console/": [],
    "tests/containers/": [],
    "tests/docs/": [],
    "tests/local/": [],
    "tests/project/": [],
    "tests/smoke/": [],
}
"""The groups that read a file, or the files of a folder. The first entry that fits a file counts."""
NO_SOURCE = ("node_modules", "cdk.out", "__pycache__", "build", "dist")
"""Folders that the set-up, a build or Python writes. The names of others begin with a dot."""
_interrupted = threading.Event()
"""Whether the user has pressed Ctrl-C. pytest then stops, too, and its output is not shown."""


def groups() -> dict[str, list[str]]:
    """Return the arguments of pytest for each group."""
    handlers = ROOT / "tests" / "handlers"
    names = sorted({file.relative_to(handlers).parts[0] for file in handlers.glob("*/**/test_*.py")})
    others = [ROOT / "tests" / STACKS, *sorted(handlers.glob("test_*.py"))]
    return {
        STACKS: [str(path.relative_to(ROOT)) for path in others],
        **{name: [f"tests/handlers/{name}"] for name in names},
    }


def can_affect(path: str, group: str) -> bool:
    """Whether a change of this file, relative to ROOT, can change the result of the group."""
    name = path.rpartition("/")[2]
    if name.startswith(".") and name != ".dockerignore" and path not in READERS:
        return False  # for example a file that an editor writes
    for beginning, readers in READERS.items():
        if path.startswith(beginning):
            return group in readers
    match path.split("/"):
        case ["tests", "handlers", folder, _, *_]:
            return group == folder
        case ["lambda_src", folder, _, *_]:
            return group in (folder, STACKS)
    return True  # for example tests/conftest.py, requirements-dev.txt and this file


def hashes() -> dict[str, str]:
    """Return a hash of each file of this project. The keys are paths relative to ROOT. git is not necessary."""
    result = {}
    for folder, folders, names in os.walk(ROOT):
        if "pyvenv.cfg" in names:  # a virtual environment
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".") and name not in NO_SOURCE]
        for path in (Path(folder) / name for name in names):
            with contextlib.suppress(OSError):  # another program deletes the file, or nobody may read it
                if path.is_file():
                    content = hashlib.sha256(path.read_bytes()).hexdigest()
                    result[str(path.relative_to(ROOT))] = f"{path.stat().st_mode:o} {content}"
    return result


def fingerprint(group: str, file_hashes: Mapping[str, str]) -> str:
    """Return a hash of everything that can change the result of the group."""
    files = sorted(item for item in file_hashes.items() if can_affect(item[0], group))
    return hashlib.sha256(json.dumps([sys.version, files]).encode()).hexdigest()


def success_file(group: str) -> Path:
    """Return the file with the fingerprint of the files with which the group has passed."""
    return ROOT / ".build" / "fast-tests" / group


def run(group: str, arguments: Sequence[str], before: str) -> bool:
    """Run a group, and print its result. Return whether it has passed. `before` is its fingerprint."""
    color = ["--color=yes"] if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else []
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.read_files", *OPTIONS, *color, *arguments]
    environment = {**os.environ, "CDK_VALIDATION": "false", "FAST_TESTS": group}
    tests = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if _interrupted.is_set():
        return False
    if tests.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):  # no tests: all are slow
        print(f"{group}:\n{tests.stdout}{tests.stderr}", flush=True)
        success_file(group).unlink(missing_ok=True)
        return False
    print(f"{group}: {tests.stdout.splitlines()[-1]}", flush=True)
    if fingerprint(group, hashes()) == before:  # no file has changed during the tests
        success_file(group).parent.mkdir(parents=True, exist_ok=True)
        success_file(group).write_text(before, encoding="utf-8")
    return True


def run_groups(*, always: bool) -> bool:
    """Run the groups that the changed files can affect, two at a time. Return whether all have passed."""
    file_hashes, all_groups = hashes(), groups()
    fingerprints = {group: fingerprint(group, file_hashes) for group in all_groups}
    passed = [] if always else [group for group in all_groups if has_passed(group, fingerprints[group])]
    waiting = [group for group in all_groups if group not in passed]
    for text, names in (("passed before with the same files", passed), ("running, two at a time", waiting)):
        if names:
            print(f"{text}: {', '.join(names)}", flush=True)
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = pool.map(lambda group: run(group, all_groups[group], fingerprints[group]), waiting)
        try:
            return all([*results])
        except KeyboardInterrupt:
            _interrupted.set()
            raise


def has_passed(group: str, now: str) -> bool:
    """Whether the group has passed with the fingerprint `now`."""
    file = success_file(group)
    return file.exists() and file.read_text(encoding="utf-8") == now


def main() -> int:
    """Run the groups. Return the exit status."""
    parser = argparse.ArgumentParser(description="Run the fast tests that the changed files can affect.")
    parser.add_argument("--all", action="store_true", help="run all groups")
    always = parser.parse_args().all
    try:
        return 0 if run_groups(always=always) else 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
