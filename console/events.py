"""The page of all events: log lines, metrics and alarms of the deployed examples."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from console.logs import LEVELS, LineFilter, Logs
from console.metrics import MINUTES, Metrics, number

if TYPE_CHECKING:
    from console.app import Console

SHOWN_LINES = 200
"""The page shows at most this number of log lines."""


class Events:
    """The page `/events`."""

    def __init__(self, console: "Console") -> None:
        """`console` gives access to the account and to the templates."""
        self._console = console
        self._logs = Logs(console.account)
        self._metrics = Metrics(console.account)
        self.seconds_between_reads = 2 * console.account.seconds_between_reads
        """The pause between two reads of the live page."""

    def values(self, lines: LineFilter) -> Mapping[str, Any]:
        """Return the values for the template. Raises AccountError and the errors of boto3."""
        query = {name: value for name, value in vars(lines).items() if value}
        return {"filter": lines, "query": urlencode(query), "levels": LEVELS[1:4], "parts": self.parts(lines)}

    def parts(self, lines: LineFilter) -> Mapping[str, str]:
        """Return the HTML of the live parts, by name. Raises AccountError and the errors of boto3."""
        examples = self._console.examples()
        shown = {stem: examples[stem] for stem in examples if lines.example in {"", stem}}
        found = [line for line in self._logs.lines(examples) if lines.accepts(line)]
        charts = [chart for chart in self._metrics.charts(examples) if chart.example in shown]
        alarms = [alarm for alarm in self._metrics.alarms(examples) if alarm.example in shown]
        render = self._console.render
        return {
            "lines": render("_events_lines.html", lines=found[:SHOWN_LINES], count=len(found), filter=lines),
            "metrics": render("_events_metrics.html", charts=charts, minutes=MINUTES, number=number),
            "alarms": render("_events_alarms.html", alarms=alarms),
        }
