"""The cost tables of README.md and docs/*.md. Each method prints one table; cog writes it into the document."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.costs import comparisons, idle, work
from tools.costs.prices import PRICES, Part, total
from tools.costs.sums import Sums
from tools.templates import Template

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
DAILY_FROM = 10
"""If an example costs more dollars a month than this number, its table also has a row with the cost per day."""
A_MILLION_FROM = 5e-6
"""A price of at most this many dollars is printed per million units."""


@dataclass(frozen=True)
class Costs:
    """Prints the cost tables of the documents, from the templates of both profiles by stem."""

    sandbox: Mapping[str, Template]
    production: Mapping[str, Template]
    compared: Sums
    """The costs for the comparisons."""

    def overview(self) -> None:
        """Print a row for each example: description, cost of a month without use, and price of some work."""
        rows = []
        for stem, template in self.sandbox.items():
            amounts = (_total(idle.parts(stacks[stem])) for stacks in (self.sandbox, self.production))
            prices = [f"{unit.name}: {_total(unit.parts)}" for unit in work.units(stem, template)]
            rows.append((_link(stem), template["Description"], *amounts, prices[0] if prices else ""))
        sums = (_total(p for one in stacks.values() for p in idle.parts(one)) for stacks in self._profiles.values())
        head = ("example", "content", "idle month, sandbox", "idle month, production", "price of some work")
        _print_table(head, [*rows, _bold("total", "", *sums, "")])

    def idle(self, stem: str) -> None:
        """Print the cost of a month without use: one row for each part, one column for each profile."""
        months = {f"idle month, {name}": idle.parts(stacks[stem]) for name, stacks in self._profiles.items()}
        days = [f"${total(parts) / 365 * 12:.2f}" for parts in months.values()]
        _print_parts(months, *([("per day", *days, "")] if total(months["idle month, sandbox"]) > DAILY_FROM else []))

    def work(self, stem: str, *names: str) -> None:
        """Print the cost of these units of work: one row for each part, one column for each unit.

        A setting may remove the part of the stack that does the work. Then there is nothing to print.
        """
        units = {unit.name: unit.parts for unit in work.units(stem, self.sandbox[stem])}
        columns = {name: units[name] for name in names if name in units}
        if columns:
            _print_parts(columns)

    def compare(self, name: str) -> None:
        """Print the table of this name from tools/costs/comparisons.py."""
        _print_table(*comparisons.TABLES[name](self.compared))

    @property
    def _profiles(self) -> Mapping[str, Mapping[str, Template]]:
        return {"sandbox": self.sandbox, "production": self.production}


def _link(stem: str) -> str:
    """Return a link to the lesson of an example, or only the name of an example without a lesson."""
    return f"[{stem}](docs/{stem}.md)" if (DOCS / f"{stem}.md").exists() else stem


def _print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    for row in (head, ["---"] * len(head), *rows):
        print("|" + "|".join(f" {cell} " if cell != "---" else cell for cell in row) + "|")


def _print_parts(columns: Mapping[str, Sequence[Part]], *more: Sequence[str]) -> None:
    """Print one row for each kind of part, one column for each list of parts, and `more` rows below."""
    digits = 2 if total(next(iter(columns.values()))) >= 1 else 4
    kinds = dict.fromkeys(part.row for parts in columns.values() for part in parts)
    rows: list[Sequence[str]] = []
    for kind in kinds:
        found = [[part for part in parts if part.row == kind] for parts in columns.values()]
        amounts = [_dollars(total(parts), digits) if parts else "" for parts in found]
        rows.append((kind, *amounts, " + ".join(_computation(found))))
    rows.append(_bold("total", *(_total(parts) for parts in columns.values()), ""))
    _print_table(("", *columns, "computed from"), [*rows, *more])


def _computation(columns: Sequence[Sequence[Part]]) -> Iterator[str]:
    """Yield quantity and list price for each price of these parts. `or` joins the quantities if the columns differ."""
    for price, share in dict.fromkeys((part.price, part.share) for parts in columns for part in parts):
        sums = [sum(part.quantity for part in parts if (part.price, part.share) == (price, share)) for parts in columns]
        quantities = " or ".join(dict.fromkeys(_quantity(one) for one in sums if one))
        yield f"{quantities} x {f'{share:.0%} of ' if share != 1 else ''}{_list_price(price)}"


def _list_price(name: str) -> str:
    price = PRICES[name]
    free = f" (the first {price.free:,} a month are free)" if price.free else ""
    if price.usd <= A_MILLION_FROM:
        return f"{_dollars(price.usd * 1e6, 4)} per million {price.unit}{free}"
    return f"{_dollars(price.usd, 10)} per {price.unit}{free}"


def _quantity(number: float) -> str:
    return f"{number:,.{4 if number < 1 else 1}f}".rstrip("0").rstrip(".")


def _total(parts: Iterable[Part]) -> str:
    usd = total(parts)
    return _dollars(usd, 2 if usd >= comparisons.CENT else 4)


def _dollars(usd: float, digits: int) -> str:
    """Return the amount with at least two decimals and at most `digits`. Half a cent is rounded up."""
    whole, _, decimals = f"{usd + 1e-12:.{digits}f}".partition(".")
    return f"${int(whole):,}.{decimals.rstrip('0'):0<2}"


def _bold(*cells: str) -> list[str]:
    return [f"**{cell}**" if cell else "" for cell in cells]
