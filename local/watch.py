"""The program of `make watch`. It deploys every saved file into the local AWS, within seconds.

A function gets its new code directly. Changed stacks are synthesized, and deployed with the CDK CLI. The tasks of the
web services are replaced, and image functions get a new image. If there is a container tool, it builds the image first.
"""

import argparse
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from filelock import FileLock

from local import function_images, tasks
from local.function_code import SOURCE, FunctionCode, deployed_functions
from local.images import build_image, image_in
from local.project import FOLDER, ROOT, context, image_sources, local_aws, stand_in_image
from local.saved_files import Part, by_part, saved_files
from local.synthesis import Synthesizer
from local.tasks import SlowTasksError, use_deployed_definitions
from local.templates import changed_stacks, deployed_stacks
from localaws.aws import Engine, LocalAws, LocalError
from localaws.cdk import Cdk
from localaws.process_groups import STOP_SIGNALS

LAST_ERROR_LINES = 5
"""The terminal shows the first line of an error, and at most this number of its last lines."""


class Watch:
    """Deploys the saved files. It prints one line for each result."""

    def __init__(self, aws: LocalAws, engine: Engine, synthesizer: Synthesizer) -> None:
        """`synthesizer` writes into the folder from which the CDK CLI deploys."""
        self._aws = aws
        self._engine = engine
        self._synthesizer = synthesizer
        self._stacks_saved_at = time.monotonic()
        self._cdk = Cdk(aws, engine, quiet=True)
        self._functions: Mapping[str, list[FunctionCode]] = {}
        self._function_folders: Mapping[str, str] | None = None  # None until the assembly is complete
        self._container_folders: Mapping[str, Mapping[str, str]] = {}

    def start(self) -> None:
        """Deploy what was saved before this program started."""
        self._find_image_folders()
        self._synthesize()
        self._update_outdated_functions()

    def deploy(self, parts: Mapping[Part, list[Path]]) -> None:
        """Deploy the saved files of each part. If a file has a syntax error, its part keeps the old code."""
        for part, files in parts.items():
            with _one_line(part.name or part.kind):
                _check_syntax(files)
                if part.kind == "function":
                    self._update_function(part.name)
                    for folder in self._folders_of_images():
                        if SOURCE / part.name in image_sources(folder):
                            self._replace_images(folder)
                    if any(file.suffix == ".json" for file in files):  # a stack can read it, too: openapi.json
                        self._synthesize()
                elif part.kind == "image":
                    self._replace_images(part.name)
                else:
                    self._synthesize()

    def deploy_synthesized_stacks(self) -> None:
        """If a synthesis has ended, deploy the stacks whose template has changed."""
        result = self._synthesizer.result()
        if result is None:
            return
        with _one_line("stacks"):
            if result.error:
                raise LocalError(result.error)
            changed = changed_stacks(self._client("cloudformation"), self._cdk.assembly)
            had_folders = self._function_folders is not None
            with self._lock():
                if changed:
                    self._cdk.deploy(changed, change_set=False)
                self._use_deployed_images()
                self._find_image_folders()
            text = f"{', '.join(changed)} deployed" if changed else "all templates are deployed"
            _print("stacks", text, self._stacks_saved_at)
            if changed:
                self._update_outdated_functions()  # a handler may have changed after the synthesis had read it
            for folder in () if had_folders else self._folders_of_images():
                with _one_line(folder):
                    self._replace_images(folder)  # a file of the image may have changed before

    def _synthesize(self) -> None:
        # The synthesis needs a second or more. Meanwhile other saved files are deployed.
        self._stacks_saved_at = time.monotonic()
        self._synthesizer.begin()

    def _update_function(self, package: str) -> None:
        started = time.monotonic()
        functions = self._functions.get(package, [])
        if not functions:
            _print(package, "no deployed function runs this code")
            return
        with ThreadPoolExecutor(len(functions)) as executor:
            updates = [executor.submit(function.update) for function in functions]
            for function, update in zip(functions, updates, strict=True):
                with _one_line(package, f"the code of {function.name} is not deployed"):
                    update.result()  # raises the error of the update
                    _print(package, f"the code of {function.name} is live", started)

    def _replace_images(self, folder: str) -> None:
        if not self._synthesizer.is_busy:  # a synthesis writes the stacks
            self._find_image_folders()  # another program may have deployed or deleted a stack
        if self._function_folders is None:
            _print(folder, "after the next synthesis, make watch replaces the images of all functions and services")
            return
        functions = [name for name, its_folder in self._function_folders.items() if its_folder == folder]
        services = {
            service: names
            for service, folders in self._container_folders.items()
            if (names := [name for name, its_folder in folders.items() if its_folder == folder])
        }
        if functions:
            with _one_line(folder):
                self._replace_function_images(folder, functions)
        if services:
            with _one_line(folder):
                self._replace_tasks(folder, services)
        if functions or services:
            self._synthesize_again()
        elif folder == "batch":
            _print(folder, "no task has this image. In this folder, `python -m local.batch_job` runs the saved code")
        else:
            _print(folder, "no deployed function or service runs this image")

    def _replace_tasks(self, folder: str, services: Mapping[str, Collection[str]]) -> None:
        started = time.monotonic()
        with self._lock():
            if self._engine.tool:
                tasks.run_image(self._client("ecs"), services, self._new_image(folder))
            else:
                tasks.replace_tasks(self._client("ecs"), services)
        names = ", ".join(map(tasks.service_name, services))
        _print(folder, f"new tasks of {names} run the code ({self._how_images_run()})", started)

    def _replace_function_images(self, folder: str, names: Collection[str]) -> None:
        started = time.monotonic()
        with self._lock():
            function_images.replace_images(self._client("lambda"), names, self._new_image(folder))
        _print(folder, f"{', '.join(names)} runs the code ({self._how_images_run()})", started)

    def _new_image(self, folder: str) -> Callable[[str], str]:
        if self._engine.tool:
            return partial(build_image, self._aws, self._engine, image_in(folder))
        return lambda repository: stand_in_image(*image_in(folder).sources, name=repository)

    def _find_image_folders(self) -> None:
        # This reads the synthesized stacks, so no synthesis may run at the same time.
        cloudformation, assembly = self._client("cloudformation"), self._cdk.assembly
        with contextlib.suppress(OSError, ValueError):  # an interrupted synthesis may have left incomplete files
            self._container_folders = tasks.container_folders(cloudformation, assembly)
            self._function_folders = function_images.function_folders(cloudformation, assembly)

    def _folders_of_images(self) -> list[str]:
        of_containers = (folder for folders in self._container_folders.values() for folder in folders.values())
        return sorted({*(self._function_folders or {}).values(), *of_containers})

    def _how_images_run(self) -> str:
        if tool := self._engine.tool:
            return f"in a new image, which {tool.name} has built"
        return "as processes, so no image is built"

    def _synthesize_again(self) -> None:
        if self._synthesizer.is_busy:
            self._synthesize()  # the running synthesis may have read the old code

    def _use_deployed_images(self) -> None:
        cloudformation = self._client("cloudformation")
        stacks = deployed_stacks(cloudformation)
        services = use_deployed_definitions(cloudformation, self._client("ecs"), stacks)
        functions = function_images.use_deployed_images(cloudformation, self._client("lambda"), stacks)
        if names := ", ".join([*services, *functions]):
            _print("stacks", f"{names} returned to the image of the stack")

    def _lock(self) -> FileLock:
        return FileLock(self._aws.folder / "lock")  # `make local` does not deploy at the same time

    def _update_outdated_functions(self) -> None:
        self._functions = deployed_functions(self._client("lambda"))
        for package, functions in self._functions.items():
            if not all(function.is_current() for function in functions):
                with _one_line(package):
                    self._update_function(package)

    def _client(self, service: str) -> Any:
        return self._aws.client(service, self._engine)


