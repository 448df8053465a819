"""The table of prices, and sums over it."""

import datetime as dt
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("prices.toml")
_TABLE = tomllib.loads(TABLE.read_text(encoding="utf-8"))
HOURS: int = _TABLE["hours"]
"""A month has so many, in AWS's reckoning."""


class UnpricedError(ValueError):
    """A resource whose price is not known. The message says what to add, and where."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """One line of AWS's price list."""

    usd: float
    unit: str
    source: str
    """The address of AWS's page."""
    checked: dt.date | bool
    """When it was last confirmed; False for a list price that was not looked up again."""
    free: float = 0
    """Units a month that every account has for nothing."""


@dataclass(frozen=True)
class Part:
    """So much of something that has a price. Raises UnpricedError for what has none."""

    what: str
    quantity: float
    """In units of the price."""
    price: str
    """A key of PRICES."""
    share: float = 1
    """What of the price is paid: less than 1 for Spot."""

    def __post_init__(self) -> None:
        if self.price not in PRICES:
            raise UnpricedError(f"{self.what}: {self.price} has no price; add it to tools/costs/prices.toml")

    @property
    def kind(self) -> str:
        """What a table shows in one row: `regular task` for `regular task: vCPU`."""
        return self.what.partition(":")[0]

    @property
    def usd(self) -> float:
        """The cost at list price."""
        return self.quantity * self.share * PRICES[self.price].usd


PRICES: dict[str, Price] = {name: Price(**row) for name, row in _TABLE["price"].items()}
FREE_TYPES: Mapping[str, str] = _TABLE["free"]
"""Types of resources that cost nothing while nothing is done with them, and why."""


def listed(parts: Iterable[Part]) -> float:
    """What the parts cost together, in dollars, at list price."""
    return sum(part.usd for part in parts)


def after_free_tiers(parts: Iterable[Part]) -> float:
    """What they cost in an account that uses its monthly free units for nothing else."""
    used: dict[str, float] = {}
    for part in parts:
        used[part.price] = used.get(part.price, 0) + part.quantity * part.share
    return sum(max(0.0, quantity - PRICES[name].free) * PRICES[name].usd for name, quantity in used.items())
