"""Sums over the templates of both profiles, for the comparisons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tools.costs import idle, work
from tools.costs.prices import HOURS, Part, total
from tools.templates import Template


@dataclass(frozen=True)
class Sums:
    """The templates of both profiles by stem. Amounts are in dollars."""

    sandbox: Mapping[str, Template]
    production: Mapping[str, Template]

    def idle(self, stem: str, *kinds: str, profile: Literal["sandbox", "production"] = "sandbox") -> float:
        """Return what a month costs without use, or those parts of it whose names begin with one of `kinds`."""
        templates = self.production if profile == "production" else self.sandbox
        return _sum(idle.parts(templates[stem]), kinds)

    def work(self, stem: str, name: str, *kinds: str) -> float:
        """Return what a unit of work costs, or those parts of it whose names begin with one of `kinds`."""
        return _sum(self._unit(stem, name), kinds)

    def quantity(self, stem: str, name: str, kind: str) -> float:
        """Return how many units of its price one part of a unit of work takes."""
        (found,) = [part.quantity for part in self._unit(stem, name) if part.label == kind]
        return found

    def instances(self, count: int) -> float:
        """Return what so many instances of ecs_ec2 cost a month, with disks and addresses."""
        return count * HOURS * self.work("ecs_ec2", "an instance hour")

    def tasks(self, count: int, on_spot: int = 0) -> float:
        """Return what so many tasks of fargate cost a month, with addresses."""
        regular, spot = self.work("fargate", "a task hour"), self.work("fargate", "a task hour on Spot")
        return HOURS * ((count - on_spot) * regular + on_spot * spot)

    def _unit(self, stem: str, name: str) -> list[Part]:
        (found,) = [unit.parts for unit in work.units(stem, self.sandbox[stem]) if unit.name == name]
        return found


def _sum(parts: list[Part], kinds: tuple[str, ...]) -> float:
    """Raises ValueError where a kind matches nothing."""
    found = [part for part in parts if part.label.startswith(kinds or ("",))]
    if not found:
        raise ValueError(f"no part begins with {kinds}")
    return total(found)
