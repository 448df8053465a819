"""Bundle Lambda functions and their dependencies. uv downloads wheels for Lambda, so Docker is not necessary."""

import shutil
from pathlib import Path
from typing import Any

import jsii
from aws_cdk import AssetHashType, BundlingOptions, ILocalBundling
from aws_cdk import aws_lambda as lambda_

from stacks._requirements import ROOT, BundlingError, digest, install_requirements, lock_of

LAMBDA_SRC = ROOT / "lambda_src"

RUNTIME = lambda_.Runtime.PYTHON_3_14
"""The newest Python that Lambda offers. https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"""
ARCHITECTURE = lambda_.Architecture.ARM_64
"""With ARM, a GB-second costs 20 % less than with x86. https://aws.amazon.com/lambda/pricing/"""


def bundled_code(package: str) -> lambda_.Code:
    """Return a function's code: the package `lambda_src/<package>` and its locked requirements.

    The lock is the file requirements.txt with exact versions and hashes. The asset's hash covers the package, the lock
    and the bundling code, so the hash is the same on every machine. Raises BundlingError if there is no lock, and
    during synthesis if uv fails.
    """
    source = LAMBDA_SRC / package
    if not lock_of(source).exists():
        raise BundlingError(
            f"the function {package} has no {lock_of(source).relative_to(ROOT)}. Write its packages into "
            "requirements.in in this folder, and run `make lock`. If it needs no packages, create an empty lock."
        )
    return lambda_.Code.from_asset(
        str(source),
        asset_hash=digest_of(source),
        asset_hash_type=AssetHashType.CUSTOM,
        bundling=BundlingOptions(image=RUNTIME.bundling_image, local=_LocalBundling(source)),
    )


def digest_of(source: Path) -> str:
    """Return a hash of all files that determine the bundle of a function, as 64 hexadecimal digits."""
    return digest(Path(__file__), *_modules(source), lock_of(source))


@jsii.implements(ILocalBundling)
class _LocalBundling:
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


def _make_readable(folder: Path) -> None:
    # Lambda runs the code as a user who does not own the files. With a strict umask, only the owner could read them.
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _modules(source: Path) -> list[Path]:
    # A module may read a JSON file of its package.
    return sorted(path for path in source.rglob("*") if path.suffix in (".py", ".json"))
