"""The tables that `make cost` prints."""

from collections.abc import Iterable, Iterator, Mapping

from tools.costs import idle, work
from tools.costs.prices import PRICES, Part, after_free_tiers, total
from tools.templates import Template

Stacks = Mapping[str, Template]
"""Templates by stem."""
WIDTH = 92
HEAD = """\
US dollars in us-east-1, without taxes and traffic. "list" is AWS's list price. "free" is
the price after the monthly free tiers, if the account uses them only for this row. The
row "total" counts each free tier once. Sources: tools/costs/prices.toml"""


def table(profiles: Mapping[str, Stacks]) -> Iterator[str]:
    """Yield the lines of two tables: idle costs in all profiles, and units of work in the first profile."""
    yield from HEAD.splitlines()
    yield from ("", _row("A month without use", *[_pair(profile, "") for profile in profiles]))
    yield _row("", *[_pair("list", "free") for _ in profiles])
    months = {name: {stem: idle.parts(found) for stem, found in stacks.items()} for name, stacks in profiles.items()}
    for stem in next(iter(months.values())):
        yield _row(stem, *[_sums(stacks[stem]) for stacks in months.values()])
    yield _row("total", *[_sums(_flatten(stacks.values())) for stacks in months.values()])
    first, stacks = next(iter(profiles.items()))
    yield from ("", _row(f"Work, in the profile {first}", "", _pair("list", "free")))
    for stem, template in stacks.items():
        for unit in work.units(stem, template):
            amounts = _pair(_dollars(total(unit.parts)), _dollars(after_free_tiers(unit.parts)))
            yield _row(f"{stem:<15}{unit.name}", "", amounts)


def details(stem: str, profiles: Mapping[str, Stacks]) -> Iterator[str]:
    """Yield the lines about one stack: the parts of its idle cost and of its units of work."""
    for profile, stacks in profiles.items():
        yield from ("", f"{stem}, {profile}: a month without use")
        yield from _lines(idle.parts(stacks[stem]))
        for unit in work.units(stem, stacks[stem]):
            yield from ("", f"{stem}, {profile}: {unit.name}")
            yield from _lines(unit.parts)


def _lines(parts: Iterable[Part]) -> Iterator[str]:
    """Yield a line for each part, and a line for the total. Equal parts become one line."""
    sums: dict[tuple[str, str, float], float] = {}
    for part in parts:
        key = (part.label, part.price, part.share)
        sums[key] = sums.get(key, 0) + part.quantity
    merged = [Part(label, quantity, price, share) for (label, price, share), quantity in sums.items()]
    for part in merged:
        price = f"{PRICES[part.price].usd * part.share:.10f}".rstrip("0")
        yield (
            f"  {part.label:<30}{part.quantity:>15,.4f} x {price:<13}{_dollars(part.usd):>8}  {PRICES[part.price].unit}"
        )
    yield f"  {'total':<61}{_dollars(total(merged)):>8}"


def _flatten(stacks: Iterable[list[Part]]) -> list[Part]:
    return [part for parts in stacks for part in parts]


def _sums(parts: list[Part]) -> str:
    return _pair(f"{total(parts):.2f}", f"{after_free_tiers(parts):.2f}")


def _dollars(usd: float) -> str:
    return f"{usd:.2f}" if usd >= 1 else f"{usd:.4f}"


def _pair(left: str, right: str) -> str:
    """Return two cells of a row: the list price, and the price after the free tiers."""
    return f"{left:>10}{right:>10}"


def _row(head: str, *columns: str) -> str:
    return f"{head:<{WIDTH - 22 * 2}}" + "".join(f"{column:>22}" for column in columns)
