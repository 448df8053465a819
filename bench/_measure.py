"""Functions for all benchmarks. They start fresh processes, print tables and progress, and check targets."""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAMBDA_SRC = ROOT / "lambda_src"
IMPORT_TURNS = 15
"""The number of fresh processes that measure each statement. With fifteen, the median of a ratio varies by 2 %."""

START_OF_FIRST_REQUEST = f"import sys; sys.path.append({str(ROOT / 'bench')!r}); import _first_request; _first_request."
"""The start of a statement that calls a function of _first_request.py."""

Target = tuple[str, float | None, float, Callable[[float, float], bool]]
"""A description, the measured value (None without a measurement), the limit, and a function that compares the two."""

# This code prints the peak memory of its process. ru_maxrss would be wrong on Linux, because a new process inherits the
# value of the process that started it.
PRINT_PEAK_MIB = """
try:
    with open("/proc/self/status") as status:
        print(next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")))
except OSError:
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2)
"""

_PRINT_MILLISECONDS = """
import time
started = time.process_time()
{statement}
print((time.process_time() - started) * 1000)
"""


def measure_imports(statements: Iterable[str], settings: Mapping[str, str]) -> Mapping[str, float]:
    """Return the milliseconds of CPU time that each statement needs in a fresh process (median).

    Each turn runs every statement. CPU time is used because other programs on a busy machine do not change it much.
    """
    turns: dict[str, list[float]] = {statement: [] for statement in statements}
    for turn in range(IMPORT_TURNS + 1):
        show_progress(f"imports: turn {turn} of {IMPORT_TURNS}")
        for statement, times in turns.items():
            code = _PRINT_MILLISECONDS.format(statement=statement)
            milliseconds = run_python("-c", code, settings=settings, description=statement)
            if turn:  # the first turn is not counted, because it also writes the bytecode
                times.append(milliseconds)
    return {statement: statistics.median(times) for statement, times in turns.items()}


def run_python(*arguments: str, settings: Mapping[str, str], description: str) -> float:
    """Run Python in a fresh process, and return the number that it prints last.

    If the process fails, print its error output and exit.
    """
    return float(run_python_line(*arguments, settings=settings, description=description))


def run_python_line(*arguments: str, settings: Mapping[str, str], description: str) -> str:
    """Run Python in a fresh process, and return the line that it prints last."""
    # Without LAMBDA_TASK_ROOT, Powertools would not load X-Ray. Lambda sets this variable.
    environment = {**os.environ, "LAMBDA_TASK_ROOT": "/var/task", **settings, "PYTHONPATH": str(LAMBDA_SRC)}
    run = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        show_progress("")
        sys.exit(f"the benchmark failed at: {description}\n{run.stderr.strip()}")
    return run.stdout.splitlines()[-1]


def print_imports(milliseconds: Mapping[str, float]) -> None:
    """Print the time of the first statement (our handler), compared with each other statement (a library)."""
    (ours, our_time), *others = milliseconds.items()
    for other, other_time in others:
        print(f"{ours}: {our_time:.0f} ms, {our_time / other_time:.2f}x of {other_time:.0f} ms for {other}")


def print_first_requests(statements: Mapping[str, str], milliseconds: Mapping[str, float], memory_mb: int) -> None:
    """Print the CPU time of each statement, by its name, and the time that it means with this memory on Lambda.

    With 1,769 MB, a function has one vCPU. https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
    """
    for name, statement in statements.items():
        time = milliseconds[statement]
        print(f"{name}: {time:.0f} ms of CPU time, {time * 1769 / memory_mb:.0f} ms with {memory_mb} MB on Lambda")


def print_table(table: Sequence[Sequence[str]]) -> None:
    """Print the rows, with each column aligned to the right."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        print("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))


def check_targets(targets: Iterable[Target]) -> bool:
    """Print each target and its result. Return whether all are met. A target without a measured value counts as met."""
    # With a generator, all() would stop at the first target that is not met.
    results = [_print_target(*target) for target in targets]
    return all(results)


def _print_target(name: str, measured: float | None, limit: float, compare: Callable[[float, float], bool]) -> bool:
    if measured is None:
        print(f"SKIP  {name} {limit:g}, because the other library is not installed")
        return True
    met = compare(measured, limit)
    print(f"{'PASS' if met else 'FAIL'}  {name} {limit:g}, measured {measured:.2f}")
    return met


def show_progress(message: str) -> None:
    """Replace the progress line on a terminal. If the error output goes elsewhere, print another line."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{message}", end="", file=sys.stderr, flush=True)
    elif message:
        print(message, file=sys.stderr)
