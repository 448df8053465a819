"""Copy one example into a project of its own: `python3 -m scripts.extract fargate ../my-project`.

The new folder has an app.py with only that stack, the modules that this imports, and the code that the stack deploys.
It needs nothing else, and `npx cdk synth` writes the same template there. This script needs only Python's standard
library.
"""

import argparse
import ast
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALWAYS = (".gitignore", "LICENSE", "cdk.json", "package-lock.json", "package.json", "requirements.txt")
"""Files that `npx cdk synth` or a git repository needs, whatever the example."""
CODE_FOLDERS = ("containers", "lambda_src")
"""Folders of the deployed code. Each has one folder for each image or function."""


class ExtractionError(ValueError):
    """An example that does not exist, or a folder that cannot be written. The message is one line."""


def app_with(stem: str) -> str:
    """Return the text of app.py with only this example's stack.

    Raises ExtractionError for an unknown example.
    """
    source = (ROOT / "app.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    stacks = {
        node: node.module.removeprefix("stacks.")
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and re.match(r"stacks\.[a-z]", node.module)
    }
    if stem not in stacks.values():
        raise ExtractionError(f"{stem!r} is not an example. Use one of: {', '.join(sorted(stacks.values()))}.")
    other_imports = [node for node, module in stacks.items() if module != stem]
    classes = {name.name for node in other_imports for name in node.names}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and _called(node.value) in classes]
    source = _without(source, [*other_imports, *calls])
    while unused := _unused_variables(ast.parse(source)):
        source = _without(source, unused)
    return source


def files_of(stem: str) -> list[Path]:
    """Return the files of an example besides app.py, relative to the project: what app.py and its imports name.

    Raises ExtractionError for an unknown example.
    """
    files = {Path(name) for name in ALWAYS}
    unread = [ast.parse(app_with(stem))]
    while unread:
        tree = unread.pop()
        for module in _imported_modules(tree):
            if module not in files:
                files.add(module)
                unread.append(ast.parse((ROOT / module).read_text(encoding="utf-8")))
        files.update(_named_files(tree))
    return sorted(files)


def extract(stem: str, target: Path) -> list[Path]:
    """Copy an example into a new or empty folder, and return the files there, relative to it.

    Raises ExtractionError for an unknown example, or a folder that is not empty.
    """
    app, files = app_with(stem), files_of(stem)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExtractionError(f"{target} is not an empty folder. Use a new one.")
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, target / file)
    (target / "app.py").write_text(app, encoding="utf-8")
    return sorted([Path("app.py"), *files])


# -- app.py


def _called(value: ast.expr) -> str:
    return value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""


def _unused_variables(tree: ast.Module) -> list[ast.stmt]:
    """Return the assignments to variables that only the other stacks used."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return [
        node
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        for node in function.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id not in used
    ]


def _without(source: str, nodes: list[ast.stmt]) -> str:
    removed = {line for node in nodes for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    lines = enumerate(source.splitlines(keepends=True), start=1)
    text = "".join(line for number, line in lines if number not in removed)
    return re.sub(r"\n{3,}(?= )", "\n\n", text)  # the blank lines around the removed ones


# -- the other files


def _imported_modules(tree: ast.Module) -> Iterator[Path]:
    """Yield the project's modules that a module imports, and the packages around them."""
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


def _named_files(tree: ast.Module) -> Iterator[Path]:
    """Yield the files and the code folders whose names are texts in a module.

    A name is relative to the module's folder, to the project, or to a folder of code.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\w[\w./-]*", node.value):
            for file in (ROOT / node.value, ROOT / "stacks" / node.value):
                if file.is_file():
                    yield file.relative_to(ROOT)
                    yield from _files_in_image(file.with_name(f"{file.name}.dockerignore"))
            for folder in CODE_FOLDERS:
                yield from _files_in(ROOT / folder / node.value)


def _files_in_image(dockerignore: Path) -> Iterator[Path]:
    """Yield the files of an image whose build context is the whole project: the lines that begin with `!`."""
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
    """Extract an example, list its files and print the next commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("example", help="a name in the README's table, for instance thumbnail")
    parser.add_argument("folder", type=Path, help="a new or empty folder")
    arguments = parser.parse_args()
    try:
        files = extract(arguments.example, arguments.folder)
    except (ExtractionError, OSError) as error:
        sys.exit(f"error: {error}")
    print(*files, sep="\n")
    print(
        f"\nNext, in {arguments.folder}:\n\n    python3 -m venv .venv && . .venv/bin/activate && "
        "pip install -r requirements.txt && npm ci && npx cdk synth"
    )


if __name__ == "__main__":
    main()
