"""Install the packages of package-lock.json into node_modules: `python -m tools.setup.npm`. npm checks their hashes."""

import subprocess
import sys
from pathlib import Path

LOCK = Path("package-lock.json")
INSTALLED = Path("node_modules/.installed")
"""A copy of the lock whose packages are in node_modules."""
OPTIONS = (
    *("--loglevel=error", "--no-audit", "--no-fund", "--no-update-notifier", "--prefer-offline"),
    # The user may have other values of these settings, for example NODE_ENV=production. Then npm would not install all
    # packages into node_modules. npm still uses the settings of the network.
    *("--no-global", "--ignore-scripts", "--location=project", "--include=dev", "--no-dry-run"),
    *("--no-package-lock-only", "--install-strategy=hoisted", "--bin-links"),
)


def main() -> None:
    """Run npm, if node_modules does not have the packages of the lock. Ends with npm's code if npm fails."""
    if INSTALLED.exists() and INSTALLED.read_bytes() == LOCK.read_bytes():
        return
    npm = Path(sys.executable).with_name("npm")
    run = subprocess.run([npm, "ci", *OPTIONS], stdout=subprocess.DEVNULL, check=False)
    if run.returncode:
        sys.exit(run.returncode)
    INSTALLED.write_bytes(LOCK.read_bytes())


if __name__ == "__main__":
    main()
