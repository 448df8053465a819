"""The results of the checks of one site: how often it was up, its response times, and the shapes of a chart."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import Any

WIDTH, HEIGHT = 800.0, 100.0
"""The size of a chart in the units of its picture. The browser stretches the picture to the width of the page."""
MIN_SLOTS = 40
"""A chart has room for at least so many checks. So the bars of the first checks are not wide blocks."""
DEFAULT_GAP = timedelta(minutes=1)
"""The time between two checks, if there are not two results yet."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of one check."""

    scheduled_at: datetime
    is_up: bool
    milliseconds: int
    error: str
    """Why the site counts as down, for people. It is empty if the site is up."""

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> "Result":
        """Return the result in an item of the table."""
        return cls(
            scheduled_at=datetime.fromisoformat(item["scheduled_at"]["S"]),
            is_up=item["up"]["BOOL"],
            milliseconds=int(item["milliseconds"]["N"]),
            error=item.get("error", {}).get("S", ""),
        )


@dataclass(frozen=True)
class Uptime:
    """The newest results of one site."""

    url: str
    results: Sequence[Result]
    """At least one result, in the order of time."""

    @property
    def last(self) -> Result:
        """The newest result."""
        return self.results[-1]

    @property
    def percent(self) -> float:
        """The share of the checks that found the site up, in percent."""
        return 100 * len(self.milliseconds) / len(self.results)

    @property
    def last_failure(self) -> Result | None:
        """The newest result that found the site down, or None."""
        return next((result for result in reversed(self.results) if not result.is_up), None)

    @cached_property
    def milliseconds(self) -> Sequence[int]:
        """The response times while the site was up. The time of a failed check says little about the site."""
        return [result.milliseconds for result in self.results if result.is_up]

    @property
    def median_milliseconds(self) -> float | None:
        """The median of the response times, or None if the site was never up."""
        return median(self.milliseconds) if self.milliseconds else None

    @property
    def top(self) -> int:
        """The response time at the top of the chart."""
        return max(self.milliseconds, default=0) or 1

    @property
    def bars(self) -> str:
        """The path of the bars of the response times."""
        return self._path(lambda result: HEIGHT * result.milliseconds / self.top if result.is_up else 0)

    def strip(self, *, up: bool) -> str:
        """Return the path of the checks that found the site up or down.

        The shapes are not only different in colour: the site is up in the upper half, and down in the lower half.
        """
        half = HEIGHT / 2
        return self._path(lambda result: half if result.is_up is up else 0, bottom=half if up else HEIGHT)

    def _path(self, height: Callable[[Result], float], bottom: float = HEIGHT) -> str:
        width = self._slot_width
        shapes = [(self._left(result), height(result)) for result in self.results]
        return "".join(
            f"M{left:.1f} {bottom:g}v{-tall:.1f}h{0.8 * width:.2f}v{tall:.1f}z" for left, tall in shapes if tall
        )

    @cached_property
    def _gap(self) -> timedelta:
        # The usual time between two checks. If a check is missing, there is a hole in the chart.
        times = [result.scheduled_at for result in self.results]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        return sorted(gaps)[len(gaps) // 2] if gaps else DEFAULT_GAP

    @cached_property
    def _span(self) -> timedelta:
        return max(self.last.scheduled_at - self.results[0].scheduled_at + self._gap, MIN_SLOTS * self._gap)

    @property
    def _slot_width(self) -> float:
        return max(WIDTH * (self._gap / self._span), 1.0)

    def _left(self, result: Result) -> float:
        age = self.last.scheduled_at - result.scheduled_at
        return WIDTH - self._slot_width - (WIDTH - self._slot_width) * (age / (self._span - self._gap))
