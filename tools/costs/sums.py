"""Costs of examples as single numbers. comparisons.py computes its tables from these numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tools.costs import idle, work
from tools.costs.prices import HOURS, Part, total
from tools.templates import Template


@dataclass(frozen=True)
class Sums:
    """Computes costs in dollars from the templates of both profiles. `stem` is the short name of an example."""

    sandbox: Mapping[str, Template]
    production: Mapping[str, Template]

    def idle(self, stem: str, *kinds: str, profile: Literal["sandbox", "production"] = "sandbox") -> float:
        """Return the cost of a month without use. With `kinds`, count only the parts whose labels begin with a kind."""
        templates = self.production if profile == "production" else self.sandbox
        return _sum(idle.parts(templates[stem]), kinds)

    def work(self, stem: str, name: str, *kinds: str) -> float:
        """Return the cost of a unit of work. With `kinds`, count only the parts whose labels begin with a kind."""
        return _sum(self._unit(stem, name), kinds)

    def quantity(self, stem: str, name: str, kind: str) -> float:
        """Return how much of one part a unit of work uses, measured as in the price of the part, such as GB-seconds."""
        (found,) = [part.quantity for part in self._unit(stem, name) if part.label == kind]
        return found

    def instances(self, count: int) -> float:
        """Return the monthly cost of `count` instances of ecs_ec2, with disks and addresses."""
        return count * HOURS * self.work("ecs_ec2", "1 instance hour")

    def tasks(self, count: int, on_spot: int = 0) -> float:
        """Return the monthly cost of `count` tasks of fargate, with addresses. `on_spot` of them run on Spot."""
        regular, spot = self.work("fargate", "1 task hour"), self.work("fargate", "1 task hour on Spot")
        return HOURS * ((count - on_spot) * regular + on_spot * spot)

    def _unit(self, stem: str, name: str) -> list[Part]:
        """Return the parts of the bill for a unit of work."""
        (found,) = [unit.parts for unit in work.units(stem, self.sandbox[stem]) if unit.name == name]
        return found


def _sum(parts: list[Part], kinds: tuple[str, ...]) -> float:
    """Return the sum in dollars. Raises ValueError if no label begins with one of `kinds`."""
    found = [part for part in parts if part.label.startswith(kinds or ("",))]
    if not found:
        raise ValueError(f"no part begins with {kinds}")
    return total(found)
