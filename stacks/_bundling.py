"""Bundle Lambda functions and their dependencies. pip downloads wheels for Lambda, so Docker is not necessary."""

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import jsii
from aws_cdk import AssetHashType, BundlingOptions, ILocalBundling
from aws_cdk import aws_lambda as lambda_

from stacks._pip import last_line, run_pip

ROOT = Path(__file__).resolve().parent.parent
LAMBDA_SRC = ROOT / "lambda_src"
CACHE = ROOT / ".build" / "bundles"

RUNTIME = lambda_.Runtime.PYTHON_3_14
"""The newest Python that Lambda offers. https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"""
ARCHITECTURE = lambda_.Architecture.ARM_64
"""With ARM, a GB-second costs 20 % less than with x86. https://aws.amazon.com/lambda/pricing/"""
PYTHON_VERSION = "3.14"
WHEEL_PLATFORM = "manylinux_2_28_aarch64"
"""Lambda runs Python 3.14 on Amazon Linux 2023, which has glibc 2.34. Pillow's wheels need glibc 2.28 or newer."""

PIP_OPTIONS = (
    *("--platform", WHEEL_PLATFORM, "--python-version", PYTHON_VERSION, "--implementation", "cp"),
    *("--only-binary", ":all:", "--require-hashes", "--no-deps", "--no-compile"),
)


class BundlingError(RuntimeError):
    """A function has no lock, or pip could not install it. The message contains the output of pip."""


def bundled_code(package: str) -> lambda_.Code:
    """Return a function's code: the package `lambda_src/<package>` and its locked requirements.

    The lock is the file requirements.txt with exact versions and hashes. The asset's hash covers the package, the lock
    and this module, so the hash is the same on every machine. Raises BundlingError if there is no lock, and during
    synthesis if pip fails.
    """
    source = LAMBDA_SRC / package
    if not _lock(source).exists():
        raise BundlingError(
            f"the function {package} has no {_lock(source).relative_to(ROOT)}. Write its packages into "
            "requirements.in in this folder, and run `make lock`. If it needs no packages, create an empty lock."
        )
    return lambda_.Code.from_asset(
        str(source),
        asset_hash=digest_of(source),
        asset_hash_type=AssetHashType.CUSTOM,
        bundling=BundlingOptions(image=RUNTIME.bundling_image, local=_PipBundling(source)),
    )


def digest_of(source: Path) -> str:
    """Return a hash of all files that determine the bundle of a function, as 64 hexadecimal digits."""
    return _digest(*_modules(source), _lock(source))


@jsii.implements(ILocalBundling)
class _PipBundling:
    """Makes the bundle on this machine. CDK's own bundling would need Docker."""

    def __init__(self, source: Path) -> None:
        self._source = source

    def try_bundle(self, output_dir: str, *_: Any, **__: Any) -> bool:
        """Copy the package and its requirements into `output_dir`. CDK calls this method.

        Returns True, which means that CDK does not need to use Docker.
        """
        target = Path(output_dir)
        shutil.copytree(install_requirements(self._source), target, dirs_exist_ok=True)
        for module in _modules(self._source):
            copy = target / self._source.name / module.relative_to(self._source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(module, copy)
        _make_readable(target)
        return True


def install_requirements(source: Path) -> Path:
    """Return a folder with a function's installed requirements. pip runs only once for each version of the lock.

    Raises BundlingError if pip fails.
    """
    installed = CACHE / _digest(_lock(source))[:16]
    if not installed.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            target = Path(scratch) / "python"
            _pip_install(_lock(source), target)
            _remove_unused_files(target)
            _move_into_cache(target, installed)
    return installed


def _pip_install(lock: Path, target: Path) -> None:
    print(f"bundling {lock.relative_to(ROOT)} for Lambda ({WHEEL_PLATFORM}, Python {PYTHON_VERSION})", file=sys.stderr)
    run = run_pip(["install", *PIP_OPTIONS, "--target", str(target), "--requirement", str(lock)])
    if run.returncode:
        raise BundlingError(f"pip could not install {lock.relative_to(ROOT)}: {last_line(run)}\n{run.stdout}")


def _remove_unused_files(target: Path) -> None:
    # Lambda does not use the scripts and the type stubs of the requirements.
    for folder in (target / "bin", *target.glob("*-stubs")):
        shutil.rmtree(folder, ignore_errors=True)
    for stub in target.rglob("*.pyi"):
        stub.unlink()
    # These files describe how pip has installed the requirements. They differ between machines and versions of pip.
    for info in target.glob("*.dist-info"):
        for name in ("RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json"):
            (info / name).unlink(missing_ok=True)


def _move_into_cache(target: Path, installed: Path) -> None:
    # Renaming is atomic, so a folder in the cache is always complete. This is true even if a run is interrupted, or if
    # another run creates the same folder.
    try:
        target.rename(installed)
    except OSError:
        if not installed.exists():
            raise


def _make_readable(folder: Path) -> None:
    # Lambda runs the code as a user who does not own the files. With a strict umask, only the owner could read them.
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _lock(source: Path) -> Path:
    return source / "requirements.txt"


def _modules(source: Path) -> list[Path]:
    # A module may read a JSON file of its package.
    return sorted(path for path in source.rglob("*") if path.suffix in (".py", ".json"))


def _digest(*files: Path) -> str:
    # The hash includes this module, because this module chooses the platform and the files to remove.
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for file in files:
        digest.update(file.relative_to(ROOT).as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


if __name__ == "__main__":
    try:
        for lock in sorted(LAMBDA_SRC.glob("*/requirements.txt")):
            install_requirements(lock.parent)
    except (BundlingError, KeyboardInterrupt) as error:
        sys.exit(f"error: {error or 'stopped'}")
