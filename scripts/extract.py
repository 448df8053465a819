"""Takes one example out of this project: `python3 -m scripts.extract fargate ../my-project`.

The new folder has an app.py with that stack alone, what this imports, and what the stack deploys. Nothing else is
needed, and `npx cdk synth` writes the same template there. Needs Python's standard library alone.
"""

import argparse
import ast
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = (".gitignore", "LICENSE", "cdk.json", "package-lock.json", "package.json", "requirements.txt")
"""What `npx cdk synth` needs whatever the example, and whatever it may be committed with."""
RUNTIMES = ("containers", "lambda_src")
"""Where what is deployed lies, in a folder for each function and image."""


class ExtractionError(ValueError):
    """What cannot be extracted, or not there. The message is one line."""


def app_with(stem: str) -> str:
    """The text of app.py with one stack alone.

    Raises ExtractionError for a name that is no example's.
    """
    source = (ROOT / "app.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    imported = {
        node: node.module.removeprefix("stacks.")
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stacks.")
    }
    if stem not in imported.values():
        raise ExtractionError(f"{stem!r} is not one of: {', '.join(sorted(imported.values()))}")
    others = [node for node, module in imported.items() if module != stem]
    classes = {name.name for node in others for name in node.names}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and _callee(node.value) in classes]
    shorter = _without(source, [*others, *calls])
    return _without(shorter, _unused(ast.parse(shorter)))


def files_of(stem: str) -> list[Path]:
    """What an example is made of beside its app.py, relative to the project, as app.py and its imports name it.

    Raises ExtractionError for a name that is no example's.
    """
    found = {Path(name) for name in TOOLS}
    waiting = [ast.parse(app_with(stem))]
    while waiting:
        tree = waiting.pop()
        for module in _modules(tree):
            if module not in found:
                found.add(module)
                waiting.append(ast.parse((ROOT / module).read_text(encoding="utf-8")))
        found.update(_data(tree))
    return sorted(found)


def extract(stem: str, target: Path) -> list[Path]:
    """Copy an example into a folder that is new or empty; returns the files there, relative to it.

    Raises ExtractionError for a name that is no example's, or a folder with something in it.
    """
    app, files = app_with(stem), files_of(stem)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExtractionError(f"{target} exists, and is not an empty folder")
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, target / file)
    (target / "app.py").write_text(app, encoding="utf-8")
    return sorted([Path("app.py"), *files])


# -- app.py


def _callee(value: ast.expr) -> str:
    return value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""


def _unused(tree: ast.Module) -> list[ast.stmt]:
    """Settings that only other stacks took."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return [
        node
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        for node in function.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id not in used
    ]


def _without(source: str, nodes: list[ast.stmt]) -> str:
    gone = {line for node in nodes for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    lines = source.splitlines(keepends=True)
    kept = "".join(line for number, line in enumerate(lines, start=1) if number not in gone)
    return re.sub(r"\n{3,}(?= )", "\n\n", kept)  # the blank lines around what is gone


# -- what it needs


def _modules(tree: ast.Module) -> Iterator[Path]:
    """The modules of this project that another imports, and the packages that they are in."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
        for name in names:
            path = Path(*name.split("."))
            for file in (path.with_suffix(".py"), path / "__init__.py", path.parent / "__init__.py"):
                if (ROOT / file).is_file():
                    yield file


def _data(tree: ast.Module) -> Iterator[Path]:
    """The files whose names a module has in it: beside it, or from the project's folder; and folders of code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\w[\w./-]*", node.value):
            for file in (ROOT / node.value, ROOT / "stacks" / node.value):
                if file.is_file():
                    yield file.relative_to(ROOT)
                    yield from _let_in(file.with_name(f"{file.name}.dockerignore"))
            for runtime in RUNTIMES:
                yield from _files_in(ROOT / runtime / node.value)


def _let_in(dockerignore: Path) -> Iterator[Path]:
    """What an image is made of when its context is the whole project: the lines after an exclamation mark."""
    if dockerignore.is_file():
        yield dockerignore.relative_to(ROOT)
        for line in dockerignore.read_text(encoding="utf-8").splitlines():
            if line.startswith("!"):
                yield from (file.relative_to(ROOT) for file in ROOT.glob(line[1:]) if file.is_file())


def _files_in(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file.relative_to(ROOT)


def main() -> None:
    """Extract, and say what is there and how to go on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("example", help="thumbnail, for instance: a name in the README's table")
    parser.add_argument("folder", type=Path, help="a new folder, or an empty one")
    arguments = parser.parse_args()
    try:
        files = extract(arguments.example, arguments.folder)
    except (ExtractionError, OSError) as error:
        sys.exit(f"error: {error}")
    print(*files, sep="\n")
    print(
        f"\nIn {arguments.folder}:\n\n    python3 -m venv .venv && . .venv/bin/activate && "
        "pip install -r requirements.txt && npm ci && npx cdk synth"
    )


if __name__ == "__main__":
    main()
