"""Install uv with pip: `python -m tools.setup.uv`. pip keeps the wheel of uv, so that this works offline next time."""

import importlib.metadata
import sys
import tempfile
from pathlib import Path

from stacks._pip import last_line, run_pip

LOCK = Path("requirements-uv.txt")
OPTIONS = ("--only-binary", ":all:", "--require-hashes", "--no-deps", "--requirement", str(LOCK))


def main() -> None:
    """Install uv from the kept wheel, or else download the wheel first. Ends with the reason if pip fails."""
    if _is_installed():
        return
    with tempfile.TemporaryDirectory() as temporary_folder:
        wheels = _kept_wheels() or Path(temporary_folder)
        install = ("install", "--no-index", "--find-links", str(wheels), *OPTIONS)
        if any(wheels.iterdir()) and run_pip(install).returncode == 0:
            return
        downloaded = run_pip(["download", "--dest", str(wheels), *OPTIONS])
        run = downloaded if downloaded.returncode else run_pip(install)
        if run.returncode:
            sys.exit(f"{run.stdout}pip failed: {last_line(run)}")


def _is_installed() -> bool:
    try:
        return f"uv=={importlib.metadata.version('uv')} " in LOCK.read_text(encoding="utf-8")
    except importlib.metadata.PackageNotFoundError:
        return False


def _kept_wheels() -> Path | None:
    """Return a folder in the cache of pip, or None if the user has switched this cache off.

    pip's own cache is not sufficient, because pip asks the index for the list of the versions each time.
    """
    run = run_pip(["cache", "dir", "--verbose"])  # run_pip makes pip quiet, and a quiet pip does not print the folder
    if run.returncode:
        return None
    folder = Path(run.stdout.strip()) / "aws-compute-examples"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


if __name__ == "__main__":
    main()
