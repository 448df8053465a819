"""Make a base image for Dockerfiles from the Python of this machine, for machines that cannot reach an image registry.

`python -m localaws.base_image base.tar containers/*/requirements.txt` writes a tar file for `podman import`.
The file contains Python with pip, a few programs that Dockerfiles run, and the wheels of the packages that the
requirements files list.
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

from filelock import FileLock

from localaws.container_tool import Tool
from localaws.settings import BaseImage

CHANGES = ("ENV PATH=/usr/local/bin:/usr/bin:/bin", "ENV PIP_NO_INDEX=1", "ENV PIP_FIND_LINKS=/wheels")
"""The settings of the image. Each one becomes an option `--change` of `podman import`."""
_PROGRAMS = ("sh", "env", "uname", "rm", "chmod", "mkdir", "find", "cp")
_UNNEEDED_FOLDERS = (
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
_UNNEEDED_MODULES = re.compile(r"_tkinter|_test|xxlimited|_curses|readline")


def import_into(tool: Tool, base: BaseImage, name: str, *changes: str) -> None:
    """Import the base image into the container tool as `name`, with CHANGES and these additional changes.

    Raises RuntimeError with the tool's message on failure.
    """
    options = (option for change in (*CHANGES, *changes) for option in ("--change", change))
    result = tool("import", *options, str(archive(base)), name)
    if result.returncode:
        raise RuntimeError(result.stderr)


def archive(base: BaseImage) -> Path:
    """Return the tar file of the base image. Make a new one if the requirements, Python or this module has changed.

    If several processes call this function at the same time, one of them makes the file, and the others wait.
    """
    requirements = [Path(file) for file in base.requirements]
    sources = [sys.version.encode(), Path(__file__).read_bytes(), *(path.read_bytes() for path in requirements)]
    folder = Path(base.cache)
    cached_file = folder / f"base-{hashlib.sha256(b''.join(sources)).hexdigest()[:16]}.tar"
    folder.mkdir(exist_ok=True, parents=True)
    with FileLock(folder / "base.lock"):
        if not cached_file.exists():
            for old_archive in folder.glob("base-*.tar"):
                old_archive.unlink()
            with tempfile.TemporaryDirectory(dir=folder) as temporary_folder:
                make(Path(temporary_folder) / "base.tar", *requirements)
                (Path(temporary_folder) / "base.tar").rename(cached_file)
    return cached_file


def make(target: Path, *requirements: Path) -> None:
    """Write the base image into the file `target`. Raises CalledProcessError if pip cannot download the wheels."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        standard_library = _add_python(root)
        _add_programs(root)
        _add_libraries(
            root, [*root.glob("usr/local/bin/python3"), *root.glob("bin/*"), *standard_library.rglob("*.so")]
        )
        for requirements_file in requirements:
            _add_wheels(root / "wheels", requirements_file)
        _add_libraries_of_wheels(root)
        for directory in ("tmp", "etc", "proc", "sys", "dev"):
            (root / directory).mkdir(exist_ok=True)
        (root / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\n")
        with tarfile.open(target, "w") as tar_file:
            tar_file.add(root, arcname=".", filter=_make_root_the_owner)


def _add_python(root: Path) -> Path:
    source_folder = Path(sysconfig.get_path("stdlib"))
    target_folder = root / "usr" / "local" / "lib" / source_folder.name
    shutil.copytree(source_folder, target_folder, symlinks=True, ignore=shutil.ignore_patterns(*_UNNEEDED_FOLDERS))
    for module in (target_folder / "lib-dynload").iterdir():
        if _UNNEEDED_MODULES.search(module.name):
            module.unlink()
    pip = Path(str(importlib.resources.files("pip")))
    shutil.copytree(pip, target_folder / "site-packages" / "pip", ignore=shutil.ignore_patterns("__pycache__"))
    programs = root / "usr" / "local" / "bin"
    programs.mkdir(parents=True)
    shutil.copy(Path(sys.executable).resolve(), programs / "python3")
    (programs / "python").symlink_to("python3")
    return target_folder


def _add_programs(root: Path) -> None:
    (root / "bin").mkdir()
    for name in _PROGRAMS:
        program = shutil.which(name)
        if program is None:
            raise FileNotFoundError(f"the base image needs the program {name}, which this machine does not have")
        shutil.copy(Path(program).resolve(), root / "bin" / name)


def _add_libraries_of_wheels(root: Path) -> None:
    # A wheel contains the libraries that it needs, except the libraries that belong to the C library. This function
    # adds these exceptions.
    with tempfile.TemporaryDirectory() as folder:
        for wheel in (root / "wheels").glob("*.whl"):
            shutil.unpack_archive(wheel, folder, "zip")
        _add_libraries(root, [*Path(folder).rglob("*.so*")], excluded_folder=Path(folder))


def _add_libraries(root: Path, binaries: list[Path], *, excluded_folder: Path | None = None) -> None:
    # Copy all libraries into the folder of the C library, because the loader searches that folder.
    listing = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    libraries = {Path(word) for word in listing.split() if word.startswith("/") and not word.endswith(":")}
    libraries = {path for path in libraries if excluded_folder is None or excluded_folder not in path.parents}
    if not libraries:
        return
    (c_library_folder,) = {path.parent for path in libraries if path.name == "libc.so.6"}
    for library in libraries:
        is_loader = library.name.startswith("ld-")
        directory = root / str(library.parent if is_loader else c_library_folder).lstrip("/")
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(library.resolve(), directory / library.name)


def _add_wheels(target: Path, requirements: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    strict_options = ["--only-binary", ":all:", "--require-hashes", "--no-deps"]
    subprocess.run(
        [*pip, *strict_options, "--dest", str(target), "--requirement", str(requirements)],
        check=True,
        capture_output=True,
        text=True,
    )


def _make_root_the_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode |= 0o555 if member.isdir() else 0o444
    if member.name == "./tmp":
        member.mode = 0o1777
    return member


def main() -> None:
    """Parse the command line, and write the base image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("requirements", type=Path, nargs="+")
    arguments = parser.parse_args()
    os.umask(0o022)
    make(arguments.target, *arguments.requirements)


if __name__ == "__main__":
    main()