@contextlib.contextmanager
def _one_line(name: str, failure: str = "not deployed, the old code continues to run") -> Iterator[None]:
    # Print an error in the block after the text `failure`, and continue to watch.
    try:
        yield
    except SlowTasksError as error:
        _print(name, f"not deployed yet: {error}")
    except (LocalError, BotoCoreError, ClientError, OSError) as error:
        first, *more = str(error).splitlines() or [type(error).__name__]
        _print(name, f"{failure}: {first}")
        for line in more[-LAST_ERROR_LINES:]:
            print(f"        {line}", flush=True)


def _check_syntax(files: Iterable[Path]) -> None:
    for file in files:
        if file.suffix == ".py" and file.exists():
            try:
                compile(file.read_bytes(), str(file), "exec")
            except (SyntaxError, ValueError) as error:
                line = getattr(error, "lineno", None) or 1
                text = (getattr(error, "text", None) or "").rstrip()
                message = f"{file.relative_to(ROOT)}, line {line}: {getattr(error, 'msg', error)}\n{text}"
                raise LocalError(message.strip()) from None


def _print(name: str, text: str, started: float | None = None) -> None:
    seconds = "" if started is None else f", {time.monotonic() - started:.1f} s"
    print(f"    {name}: {text}{seconds}", flush=True)


def watch(aws: LocalAws) -> None:
    """Deploy saved files until Ctrl-C. Raises LocalError if the engine, the process of the local AWS, ends."""
    engine = aws.running_engine()
    if engine is None or aws.is_incomplete:
        raise LocalError("no complete local deployment is running. Type: make local")
    output, log = aws.folder / "cdk.out", aws.folder / "synthesis.log"
    synthesizer = Synthesizer(output, context(engine), aws.environment(engine), log)
    try:
        session = Watch(aws, engine, synthesizer)
        session.start()
        print("==> watching lambda_src/, stacks/, containers/ and the settings. Ctrl-C ends this", flush=True)
        for files in saved_files():
            if _is_stopped.is_set():
                raise KeyboardInterrupt
            if aws.alive_engine() is None:
                raise LocalError("the local AWS has ended. Type: make local")
            session.deploy(by_part(files))
            session.deploy_synthesized_stacks()
    finally:
        synthesizer.end()


_is_stopped = threading.Event()


def _stop(*_: object) -> None:
    # Python ignores the exception if the signal arrives while Python frees an object, such as an unused connection.
    # So the loop also looks at the event.
    _is_stopped.set()
    raise KeyboardInterrupt


def main() -> None:
    """Parse the command line and watch."""
    parser = argparse.ArgumentParser(prog="python -m local.watch", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the folder of the local AWS")
    aws = local_aws(parser.parse_args().folder.resolve())
    for sign in STOP_SIGNALS:
        signal.signal(sign, _stop)
    try:
        watch(aws)
    except (LocalError, BotoCoreError, ClientError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("stopped watching. The local AWS continues to run; make local-down ends it")


if __name__ == "__main__":
    main()
