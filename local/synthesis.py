"""Synthesize the app again and again in one process, which has loaded CDK.

A new process needs some seconds to load CDK. Only the modules of this project are loaded again for each synthesis.
"""

import contextlib
import importlib
import json
import os
import select
import subprocess
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.process_groups import delay_signals, end_process_group

ROOT = Path(__file__).resolve().parent.parent
MAX_RUNS = 10
"""After this number of runs a new process starts, because CDK never frees its memory."""
KEPT_MODULES = ("stacks._validation",)
"""Modules that are not loaded again. This module keeps CDK's validator, which starts slowly and needs much memory."""
MAX_ERROR_LINES = 4
"""The maximum number of lines in the message about an error."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a synthesis."""

    error: str | None
    """A message about the error in the app, or None after a success."""


class Synthesizer:
    """A process that synthesizes the app."""

    def __init__(self, output: Path, context: Mapping[str, str], environment: Mapping[str, str], log: Path) -> None:
        """Start the process. It writes the templates into the folder `output`, and everything it prints into `log`."""
        self._command = [sys.executable, "-m", "local.synthesis", str(output), json.dumps(dict(context))]
        self._environment = environment
        self._log = log
        self._again = False
        self._start()

    def _start(self) -> None:
        self._runs = 0
        self._is_busy = False
        with self._log.open("w") as log, delay_signals():
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C ends only the command that started this process
            )

    def begin(self) -> None:
        """Begin a synthesis. If one runs already, another one follows it, because the files have changed since."""
        self._again = self._is_busy
        if not self._is_busy:
            assert self._process.stdin is not None  # noqa: S101 - for the type checker
            self._is_busy = True
            with contextlib.suppress(BrokenPipeError):  # the process has ended, so `result` returns a message
                self._process.stdin.write("synthesize\n")
                self._process.stdin.flush()

    @property
    def is_busy(self) -> bool:
        """Whether a synthesis runs, or `result` has not yet returned its result."""
        return self._is_busy

    def result(self) -> Result | None:
        """Return the result, or None while the synthesis runs or if there is none."""
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        if not self._is_busy or not select.select([self._process.stdout], [], [], 0)[0]:
            return None
        answer = self._process.stdout.readline()
        self._is_busy = False
        self._runs += 1
        if not answer or self._runs == MAX_RUNS:
            self.end()
            self._start()
        if self._again:
            self.begin()
            return None
        return Result(json.loads(answer) if answer else f"the synthesis ended without a result. Its log: {self._log}")

    def end(self) -> None:
        """End the process and the processes that it started."""
        end_process_group(self._process.pid, self._process)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe:
                    pipe.close()


def _synthesize(output: str, context: Mapping[str, str]) -> str | None:
    _forget_project()
    try:
        app: Any = importlib.import_module("app")
        app.build_app(context, outdir=output).synth()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the person sees every error of the app
        traceback.print_exc()
        return _place_and_message(error)
    return None


def _forget_project() -> None:
    importlib.invalidate_caches()
    if cdk := sys.modules.get("aws_cdk"):
        cdk.AssetStaging.clear_asset_hash_cache()  # otherwise CDK would not read the files of an image again
    for name, module in list(sys.modules.items()):
        file = Path(getattr(module, "__file__", None) or "/")
        if name not in ("__main__", *KEPT_MODULES) and (file.parent == ROOT or ROOT / "stacks" in file.parents):
            del sys.modules[name]


def _place_and_message(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_relative(error.filename)}, line {error.lineno}: {error.msg}"
    places = [place for place in traceback.extract_tb(error.__traceback__) if _is_of_project(place.filename)]
    place = f"{_relative(places[-1].filename)}, line {places[-1].lineno}: " if places else ""
    # CDK adds a JavaScript stack trace to its messages. The log contains the complete message.
    message = "\n".join(str(error).splitlines()[:MAX_ERROR_LINES])
    return f"{place}{type(error).__name__}: {message}"


def _is_of_project(file: str) -> bool:
    return Path(file).parent == ROOT or ROOT / "stacks" in Path(file).parents


def _relative(file: str) -> str:
    return os.path.relpath(file, ROOT)


def main() -> None:
    """Synthesize the app for each line of the standard input. Answer with a line: `null`, or a message in JSON."""
    output, context = sys.argv[1], json.loads(sys.argv[2])
    sys.dont_write_bytecode = True  # bytecode is wrong if a file changes twice in a second
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # other output goes into the log
        for _ in sys.stdin:
            print(json.dumps(_synthesize(output, context)), file=answers, flush=True)


if __name__ == "__main__":
    main()
