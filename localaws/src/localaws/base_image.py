"""A base for the images, made of this machine's own Python, for where no registry of images answers.

`python -m localaws.base_image base.tar containers/*/requirements.txt` writes a file system for `podman import`.
In it are Python with pip, the few programs that the Dockerfiles run, and the wheels that they install.
"""

import argparse
import hashlib
import importlib.resources
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

from localaws.container_tool import Tool
from localaws.settings import BaseImage

CHANGES = ("ENV PATH=/usr/local/bin:/usr/bin:/bin", "ENV PIP_NO_INDEX=1", "ENV PIP_FIND_LINKS=/wheels")
"""What `import` has to add, one `--change` each."""
_PROGRAMS = ("sh", "env", "uname", "rm", "chmod")
_NOT_NEEDED = (
    "test",
    "tests",
    "__pycache__",
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "config-*",
    "site-packages",
    "dist-packages",
)
_NEITHER = re.compile(r"_tkinter|_test|xxlimited|_curses|readline")


def import_into(tool: Tool, base: BaseImage, name: str, *changes: str) -> None:
    """Make the base image `name` known to the tool, with these changes beside its own.

    Raises RuntimeError with the tool's message when it fails.
    """
    options = (option for change in (*CHANGES, *changes) for option in ("--change", change))
    imported = tool("import", *options, str(archive(base)), name)
    if imported.returncode:
        raise RuntimeError(imported.stderr)


def archive(base: BaseImage) -> Path:
    """Return the file of the base image. It is made anew when its requirements, Python or this module has changed."""
    requirements = [Path(file) for file in base.requirements]
    made_of = [sys.version.encode(), Path(__file__).read_bytes(), *(path.read_bytes() for path in requirements)]
    folder = Path(base.cache)
    found = folder / f"base-{hashlib.sha256(b''.join(made_of)).hexdigest()[:16]}.tar"
    if not found.exists():
        folder.mkdir(exist_ok=True, parents=True)
        for old in folder.glob("base-*.tar"):
            old.unlink()
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            make(Path(unfinished) / "base.tar", *requirements)
            (Path(unfinished) / "base.tar").rename(found)
    return found


def make(target: Path, *requirements: Path) -> None:
    """Write the base. Raises CalledProcessError when pip cannot download the wheels."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        library = _add_python(root)
        _add_programs(root)
        _add_libraries(root, [*root.glob("usr/local/bin/python3"), *root.glob("bin/*"), *library.rglob("*.so")])
        for lock in requirements:
            _add_wheels(root / "wheels", lock)
        _add_libraries_of_wheels(root)
        for directory in ("tmp", "etc", "proc", "sys", "dev"):
            (root / directory).mkdir(exist_ok=True)
        (root / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\n")
        with tarfile.open(target, "w") as archive:
            archive.add(root, arcname=".", filter=_owned_by_root)


def _add_python(root: Path) -> Path:
    standard = Path(sysconfig.get_path("stdlib"))
    library = root / "usr" / "local" / "lib" / standard.name
    shutil.copytree(standard, library, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_NEEDED))
    for unneeded in (library / "lib-dynload").iterdir():
        if _NEITHER.search(unneeded.name):
            unneeded.unlink()
    pip = Path(str(importlib.resources.files("pip")))
    shutil.copytree(pip, library / "site-packages" / "pip", ignore=shutil.ignore_patterns("__pycache__"))
    programs = root / "usr" / "local" / "bin"
    programs.mkdir(parents=True)
    shutil.copy(Path(sys.executable).resolve(), programs / "python3")
    (programs / "python").symlink_to("python3")
    return library


def _add_programs(root: Path) -> None:
    (root / "bin").mkdir()
    for name in _PROGRAMS:
        found = shutil.which(name)
        if found is None:
            raise FileNotFoundError(f"this machine has no {name} for the base image")
        shutil.copy(Path(found).resolve(), root / "bin" / name)


def _add_libraries_of_wheels(root: Path) -> None:
    # A wheel brings its own libraries, but takes those of the C library for granted.
    with tempfile.TemporaryDirectory() as folder:
        for wheel in (root / "wheels").glob("*.whl"):
            shutil.unpack_archive(wheel, folder, "zip")
        _add_libraries(root, [*Path(folder).rglob("*.so*")], besides=Path(folder))


def _add_libraries(root: Path, binaries: list[Path], *, besides: Path | None = None) -> None:
    # Every one goes where the loader looks by itself: beside the C library.
    told = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    named = {Path(word) for word in told.split() if word.startswith("/") and not word.endswith(":")}
    named = {path for path in named if besides is None or besides not in path.parents}
    if not named:
        return
    (home,) = {path.parent for path in named if path.name == "libc.so.6"}
    for library in named:
        keeps_its_place = library.name.startswith("ld-")
        directory = root / str(library.parent if keeps_its_place else home).lstrip("/")
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(library.resolve(), directory / library.name)


def _add_wheels(target: Path, requirements: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    exactly = ["--only-binary", ":all:", "--require-hashes", "--no-deps"]
    subprocess.run(
        [*pip, *exactly, "--dest", str(target), "--requirement", str(requirements)],
        check=True,
        capture_output=True,
        text=True,
    )


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode |= 0o555 if member.isdir() else 0o444
    if member.name == "./tmp":
        member.mode = 0o1777
    return member


def main() -> None:
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("requirements", type=Path, nargs="+")
    arguments = parser.parse_args()
    os.umask(0o022)
    make(arguments.target, *arguments.requirements)


if __name__ == "__main__":
    main()
