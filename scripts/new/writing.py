"""Write the files of a new example, and register the example in the files that list all examples."""

import ast
import keyword
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SKELETON = Path(__file__).parent / "skeleton"
FILES = {
    "stack.py.txt": "stacks/{stem}.py",
    "handler.py.txt": "lambda_src/{stem}/handler.py",
    "local.py.txt": "local/{stem}.py",
    "test_stack.py.txt": "tests/stacks/test_{stem}.py",
    "test_handler.py.txt": "tests/handlers/{stem}/test_{stem}_handler.py",
    "smoke.py.txt": "tests/smoke/test_{stem}.py",
}
"""The files of the skeleton, and their places in the project. The lesson and the requirements are separate."""
LOCKED_PACKAGES = "lambda_src/ecr"
"""The function with the same packages as the skeleton. Its lock is copied, so that no lock must be compiled."""
ROLE_AND_LOGS = "Role1ABCC5F0 {action} ${{Logs6819BB44}}"
"""A role of `python_function`, and its log group. Their logical ids are the same in every stack."""
LOG_ACTIONS = ("logs:CreateLogStream", "logs:PutLogEvents")
"""Actions that Lambda uses for every function, also in the local AWS."""
OUTPUT_OF_WATCH_IT = ("""\'"message":"processed"\'""", r'r"-DeadLettersVisible\S+\t(OK|INSUFFICIENT_DATA)"')
"""Regular expressions, as Python code, for lines that the commands in the lesson's section `Watch it` print."""
LINE_LENGTH = 120
"""Maximum length of a line, as in pyproject.toml."""
MAX_LENGTH = 30
"""Longer names would make the names of the resources in AWS unreadable, because AWS cuts them at 64 characters."""


class SkeletonError(ValueError):
    """The name of the example cannot be used. The message is one line."""


@dataclass(frozen=True)
class Written:
    """The result: the written files, and the headings of the lesson's sections that are still empty."""

    files: list[Path]
    empty_sections: list[str]


def write_skeleton(stem: str, root: Path = ROOT) -> Written:
    """Write the skeleton of the example `stem` into the project in `root`. Raises SkeletonError for a bad name."""
    _check_name(stem, root)
    files = {place.format(stem=stem): _filled(name, stem) for name, place in FILES.items()}
    files[f"lambda_src/{stem}/__init__.py"] = f'"""The code of the {stem} function."""\n'
    files[f"tests/handlers/{stem}/__init__.py"] = ""
    for name in ("requirements.in", "requirements.txt"):
        text = (root / LOCKED_PACKAGES / name).read_text(encoding="utf-8")
        files[f"lambda_src/{stem}/{name}"] = text.replace(LOCKED_PACKAGES, f"lambda_src/{stem}")
    lesson, empty_sections = _lesson(stem, _headings(root))
    if lesson:
        files[f"docs/{stem}.md"] = lesson
        test = "tests/local/test_lessons.py"
        files[test] = _register_lesson_output((root / test).read_text(encoding="utf-8"), stem, lesson)
    files |= _registrations(stem, root)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return Written(sorted(map(Path, files)), empty_sections)


def _check_name(stem: str, root: Path) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", stem) or keyword.iskeyword(stem) or len(stem) > MAX_LENGTH:
        raise SkeletonError(
            f"{stem!r} cannot be the name of an example. Use a short word of lower-case letters, such as worker."
        )
    taken = [place.format(stem=stem) for place in FILES.values() if (root / place.format(stem=stem)).exists()]
    folders = ("", "lambda_src", "containers")
    taken += [f"{folder}/{stem}".lstrip("/") for folder in folders if (root / folder / stem).exists()]
    if taken:
        raise SkeletonError(f"{taken[0]} already exists. Use another name.")
    if stem in sys.stdlib_module_names:
        raise SkeletonError(f"Python has a module {stem}, and the function could not import it. Use another name.")
    setting = re.search(rf"^    ({stem}_\w+):", (root / "config.py").read_text(encoding="utf-8"), re.MULTILINE)
    if setting:
        raise SkeletonError(f"the setting {setting[1]} in config.py would belong to this example. Use another name.")


def _class_prefix(stem: str) -> str:
    return "".join(part.capitalize() for part in stem.split("_"))


def _filled(name: str, stem: str) -> str:
    text = (SKELETON / name).read_text(encoding="utf-8")
    values = {"stem": stem, "Class": _class_prefix(stem), "name": stem.replace("_", "-")}
    values["title"] = stem.replace("_", " ").capitalize()
    return re.sub(r"\{\{([A-Za-z]+)\}\}", lambda match: values[match[1]], text)


