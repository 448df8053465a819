"""Report the files of this project that the person has saved, and what each of them belongs to."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from watchfiles import watch

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("lambda_src", "containers", "stacks")
SETTINGS = frozenset({"app.py", "config.py", "settings_checks.py", "cdk.json"})
"""Files of the app in the project's folder itself."""
SUFFIXES = frozenset({".py", ".json", ".sh", ".html", ".css", ".txt"})
"""Editors also write other files into the folders, for a short time."""
QUIET_MS = 50
"""An editor may write a file several times. A change counts when the files did not change for this time."""
LONGEST_MS = 400
"""The maximum time for which a change can wait."""
PAUSE_MS = 200
"""The maximum time between two sets, even if no file has changed."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the project: a function's package, the code of an image, or the stacks."""

    kind: str
    """`function`, `image` or `stacks`."""
    name: str = ""
    """The name of the folder in lambda_src/ or in containers/."""


def part_of(file: Path, root: Path = ROOT) -> Part | None:
    """Return the part to which a file belongs, or None if no deployment contains the file."""
    is_source = file.suffix in SUFFIXES or file.name == "Dockerfile"
    if not is_source or "__pycache__" in file.parts or not file.is_relative_to(root):
        return None
    match file.relative_to(root).parts:
        case ("lambda_src", package, _, *_):
            return Part("stacks") if file.suffix == ".txt" else Part("function", package)
        case ("containers", image, _, *_):
            return Part("image", image)
        case ("stacks", _, *_):
            return Part("stacks")
        case (name,) if name in SETTINGS:
            return Part("stacks")
    return None


def by_part(files: Iterable[Path], root: Path = ROOT) -> Mapping[Part, list[Path]]:
    """Return the files of each part. Files that belong to no part are left out."""
    parts: dict[Part, list[Path]] = {}
    for file in sorted(files):
        part = part_of(file, root)
        if part:
            parts.setdefault(part, []).append(file)
    return parts


def saved_files(root: Path = ROOT) -> Iterator[set[Path]]:
    """Yield the files that were saved, moved or deleted. The set is empty if nothing has changed for a while.

    Raises KeyboardInterrupt on Ctrl-C.
    """
    while True:
        for changes in watch(
            *_folders(root),
            watch_filter=None,
            recursive=False,  # otherwise the packages in .venv and node_modules would be watched, too
            debounce=LONGEST_MS,
            step=QUIET_MS,
            rust_timeout=PAUSE_MS,
            yield_on_timeout=True,
        ):
            paths = {Path(path) for _, path in changes}
            new_folders = [path for path in paths if path.is_dir() and not path.name.startswith("__")]
            yield {*paths, *(file for folder in new_folders for file in folder.rglob("*"))}
            if new_folders:
                break  # and watch the new folders, too


def _folders(root: Path) -> list[Path]:
    folders = [folder for name in FOLDERS for folder in (root / name, *(root / name).rglob("*")) if folder.is_dir()]
    return [root, *(folder for folder in folders if folder.name != "__pycache__")]
