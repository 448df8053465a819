"""Writes the results: a table or lines, a summary, a JSON file, and an HTML page with the worst thumbnails."""

import base64
import dataclasses
import html
import io
import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools.compare_pictures.differences import MAX_ERROR, OTHER_SIZE, Difference, Reading, Verdict

_STYLES = {
    Verdict.CRASHED: "bold red",
    Verdict.WRONG: "bold red",
    Verdict.DISPUTED: "red",
    Verdict.REFUSED: "yellow",
    Verdict.GOOD: "green",
}
_REASON_LENGTH = 60
_UNREMARKABLE = {Verdict.GOOD, Verdict.REJECTED}

_PAGE = """<!doctype html>
<meta charset="utf-8"><title>Thumbnails that differ</title>
<style>
  body {{ font: 14px sans-serif; }} td {{ padding: 4px 8px; vertical-align: top; max-width: 260px; }}
  img {{ background: repeating-conic-gradient(#bbb 0 25%, #eee 0 50%) 0/16px 16px; }}
</style>
<table><tr><th>file<th>{heads}</tr>
{rows}
</table>
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The readings of one file and their comparison, without the thumbnails."""

    file: str
    sha256: str
    verdict: Verdict
    sizes: Mapping[str, tuple[int, int]]
    """Width and height of the thumbnail of each reader that read the file."""
    reasons: Mapping[str, str]
    """For each other reader, the reason why it did not read the file."""
    differences: Mapping[str, Difference]
    """How much our thumbnail differs from the thumbnail of each other reader."""

    @property
    def error(self) -> float:
        """The difference from the reader that is closest to ours."""
        return min((difference.worst for difference in self.differences.values()), default=0)


def sort_worst_first(results: Iterable[Result]) -> list[Result]:
    """Return the results in the order of their verdicts, and with the largest error first."""
    order = list(Verdict)
    return sorted(results, key=lambda result: (order.index(result.verdict), -result.error, result.file))


def print_results(results: Sequence[Result], readers: Sequence[str], *, with_good: bool) -> None:
    """Print a table in a terminal, or plain lines in a pipe. Good and rejected files are left out if not wanted."""
    console = Console()
    heads = ["verdict", "file", *readers, *(f"RGBA difference from {reader}" for reader in readers[1:])]
    table = Table(*heads, pad_edge=False)
    for result in results:
        if result.verdict in _UNREMARKABLE and not with_good:
            continue
        cells = [result.file, *(_outcome(result, reader) for reader in readers)]
        cells += [_numbers(result.differences.get(reader)) for reader in readers[1:]]
        if console.is_terminal:
            table.add_row(Text(result.verdict, _STYLES.get(result.verdict, "")), *map(Text, cells))
        else:
            print(" | ".join([result.verdict, *cells]))
    if table.rows:
        console.print(table)


def _outcome(result: Result, reader: str) -> str:
    if reader in result.sizes:
        return "{} x {}".format(*result.sizes[reader])
    return textwrap.shorten(result.reasons[reader], _REASON_LENGTH)


def _numbers(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    if difference == OTHER_SIZE:
        return "other size"
    return " ".join(f"{number:.0f}" for number in dataclasses.astuple(difference))


def summary(results: Sequence[Result], absent: Mapping[str, str]) -> list[str]:
    """Return the lines of the summary: the number of files with each verdict, and our reasons for rejections."""
    verdicts = Counter(result.verdict for result in results)
    made = sum("ours" in result.sizes for result in results)
    lines = [f"{reader} is absent: {reason}" for reader, reason in absent.items()]
    lines += [f"{len(results)} files, {made} thumbnails. A difference over {MAX_ERROR:.0f} of 255 counts as wrong."]
    lines += [f"{verdicts[verdict]:6} {verdict}" for verdict in Verdict]
    reasons = Counter(
        re.sub(r"\d[\d,]*", "N", result.reasons["ours"]) for result in results if "ours" in result.reasons
    )
    return lines + [f"{count:6} not made: {reason}" for reason, count in reasons.most_common()]


def write_json(path: Path, results: Sequence[Result]) -> None:
    """Write the results as JSON: one object for each file, worst first."""
    path.write_text(json.dumps([dataclasses.asdict(result) for result in results], indent=1) + "\n")


def write_page(path: Path, rows: Iterable[tuple[Result, Mapping[str, Reading]]], readers: Sequence[str]) -> None:
    """Write an HTML page that shows the thumbnails of all readers side by side."""
    lines = []
    for result, readings in rows:
        about = html.escape(f"{result.file}: {result.verdict}, {result.error:.0f}")
        lines.append(f"<tr><td>{about}" + "".join(f"<td>{_cell(readings[reader])}" for reader in readers) + "</tr>")
    path.write_text(_PAGE.format(heads="<th>".join(readers), rows="\n".join(lines)))


def _cell(reading: Reading) -> str:
    if reading.picture is None:
        return html.escape(reading.reason)
    return f'<img src="data:image/png;base64,{base64.b64encode(_png(reading.picture)).decode()}">'


def _png(picture: Image.Image) -> bytes:
    encoded = io.BytesIO()
    picture.save(encoded, "PNG")
    return encoded.getvalue()