# -- the lesson


def _headings(root: Path) -> list[str]:
    """Return the headings that a lesson must have, or an empty list if an example needs no lesson."""
    with (root / "pyproject.toml").open("rb") as file:
        headings: list[str] = tomllib.load(file)["tool"]["lessons"]["headings"]
    return headings


def _lesson(stem: str, headings: list[str]) -> tuple[str, list[str]]:
    """Return the text of the lesson with these sections, and the headings for which the skeleton has no text."""
    if not headings:
        return "", []
    title, *sections = re.split(r"^## (.*)\n", _filled("lesson.md.txt", stem), flags=re.MULTILINE)
    texts = dict(zip(sections[::2], sections[1::2], strict=True))
    text = title + "\n".join(f"## {heading}\n{texts.get(heading, '').rstrip()}\n" for heading in headings)
    return text, [heading for heading in headings if heading not in texts]


# -- the files that list all examples


def _registrations(stem: str, root: Path) -> dict[str, str]:
    """Return the new texts of the files that list all examples, by their names."""
    edits = {
        "app.py": _register_stack,
        "local/__main__.py": _register_exercise,
        "pyproject.toml": _register_package,
        "tests/contracts/used_permissions.txt": _register_permissions,
    }
    return {name: edit((root / name).read_text(encoding="utf-8"), stem) for name, edit in edits.items()}


def _register_stack(text: str, stem: str) -> str:
    """Return app.py with an import of the stack, and a call after the call for the last stack."""
    tree = ast.parse(text)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and _is_stack(node.value)]
    last_line = max(node.end_lineno or node.lineno for node in calls)
    lines = text.splitlines()
    lines[last_line:last_line] = [
        f'    if selection.includes("{stem}"):',
        f'        {_class_prefix(stem)}Stack(**stack_parameters("{stem}"), **watch_settings)',
    ]
    new_import = f"from stacks.{stem} import {_class_prefix(stem)}Stack"
    imports = [
        node for node in tree.body if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stacks.")
    ]
    earlier = [node for node in imports if str(node.module) < f"stacks.{stem}"]
    lines.insert(max(node.end_lineno or node.lineno for node in earlier), new_import)
    return "\n".join(lines) + "\n"


def _is_stack(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id.endswith("Stack")


def _register_exercise(text: str, stem: str) -> str:
    """Return local/__main__.py with the exercise of the example, which `make local` runs."""
    imported = next(
        node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom) and node.module == "local"
    )
    names = sorted([*(name.name for name in imported.names), stem])
    line = f"from local import {', '.join(names)}"
    if len(line) > LINE_LENGTH:
        line = "\n".join(["from local import (", *(f"    {name}," for name in names), ")"])
    lines = text.splitlines()
    lines[imported.lineno - 1 : imported.end_lineno] = [line]
    text = "\n".join(lines) + "\n"
    return re.sub(r"(EXERCISES: .*?)(\n\})", rf'\1\n    "{stem}": {stem},\2', text, count=1, flags=re.DOTALL)


def _register_package(text: str, stem: str) -> str:
    """Return pyproject.toml with the function's package in the list of ruff, which sorts imports by this list."""
    line = re.search(r"^known-first-party = \[(.*)\]$", text, re.MULTILINE)
    if not line:
        raise SkeletonError(
            "pyproject.toml has no line `known-first-party = [...]`, so the example cannot be added there."
        )
    names = sorted([*line[1].split(", "), f'"{stem}"'])
    return text.replace(line[0], f"known-first-party = [{', '.join(names)}]")


def _register_permissions(text: str, stem: str) -> str:
    """Return the list of used permissions with the permission to write logs, which every function uses."""
    header, *permissions = text.splitlines()
    new = [f"{stem} {ROLE_AND_LOGS.format(action=action)}" for action in LOG_ACTIONS]
    return "\n".join([header, *sorted([*permissions, *new])]) + "\n"


def _register_lesson_output(text: str, stem: str, lesson: str) -> str:
    """Return the test of the lessons, with the lines that the commands in the new lesson's section `Watch it` print."""
    patterns = ", ".join(OUTPUT_OF_WATCH_IT) if "\n## Watch it\n" in lesson else ""
    dictionary = re.search(r"^OUTPUT_OF_WATCH_IT: .*?\n(?=\})", text, re.DOTALL | re.MULTILINE)
    if not dictionary:
        raise SkeletonError(
            "tests/local/test_lessons.py has no dictionary OUTPUT_OF_WATCH_IT, so the lesson cannot be added there."
        )
    return text.replace(dictionary[0], f'{dictionary[0]}    "{stem}": [{patterns}],\n')
