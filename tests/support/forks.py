"""Functions that copy the project into another folder, as a fork does, and change settings in its config.py."""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from venv import EnvBuilder

from tests.support.folders import ROOT

LINKED_FOLDERS = ("node_modules", ".build")
"""Folders that the set-up writes. The copy has links to them."""


def copy_project(target: Path) -> None:
    """Copy all files that git does not ignore into a new folder, and set the copy up.

    The copy has its own Python environment. This environment uses the installed packages of this project.
    """
    listing = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).exists():  # git also lists a deleted file
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    for name in LINKED_FOLDERS:
        (target / name).symlink_to(ROOT / name)
    _create_environment(target / ".venv")
    subprocess.run(["make", ".venv/bin/aws"], cwd=target, check=True, capture_output=True)


def _create_environment(folder: Path) -> None:
    EnvBuilder(symlinks=True).create(folder)
    own, installed = (Path(sysconfig.get_path("purelib", vars={"base": str(base)})) for base in (folder, sys.prefix))
    (own / "installed.pth").write_text(f"import site; site.addsitedir({str(installed)!r})\n", encoding="utf-8")
    for program in ("node", "npm", "npx"):
        (folder / "bin" / program).symlink_to(Path(sys.prefix) / "bin" / program)
    for name in (".installed", ".tests"):
        shutil.copy2(ROOT / ".venv" / name, folder)  # with its time, which tells make that nothing is to do


def change_settings(project: Path, profile: str, settings: Mapping[str, Any]) -> None:
    """Write other values of settings into config.py: into the function of the profile."""
    file = project / "config.py"
    text = file.read_text(encoding="utf-8")
    head, function, rest = re.split(rf"(?<=\n)(def {profile}\(\).*?\n\n\n)", text, flags=re.DOTALL)
    function = re.sub(rf"        ({'|'.join(settings)})=.*\n", "", function)
    lines = [
        f"        {name}={value if name == 'log_retention' else repr(value)},\n" for name, value in settings.items()
    ]
    file.write_text(head + function.replace("    )\n", f"{''.join(lines)}    )\n") + rest, encoding="utf-8")
