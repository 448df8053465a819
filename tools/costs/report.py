"""The tables that `make cost` prints."""

from collections.abc import Iterable, Iterator, Mapping

from tools.costs import idle, work
from tools.costs.prices import PRICES, Part, after_free_tiers, listed
from tools.templates import Template

Stacks = Mapping[str, Template]
"""Templates by the stem of their stack."""
WIDTH = 88
HEAD = """\
US dollars in us-east-1, without taxes and traffic. "list" is AWS's price list; "free" what
is left of it in an account that uses the monthly free tiers, which never end, for this
alone; for all stacks together they count once. Sources: tools/costs/prices.toml"""


def table(profiles: Mapping[str, Stacks]) -> Iterator[str]:
    """Idle costs by stack and profile, and below them the units of work at the first profile's prices."""
    yield from HEAD.splitlines()
    yield from ("", _row("A month in which nobody comes", *[_two(profile, "") for profile in profiles]))
    yield _row("", *[_two("list", "free") for _ in profiles])
    reckoned = {name: {stem: idle.parts(found) for stem, found in stacks.items()} for name, stacks in profiles.items()}
    for stem in next(iter(reckoned.values())):
        yield _row(stem, *[_sums(stacks[stem]) for stacks in reckoned.values()])
    yield _row("together", *[_sums(_all(stacks.values())) for stacks in reckoned.values()])
    first, stacks = next(iter(profiles.items()))
    yield from ("", _row(f"The work, as the {first} does it", "", _two("list", "free")))
    for stem, template in stacks.items():
        for unit in work.units(stem, template):
            yield _row(
                f"{stem:<11}{unit.name}", "", _two(_exact(listed(unit.parts)), _exact(after_free_tiers(unit.parts)))
            )


def details(stem: str, profiles: Mapping[str, Stacks]) -> Iterator[str]:
    """What the idle cost of one stack and its units of work are made of."""
    for profile, stacks in profiles.items():
        yield from ("", f"{stem}, {profile}: a month in which nobody comes")
        yield from _lines(idle.parts(stacks[stem]))
        for unit in work.units(stem, stacks[stem]):
            yield from ("", f"{stem}, {profile}: {unit.name}")
            yield from _lines(unit.parts)


def _lines(parts: Iterable[Part]) -> Iterator[str]:
    sums: dict[tuple[str, str, float], float] = {}
    for part in parts:
        key = (part.what, part.price, part.share)
        sums[key] = sums.get(key, 0) + part.quantity
    merged = [Part(what, quantity, price, share) for (what, price, share), quantity in sums.items()]
    for part in merged:
        price = f"{PRICES[part.price].usd * part.share:.10f}".rstrip("0")
        yield f"  {part.what:<30}{part.quantity:>15,.4f} x {price:<13}{_exact(part.usd):>8}  {PRICES[part.price].unit}"
    yield f"  {'together':<61}{_exact(listed(merged)):>8}"


def _all(stacks: Iterable[list[Part]]) -> list[Part]:
    return [part for parts in stacks for part in parts]


def _sums(parts: list[Part]) -> str:
    return _two(f"{listed(parts):.2f}", f"{after_free_tiers(parts):.2f}")


def _exact(usd: float) -> str:
    return f"{usd:.2f}" if usd >= 1 else f"{usd:.4f}"


def _two(left: str, right: str) -> str:
    return f"{left:>10}{right:>10}"


def _row(head: str, *columns: str) -> str:
    return f"{head:<{WIDTH - 22 * 2}}" + "".join(f"{column:>22}" for column in columns)
