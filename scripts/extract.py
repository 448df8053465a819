"""Copy one example into a project of its own: `python3 -m scripts.extract fargate ../my-project`.

The new folder contains an app.py with only that stack, the modules that app.py imports, and the code that the stack
deploys. In the new folder, `npx cdk synth` writes the same template as in this project. This script needs only Python's
standard library.
"""

import argparse
import ast
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMON_FILES = (".gitignore", "LICENSE", "cdk.json", "package-lock.json", "package.json", "requirements.txt")
"""Files that every extracted project contains, because `npx cdk synth` or a git repository needs them."""
CODE_FOLDERS = ("containers", "lambda_src")
"""Folders with the deployed code. They have one subfolder for each image or function."""


class ExtractionError(ValueError):
    """The example does not exist, or the folder is not empty. The message is one line."""


def app_with_only(stem: str) -> str:
    """Return the text of app.py without the stacks of the other examples. `stem` is the short name of the example.

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
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and _called_name(node.value) in classes]
    source = _remove_nodes(source, [*other_imports, *calls])
    while unused := _unused_variables(ast.parse(source)):
        source = _remove_nodes(source, unused)
    return source


def files_of(stem: str) -> list[Path]:
    """Return the files that an example needs besides app.py, as paths relative to the project.

    These are COMMON_FILES, all modules that app.py imports directly or indirectly, and the files that the modules name.

    Raises ExtractionError for an unknown example.
    """
    files = {Path(name) for name in COMMON_FILES}
    unread_modules = [ast.parse(app_with_only(stem))]
    while unread_modules:
        tree = unread_modules.pop()
        for module in _imported_modules(tree):
            if module not in files:
                files.add(module)
                unread_modules.append(ast.parse((ROOT / module).read_text(encoding="utf-8")))
        files.update(_files_named_in(tree))
    return sorted(files)


def extract(stem: str, target: Path) -> list[Path]:
    """Copy an example into a new or empty folder. Return the files there, as paths relative to that folder.

    Raises ExtractionError for an unknown example, or a folder that is not empty.
    """
    app, files = app_with_only(stem), files_of(stem)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExtractionError(f"{target} is not an empty folder. Use a new one.")
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, target / file)
    (target / "app.py").write_text(app, encoding="utf-8")
    return sorted([Path("app.py"), *files])


# -- app.py


def _called_name(value: ast.expr) -> str:
    return value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""


def _unused_variables(tree: ast.Module) -> list[ast.stmt]:
    """Return the assignments to variables that only the other stacks used."""
    used_names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return [
        node
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        for node in function.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id not in used_names
    ]


def _remove_nodes(source: str, nodes: list[ast.stmt]) -> str:
    removed = {line for node in nodes for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    lines = enumerate(source.splitlines(keepends=True), start=1)
    text = "".join(line for number, line in lines if number not in removed)
    return re.sub(r"\n{3,}(?= )", "\n\n", text)  # only one blank line remains


# -- the other files


def _imported_modules(tree: ast.Module) -> Iterator[Path]:
    """Yield the files of the modules that a module imports from this project, and of the packages around them."""
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


def _files_named_in(tree: ast.Module) -> Iterator[Path]:
    """Yield the files and the code folders whose names are strings in a module.

    A file's name is relative to the project or to the folder stacks. A code folder is a subfolder of CODE_FOLDERS.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\w[\w./-]*", node.value):
            for file in (ROOT / node.value, ROOT / "stacks" / node.value):
                if file.is_file():
                    yield file.relative_to(ROOT)
                    yield from _files_in_image(file.with_name(f"{file.name}.dockerignore"))
            for folder in CODE_FOLDERS:
                yield from _files_in_folder(ROOT / folder / node.value)


def _files_in_image(dockerignore: Path) -> Iterator[Path]:
    """Yield a .dockerignore file, and the files that it selects with `!`.

    An image with such a file has the whole project as its build context.
    """
    if dockerignore.is_file():
        yield dockerignore.relative_to(ROOT)
        for line in dockerignore.read_text(encoding="utf-8").splitlines():
            if line.startswith("!"):
                yield from (file.relative_to(ROOT) for file in ROOT.glob(line[1:]) if file.is_file())


def _files_in_folder(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file.relative_to(ROOT)


def main() -> None:
    """Extract an example, list its files and print the next commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("example", help="the name of an example in the README's table, such as thumbnail")
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
