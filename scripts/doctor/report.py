"""The results of the checks of `make doctor`, and the function that prints them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console
from rich.table import Table
from rich.text import Text


class State(StrEnum):
    """The state of one check."""

    FINE = "fine"
    WAITS = "may wait"
    """The deployment succeeds, but jobs or a later update may wait."""
    FAILS = "will fail"
    UNKNOWN = "unknown"
    """AWS did not answer, so nobody can say."""


STYLES = {State.FINE: "green", State.WAITS: "yellow", State.FAILS: "bold red", State.UNKNOWN: "magenta"}


@dataclass(frozen=True)
class Result:
    """The result of one check."""

    state: State
    subject: str
    """The checked resource, setting or quota, in a few words."""
    text: str
    remedy: str = ""
    """Text that tells the user what to do next; empty if there is nothing to do."""


def print_results(results: Iterable[Result]) -> bool:
    """Print a table in a terminal, or plain lines in a pipe. Return True if no check has the state FAILS."""
    all_results = list(results)
    console = Console()
    if console.is_terminal:
        console.print(_table(all_results))
    else:
        for result in all_results:
            print(" | ".join(filter(None, [f"{result.state:9}", result.subject, result.text, result.remedy])))
    return not any(result.state is State.FAILS for result in all_results)


def _table(results: list[Result]) -> Table:
    table = Table(show_lines=False, pad_edge=False)
    for heading in ("state", "checked", "result", "what to do"):
        table.add_column(heading, overflow="fold")
    for result in results:
        state = Text(result.state, style=STYLES[result.state])
        table.add_row(state, Text(result.subject), Text(result.text), Text(result.remedy))
    return table
