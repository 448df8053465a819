"""Install the requirements of the Lambda functions for Lambda's platform: `python -m stacks._requirements`.

This module needs only Python's standard library and uv, because the set-up runs it before the other packages are
installed.
"""

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from stacks._uv import last_error, run_uv

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".build" / "bundles"

PYTHON_VERSION = "3.14"
WHEEL_PLATFORM = "aarch64-manylinux_2_28"
"""Lambda runs Python 3.14 on Amazon Linux 2023, which has glibc 2.34. Pillow's wheels need glibc 2.28 or newer."""

UV_OPTIONS = (
    *("--python", sys.executable, "--python-platform", WHEEL_PLATFORM, "--python-version", PYTHON_VERSION),
    *("--only-binary", ":all:", "--require-hashes", "--no-deps"),
)


class BundlingError(RuntimeError):
    """A function has no lock, or uv could not install it. The message contains the output of uv."""


def install_requirements(source: Path) -> Path:
    """Return a folder with a function's installed requirements. uv runs only once for each version of the lock.

    Raises BundlingError if uv fails.
    """
    installed = CACHE / digest(lock_of(source))[:16]
    if not installed.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            target = Path(scratch) / "python"
            target.mkdir()  # uv creates no folder for an empty lock
            _uv_install(lock_of(source), target)
            _remove_unused_files(target)
            _move_into_cache(target, installed)
    return installed


def lock_of(source: Path) -> Path:
    """Return the lock of the function in the folder `source`: a file with exact versions and hashes."""
    return source / "requirements.txt"


def digest(*files: Path) -> str:
    """Return a hash of these files and of this module, as 64 hexadecimal digits.

    The hash includes this module, because this module chooses the platform and the files to remove.
    """
    result = hashlib.sha256(Path(__file__).read_bytes())
    for file in files:
        result.update(file.relative_to(ROOT).as_posix().encode())
        result.update(hashlib.sha256(file.read_bytes()).digest())
    return result.hexdigest()


def _uv_install(lock: Path, target: Path) -> None:
    print(f"bundling {lock.relative_to(ROOT)} for Lambda ({WHEEL_PLATFORM}, Python {PYTHON_VERSION})", file=sys.stderr)
    run = run_uv(["pip", "install", *UV_OPTIONS, "--target", str(target), "--requirement", str(lock)])
    if run.returncode:
        raise BundlingError(f"uv could not install {lock.relative_to(ROOT)}: {last_error(run)}")


def _remove_unused_files(target: Path) -> None:
    # Lambda does not use the scripts and the type stubs of the requirements.
    for folder in (target / "bin", *target.glob("*-stubs")):
        shutil.rmtree(folder, ignore_errors=True)
    for stub in target.rglob("*.pyi"):
        stub.unlink()
    (target / ".lock").unlink(missing_ok=True)  # uv's own file
    # These files describe how uv has installed the requirements. They differ between machines and versions of uv.
    for info in target.glob("*.dist-info"):
        for name in ("RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json", "uv_cache.json"):
            (info / name).unlink(missing_ok=True)


def _move_into_cache(target: Path, installed: Path) -> None:
    # Renaming is atomic, so a folder in the cache is always complete. This is true even if a run is interrupted, or if
    # another run creates the same folder.
    try:
        target.rename(installed)
    except OSError:
        if not installed.exists():
            raise


if __name__ == "__main__":
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        for lock in sorted((ROOT / "lambda_src").glob("*/requirements.txt")):
            install_requirements(lock.parent)
    except (BundlingError, KeyboardInterrupt) as error:
        sys.exit(f"error: {error or 'stopped'}")
