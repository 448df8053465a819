"""What the documents' amounts are reckoned from: the stacks as they are synthesized, and the table of prices."""

from functools import cache

from tests.support.apps import templates
from tools.costs import idle, work
from tools.costs.prices import HOURS, PRICES, Part, listed

MILLION = 1_000_000
PRODUCTION, SANDBOX = "production", "sandbox"
SERVERLESS = ("thumbnail", "cron", "api")


@cache
def month(stem: str, profile: str = SANDBOX) -> tuple[Part, ...]:
    return tuple(idle.parts(templates(profile)[stem]))


def idles(stem: str, profile: str = SANDBOX) -> float:
    return listed(month(stem, profile))


def everything(profile: str) -> float:
    return sum(idles(stem, profile) for stem in templates(profile))


def of(stem: str, *begins: str, profile: str = SANDBOX) -> float:
    """What the parts of a month cost whose names begin so."""
    found = [part for part in month(stem, profile) if part.what.startswith(begins)]
    assert found, begins
    return listed(found)


@cache
def unit(stem: str, name: str) -> tuple[Part, ...]:
    units = {one.unit: one.parts for one in work.of(stem, templates(SANDBOX)[stem])}
    (found,) = [units[name]] if name in units else [parts for unit, parts in units.items() if unit.startswith(name)]
    return tuple(found)


def costs(stem: str, name: str, *begins: str) -> float:
    """What a unit of work costs, or those parts of it."""
    return listed(part for part in unit(stem, name) if part.what.startswith(begins or ("",)))


def quantity(stem: str, name: str, what: str) -> float:
    (found,) = [part.quantity for part in unit(stem, name) if part.what == what]
    return found


def hourly(price: str) -> float:
    return PRICES[price].usd * HOURS


def closely() -> float:
    return sum(idles(stem, PRODUCTION) - idles(stem) for stem in SERVERLESS)
