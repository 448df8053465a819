"""Copy one example into a project of its own: `python3 -m scripts.extract fargate ../my-project`.

The new folder contains an app.py with only that stack, the modules that app.py imports, and the code that the stack
deploys. It also contains the example's tests and lesson, the local AWS, a README.md, a Makefile, and the programs that
the Makefile runs. In the new folder, `make synth` writes the same template as in this project. This script needs only
Python's standard library.
"""

import argparse
import ast
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMON_FILES = (".gitignore", ".npmrc", "LICENSE", "cdk.json", "package-lock.json", "package.json", "requirements.txt")
"""Files that every extracted project contains, because `npx cdk synth` or a git repository needs them."""
CODE_FOLDERS = ("containers", "lambda_src")
"""Folders with the deployed code. They have one subfolder for each image or function."""


TEST_FILES = ("tests/__init__.py", "tests/conftest.py", "tests/stacks/__init__.py", "tests/stacks/test_{stem}.py")
"""The tests of a stack, and the files that they need."""
TEST_FOLDERS = ("tests/handlers/{stem}",)
"""Folders with the tests of an example's function."""
LOCAL_FILES = (
    "local/__main__.py",
    "local/app.py",
    "local/photo.jpg",
    "console/__main__.py",
    "console/pages/__init__.py",
)
LOCAL_FOLDERS = ("containers/web", "localaws/src")
"""Folders that `make local` needs: the local AWS, and the program that it runs in place of a container image."""
DEVELOPMENT_FILES = (
    *("localaws/README.md", "localaws/pyproject.toml", "pyproject.toml", "requirements-dev.txt"),
    *("requirements-local.txt", "requirements-uv.txt"),
    *("tools/setup/__main__.py", "tools/setup/constructs.py", "tools/setup/npm.py", "tools/setup/uv.py"),
)
EXTRACTED = Path("scripts/extracted")
"""The README.md and the Makefile of an extracted project. `{{stem}}` and `{{name}}` are the names of the example.

`{{commands}}` are the commands that only this example has, from the folder `commands`. `{{set-up}}` is the last part of
this project's Makefile: the rules that install the packages.
"""


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
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and _created_stack(node) in classes]
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
    for tree in _with_imports(stem, Path("app.py"), files):
        files.update(_files_named_in(tree))
    return sorted(files)


def development_files_of(stem: str) -> list[Path]:
    """Return the files for the tests, for the lesson and for `make local`, as paths relative to the project."""
    files = {Path(name) for name in (*DEVELOPMENT_FILES, *LOCAL_FILES)}
    files.update(Path(name.format(stem=stem)) for name in TEST_FILES)
    files.update(_programs_of(_makefile(stem)))
    if (ROOT / _lesson(stem)).is_file():
        files.add(_lesson(stem))
        files.update(file.relative_to(ROOT) for file in (ROOT / "docs" / "pictures").glob(f"{stem}-*.webp"))
    for folder in (*TEST_FOLDERS, *LOCAL_FOLDERS):
        files.update(_files_in_folder(ROOT / folder.format(stem=stem)))
    if (ROOT / "console" / "pages" / f"{stem}.py").is_file():
        files.add(Path(f"console/pages/{stem}.py"))
    for module in sorted(file for file in files if file.suffix == ".py"):
        list(_with_imports(stem, module, files))
    files.update(_data_files(files))
    files.update(_console_files(stem))
    packages = {folder / "__init__.py" for file in files for folder in file.parents}
    return sorted(files | {file for file in packages if (ROOT / file).is_file()})


def extract(stem: str, target: Path) -> list[Path]:
    """Copy an example into a new or empty folder. Return the files there, as paths relative to that folder.

    Raises ExtractionError for an unknown example, or a folder that is not empty.
    """
    files = sorted({*files_of(stem), *development_files_of(stem)})
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExtractionError(f"{target} is not an empty folder. Use a new one.")
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, target / file)
    lesson = _lesson(stem)
    texts = {file: _text_for(stem, file) for file in map(Path, ("app.py", *EDITED_FILES))}
    texts |= {Path("Makefile"): _makefile(stem), Path("README.md"): _readme(stem, has_lesson=lesson in files)}
    for file, text in texts.items():
        (target / file).write_text(text, encoding="utf-8")
    if lesson in files:
        _adapt_lesson(target / lesson)
    return sorted({*texts, *files})


# -- app.py


def _created_stack(node: ast.stmt) -> str:
    """Return the name of the class that a statement calls, or the single statement in an `if`. Else an empty text."""
    if isinstance(node, ast.If) and len(node.body) == 1:
        node = node.body[0]
    call = node.value if isinstance(node, ast.Expr) else None
    return call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""


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


# -- the tests, the lesson and the local AWS

EDITED_FILES = ("local/__main__.py", "pyproject.toml", "tests/conftest.py")
"""The extracted project has these files, but without the parts for the other examples."""


def _text_for(stem: str, file: Path) -> str:
    """Return the text of a file in the project of one example."""
    if file == Path("app.py"):
        return app_with_only(stem)
    text = (ROOT / file).read_text(encoding="utf-8")
    if file == Path("local/__main__.py"):
        text = re.sub(
            r"^from local import (\(.*?\)|.*?)$", f"from local import {stem}", text, flags=re.DOTALL | re.MULTILINE
        )
        return re.sub(
            r"(EXERCISES: .*? = \{\n).*?\n\}", rf'\1    "{stem}": {stem},\n}}', text, count=1, flags=re.DOTALL
        )
    if file == Path("pyproject.toml"):  # the groups of packages for commands that the new Makefile does not have
        return re.sub(r"^# `make .*\n\w+ = \[\n(?:    .*\n)*\]\n", "", text, flags=re.MULTILINE)
    if file == Path("tests/conftest.py"):  # the extracted tests need no deployment
        return re.sub(r"^pytest_plugins = .*\n\n", "", text, flags=re.MULTILINE)
    return text


