"""The price table, parts of a bill, and sums of parts."""

import datetime as dt
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("prices.toml")
_TABLE = tomllib.loads(TABLE.read_text(encoding="utf-8"))
HOURS: int = _TABLE["hours"]
"""The hours of a month, as AWS counts them."""


class UnpricedError(ValueError):
    """A resource has no known price. The message says which file needs the price."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """One line of AWS's price list."""

    usd: float
    unit: str
    source: str
    """The address of AWS's page."""
    checked: dt.date | bool
    """The day of the last check. False if nobody has checked the price."""
    free: float = 0
    """The number of units a month that are free in every account."""


@dataclass(frozen=True)
class Part:
    """One part of a bill: a price, and a quantity in units of this price. Raises UnpricedError for an unknown price."""

    label: str
    quantity: float
    price: str
    """A key of PRICES."""
    share: float = 1
    """The paid fraction of the list price: less than 1 for Spot, and 1 for everything else."""

    def __post_init__(self) -> None:
        if self.price not in PRICES:
            raise UnpricedError(f"{self.label}: {self.price} has no price. Add the price to tools/costs/prices.toml.")

    @property
    def row(self) -> str:
        """The name of the table row: `regular task` for the label `regular task: vCPU`."""
        return self.label.partition(":")[0]

    @property
    def usd(self) -> float:
        """The cost at list price."""
        return self.quantity * self.share * PRICES[self.price].usd


PRICES: dict[str, Price] = {name: Price(**row) for name, row in _TABLE["price"].items()}
FREE_TYPES: Mapping[str, str] = _TABLE["free"]
"""Resource types that cost nothing without use. The values are the reasons."""


def total(parts: Iterable[Part]) -> float:
    """Return the sum of the parts in dollars, at list price."""
    return sum(part.usd for part in parts)


def after_free_tiers(parts: Iterable[Part]) -> float:
    """Return the sum in dollars without the free units of a month.

    The sum assumes that the account uses its free units only for these parts.
    """
    used: dict[str, float] = {}
    for part in parts:
        used[part.price] = used.get(part.price, 0) + part.quantity * part.share
    return sum(max(0.0, quantity - PRICES[name].free) * PRICES[name].usd for name, quantity in used.items())
