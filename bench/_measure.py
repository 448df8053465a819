"""What every bench does: fresh processes, tables, targets, progress."""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAMBDA_SRC = ROOT / "lambda_src"
IMPORTS = 9
"""Fresh processes for each statement: enough for a median."""

Target = tuple[str, float | None, float, Callable[[float, float], bool]]
"""What it is about, what was measured (None where that was not possible), what is wanted, and how they compare."""

# On Linux not by ru_maxrss, which a new process inherits from the one that started it.
PEAK = """
try:
    with open("/proc/self/status") as status:
        print(next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")))
except OSError:
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2)
"""

_TIME = """
import time
started = time.perf_counter()
{statement}
print((time.perf_counter() - started) * 1000)
"""


def imports(statements: Iterable[str], settings: Mapping[str, str]) -> Mapping[str, float]:
    """Milliseconds that each statement takes in a fresh process; they take turns."""
    turns: dict[str, list[float]] = {statement: [] for statement in statements}
    for turn in range(IMPORTS + 1):
        progress(f"imports: turn {turn} of {IMPORTS}")
        for statement, times in turns.items():
            took = run_python("-c", _TIME.format(statement=statement), settings=settings, what=statement)
            if turn:  # the first writes bytecode
                times.append(took)
    return {statement: statistics.median(times) for statement, times in turns.items()}


def run_python(*arguments: str, settings: Mapping[str, str], what: str) -> float:
    """The number that a fresh process prints last. Exits with its words when it fails."""
    # Without a task root Powertools takes it for a test, and leaves X-Ray out.
    environment = {**os.environ, "LAMBDA_TASK_ROOT": "/var/task", **settings, "PYTHONPATH": str(LAMBDA_SRC)}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        progress("")
        sys.exit(f"bench failed at: {what}\n{done.stderr.strip()}")
    return float(done.stdout.splitlines()[-1])


def print_imports(took: Mapping[str, float]) -> None:
    """How long the first statement takes, next to what no function of its kind can do without."""
    (ours, ours_took), *others = took.items()
    for other, other_took in others:
        print(f"{ours}: {ours_took:.0f} ms, {ours_took / other_took:.2f}x of {other_took:.0f} ms for {other}")


def print_table(table: Sequence[Sequence[str]]) -> None:
    """Rows with their columns flush right."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        print("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))


def all_met(targets: Iterable[Target]) -> bool:
    """Print every target and whether it is met; what could not be measured is none."""
    met = [_print_target(*target) for target in targets]  # every one is printed
    return all(met)


def _print_target(name: str, measured: float | None, wanted: float, compare: Callable[[float, float], bool]) -> bool:
    if measured is None:
        print(f"SKIP  {name} {wanted:g}, but what it is compared with is not installed")
        return True
    met = compare(measured, wanted)
    print(f"{'PASS' if met else 'FAIL'}  {name} {wanted:g}, measured {measured:.2f}")
    return met


def progress(message: str) -> None:
    """One line that changes in place, where a person looks on."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{message}", end="", file=sys.stderr, flush=True)
    elif message:
        print(message, file=sys.stderr)
