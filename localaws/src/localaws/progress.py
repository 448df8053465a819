"""Show the progress of a long step in the terminal. In a pipe or a file, nothing is shown."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

LINE_WIDTH = 60
"""The maximum number of characters of the last line of output that is shown."""
_CDK_EVENT = re.compile(r"^\S+ \|\s*(\d+)/(\d+) \| .* \| (?:\w+) ")
"""A line of the CDK CLI about a resource, such as `compute-api | 3/45 | 7:36:51 PM | CREATE_COMPLETE | AWS::…`."""


@dataclass
class Step:
    """A step that is shown."""

    _progress: Progress
    _task: TaskID
    _done_by_stack: dict[str, tuple[int, int]] = field(default_factory=dict)

    def line(self, text: str) -> None:
        """Show the last line of a program's output. Lines of the CDK CLI about resources also move the bar."""
        event = _CDK_EVENT.match(text)
        if event:
            self._done_by_stack[text.partition(" ")[0]] = int(event[1]), int(event[2])
            done, total = (sum(numbers) for numbers in zip(*self._done_by_stack.values(), strict=True))
            self._progress.update(self._task, completed=done, total=total)
        self._progress.update(self._task, line=text.strip()[:LINE_WIDTH])

    def count(self, done: int, total: int, text: str = "") -> None:
        """Show that `done` of `total` parts are done."""
        self._progress.update(self._task, completed=done, total=total, line=text[:LINE_WIDTH])


@contextmanager
def shown_step(text: str, *, hidden: bool = False) -> Iterator[Step]:
    """Show the step with its elapsed time until the end of the `with` block, which must not print anything."""
    columns = (
        TextColumn("   "),
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[line]}", style="dim", markup=False, table_column=Column(no_wrap=True)),
    )
    with Progress(
        *columns,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=hidden or not sys.stdout.isatty(),
    ) as progress:
        yield Step(progress, progress.add_task(text, total=None, line=""))
