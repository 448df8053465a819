"""Measure the time from saving a file until `make watch` has deployed it. `make local` must have run before.

    python -m bench.watch          print a table
    python -m bench.watch --check  also exit with 1 if a target is missed

The program edits a copy of this project. A function's time includes the first invocation of the new code, which starts
a new process. All times are elapsed times, so other programs on a busy machine count.
"""

import argparse
import json
import operator
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from bench._measure import Target, check_targets, print_table, show_progress
from local.function_code import FunctionCode, deployed_functions
from local.project import FOLDER, local_aws
from localaws.process_groups import STOP_SIGNALS
from tests.support.watching import DEPLOYED_SECONDS, Watching, watching_copy

TURNS = 5
LAST_LINES = {
    "lambda_src/api/handler.py": "    api: the code of ",
    "lambda_src/thumbnail/handler.py": "    function_image: ",
    "stacks/api.py": "    stacks: compute-api deployed",
    "containers/web/web/page.css": "    web: new tasks ",
}
"""The beginning of the last line that `make watch` prints after a file is saved."""
IMAGE_SECONDS = {True: 8.0, False: 3.0}
"""The limit for new tasks and for the image function: with a container tool, which builds an image, and without one."""
FUNCTION_IMAGE = "containers/function_image, with the saved handler of thumbnail"
ANSWER = "\n\ndef handler(*_):\n    return {number}\n"


def main() -> int:
    """Measure, print the results, and return the exit code."""
    parser = argparse.ArgumentParser(description="Measure make watch.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the folder of the local AWS")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    arguments = parser.parse_args()
    aws = local_aws(arguments.folder.resolve())
    engine = aws.running_engine()
    if engine is None:
        print("not measured, because no local deployment is running. Type: make local")
        return 0
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)
    with tempfile.TemporaryDirectory() as scratch, watching_copy(aws.folder, Path(scratch)) as watching:
        watching.wait_for("    stacks: ", seconds=DEPLOYED_SECONDS)
        times = measure(watching, aws.client("lambda", engine))
    table = [["saved file", "median s", "slowest s"]]
    table += [[name, f"{statistics.median(each):.2f}", f"{max(each):.2f}"] for name, each in times.items()]
    print_table(table)
    print(f"the tasks of the services are {f'{engine.tool.name} containers' if engine.tool else 'processes'}")
    return 0 if check_targets(targets(times, has_tool=bool(engine.tool))) or not arguments.check else 1


def _stop(*_: object) -> NoReturn:
    sys.exit("stopped")  # this exception also ends `make watch`


def measure(watching: Watching, lambda_: Any) -> Mapping[str, list[float]]:
    """Return the seconds of each turn, by the name of the saved file."""
    saves: dict[str, Callable[[int], None]] = {
        f"lambda_src/{package}/handler.py": partial(_save_handler, watching, lambda_, package)
        for package in ("api", "thumbnail")
    }
    saves["stacks/api.py"] = partial(_save_stack, watching)
    saves["containers/web/web/page.css"] = partial(_save_page, watching)
    times: dict[str, list[float]] = {}
    for name, save in saves.items():
        original = watching.read(name)
        for turn in range(1, TURNS + 1):
            show_progress(f"{name}: turn {turn} of {TURNS}")
            started = time.monotonic()
            save(turn)
            times.setdefault(name, []).append(time.monotonic() - started)
            if name == "lambda_src/thumbnail/handler.py":  # the image function runs the same code
                watching.wait_for("    function_image: ", times=turn, seconds=DEPLOYED_SECONDS)
                times.setdefault(FUNCTION_IMAGE, []).append(time.monotonic() - started)
        expected = LAST_LINES[name]
        lines = watching.output().count(expected)
        watching.save(name, original)
        watching.wait_for(expected, times=lines + 1, seconds=DEPLOYED_SECONDS)
    show_progress("")
    return times


def _save_handler(watching: Watching, lambda_: Any, package: str, turn: int) -> None:
    name = f"lambda_src/{package}/handler.py"
    functions = deployed_functions(lambda_)[package]
    watching.save(name, watching.read(name) + ANSWER.format(number=turn))
    with ThreadPoolExecutor(len(functions)) as executor:  # the functions start at the same time
        list(executor.map(partial(_wait_for_answer, lambda_, turn), functions))


def _wait_for_answer(lambda_: Any, turn: int, function: FunctionCode) -> None:
    deadline = time.monotonic() + DEPLOYED_SECONDS
    while json.load(lambda_.invoke(FunctionName=function.name, Payload=b"{}")["Payload"]) != turn:
        if time.monotonic() > deadline:
            sys.exit(f"{function.name} does not run the saved code after {DEPLOYED_SECONDS} s")


def _save_stack(watching: Watching, turn: int) -> None:
    name = "stacks/api.py"
    old, new = f"timeout=Duration.seconds({19 + turn})", f"timeout=Duration.seconds({20 + turn})"
    _save_and_wait(watching, name, watching.read(name).replace(old, new), "    stacks: compute-api deployed")


def _save_page(watching: Watching, turn: int) -> None:
    _save_and_wait(watching, "containers/web/web/page.css", f"/* {turn} */", "    web: new tasks ")


def _save_and_wait(watching: Watching, name: str, text: str, line: str) -> None:
    before = watching.output().count(line)
    watching.save(name, text)
    watching.wait_for(line, times=before + 1, seconds=DEPLOYED_SECONDS)


def targets(times: Mapping[str, list[float]], *, has_tool: bool) -> list[Target]:
    """Return the targets in seconds."""
    limits = {"lambda_src": 1.0, "stacks": 6.0, "containers": IMAGE_SECONDS[has_tool]}
    return [
        (f"{name}: at most", statistics.median(each), limits[name.split("/")[0]], operator.le)
        for name, each in times.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
