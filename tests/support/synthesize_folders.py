"""Synthesize the apps in the given folders. Each app imports only the modules of its folder.

`python -P tests/support/synthesize_folders.py a b` synthesizes both apps in one process, because jsii starts slowly.
With the environment variable TRY, the process also runs the tests and `python -m local down` in each folder.
"""

import contextlib
import importlib
import io
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def modules_of(folder: Path) -> Iterator[None]:
    """Let Python import the modules of a folder. Unload them at the end."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name, module in sys.modules.items() if _is_in(folder, module)]:
            del sys.modules[name]


def _is_in(folder: Path, module: object) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_relative_to(folder)


def synthesize(folder: Path) -> None:
    """Write the assembly of each profile into `cdk.out/<profile>` in the folder."""
    with modules_of(folder):
        for profile in importlib.import_module("config").PROFILES:
            outdir = folder / "cdk.out" / profile
            importlib.import_module("app").build_app({"profile": profile}, outdir=str(outdir)).synth()


def run(folder: Path, output: str, program: Callable[[], object]) -> None:
    """Run a program in the folder. Write its output and its exit status into a file beside the folder."""
    text = io.StringIO()
    redirections = contextlib.redirect_stdout(text), contextlib.redirect_stderr(text)
    with modules_of(folder), contextlib.chdir(folder), redirections[0], redirections[1]:
        try:
            status = program()
        except SystemExit as end:
            status = end.code
        except Exception:  # noqa: BLE001 - the test of this folder fails, and the others go on
            traceback.print_exc(file=text)
            status = 1
    (folder.parent / output).write_text(f"{text.getvalue()}\nexit status {status or 0}\n", encoding="utf-8")


def run_tests() -> int:
    """Run pytest in the current folder. The tests find the templates that `synthesize` has written."""
    import pytest  # noqa: PLC0415 - a synthesis does not need it

    os.environ["TESTS_ASSEMBLIES"] = str(Path("cdk.out").resolve())
    return int(pytest.main(["-q", "-n0", "-k", "stacks or test_ecr"]))


def use_local_aws() -> None:
    """Find the settings that `make local` uses without a container tool. Then run `python -m local down`."""
    from local.project import context, image_sources  # noqa: PLC0415 - the modules of the folder
    from localaws.aws import Engine  # noqa: PLC0415

    print(f"settings: {sorted(context(Engine(pid=0, port=0)))}")
    print(f"image of the function: {bool(image_sources('function_image'))}")
    sys.argv = ["local", "down"]
    runpy.run_module("local", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for argument in map(Path, sys.argv[1:]):
        synthesize(argument)
        if os.environ.get("TRY"):
            run(argument, "pytest.txt", run_tests)
            run(argument, "local.txt", use_local_aws)