def _lesson(stem: str) -> Path:
    return Path("docs") / f"{stem}.md"


def _filled(file: Path, stem: str) -> str:
    text = file.read_text(encoding="utf-8")
    return text.replace("{{stem}}", stem).replace("{{name}}", stem.replace("_", "-"))


def _readme(stem: str, *, has_lesson: bool) -> str:
    text = _filled(ROOT / EXTRACTED / "README.md.txt", stem)
    return text if has_lesson else re.sub(r"^\[The lesson\].*\n\n|^    docs/ .*\n", "", text, flags=re.MULTILINE)


def _makefile(stem: str) -> str:
    commands = ROOT / EXTRACTED / "commands" / f"{stem}.txt"
    text = _filled(ROOT / EXTRACTED / "Makefile.txt", stem)
    text = text.replace("{{commands}}", _filled(commands, stem) if commands.is_file() else "")
    return text.replace("{{set-up}}\n", _set_up_rules())


def _set_up_rules() -> str:
    """Return the rules of this project's Makefile that install the packages which every copy needs."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = re.search(r"^setup: .*?(?=^\.venv/\.bench:)", makefile, re.MULTILINE | re.DOTALL)
    if not rules:
        raise ExtractionError("the Makefile of this project must have the rules from `setup:` to `.venv/.bench:`.")
    return rules[0].rstrip() + "\n"


def _programs_of(makefile: str) -> Iterator[Path]:
    """Yield the programs of this project that a Makefile runs: modules, and files in the folder tools."""
    for module in re.findall(r"/python -m ([\w.]+)", makefile):
        path = Path(*module.split("."))
        yield from (file for file in (path.with_suffix(".py"), path / "__main__.py") if (ROOT / file).is_file())
    yield from map(Path, re.findall(r"\btools/[\w./]+\b", makefile))


def _adapt_lesson(document: Path) -> None:
    """Remove what the new folder does not have: the program that writes tables and diagrams, and the other documents.

    A link to a missing file becomes the text of the link.
    """

    def keep_if_it_exists(match: re.Match[str]) -> str:
        text, target = match[1], match[2].partition("#")[0]
        exists = not target or "://" in target or (document.parent / target).exists()
        return match[0] if exists else text

    text = document.read_text(encoding="utf-8")
    text = re.sub(r"^(%%|<!--) \[\[\[(cog .*|end)\]\]\].*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"`make docs` computes the tables? from the templates\.\s", "", text)
    document.write_text(re.sub(r"\[([^]]*)\]\(([^)\s]+)\)", keep_if_it_exists, text), encoding="utf-8")


def _console_files(stem: str) -> set[Path]:
    """Return the files of the console that are not Python, without those of the other examples' pages."""
    others = tuple(page.stem for page in (ROOT / "console" / "pages").glob("[!_]*.py") if page.stem != stem)

    def is_for_another(file: Path) -> bool:
        name = file.stem.removeprefix("_")
        return any(name == other or name.startswith(f"{other}_") for other in others)

    files = (file for file in _files_in_folder(ROOT / "console") if file.suffix != ".py")
    return {file for file in files if not is_for_another(file)}


def _data_files(modules: set[Path]) -> set[Path]:
    """Return the files that a module of the tests or tools names: beside the module, or in a folder of CODE_FOLDERS."""
    return {
        file
        for module in modules
        if module.suffix == ".py" and module.parts[0] in ("tests", "tools")
        for name in re.findall(r'"([\w./-]+\.\w+)"', (ROOT / module).read_text(encoding="utf-8"))
        for file in (Path(name) if name.startswith(CODE_FOLDERS) else module.parent / name,)
        if (ROOT / file).is_file()
    }


# -- the other files


def _with_imports(stem: str, module: Path, files: set[Path]) -> Iterator[ast.Module]:
    """Yield the code of a module, and of all modules that it imports directly or indirectly. Add them to `files`."""
    unread_modules = [module]
    while unread_modules:
        tree = _parsed(_text_for(stem, unread_modules.pop()))
        for imported in _imported_modules(tree):
            if imported not in files:
                files.add(imported)
                unread_modules.append(imported)
        yield tree


@cache
def _parsed(text: str) -> ast.Module:
    """Return the code of a module. Many modules import the same ones, so the result is kept."""
    return ast.parse(text)


def _imported_modules(tree: ast.Module) -> Iterator[Path]:
    """Yield the files of the modules that a module imports from this project, and of the packages around them."""
    for name in _imported_names(tree):
        path = Path(*name.split("."))
        for file in (path.with_suffix(".py"), path / "__init__.py", path.parent / "__init__.py"):
            if (ROOT / file).is_file():
                yield file


@cache
def _imported_names(tree: ast.Module) -> list[str]:
    """Return the names of the modules that a module may import."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
    return names


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
    """Extract an example, list its folders and print the next commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("example", help="the name of an example in the README's table, such as thumbnail")
    parser.add_argument("folder", type=Path, help="a new or empty folder")
    arguments = parser.parse_args()
    try:
        files = extract(arguments.example, arguments.folder)
    except (ExtractionError, OSError) as error:
        sys.exit(f"error: {error}")
    for name, count in Counter(file.parts[0] for file in files).items():
        print(name if Path(name) in files else f"{name}/  {count} files")
    print(
        f"\nNext, in {arguments.folder}: `make local` tries the example on this machine, and `make test` runs its "
        "tests. README.md lists the other commands, such as `make synth`."
    )


if __name__ == "__main__":
    main()
