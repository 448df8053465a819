"""cog writes computed parts, such as costs, into the documents. These tests check that the parts are up to date.

They also check that every other amount of money in the documents is a list price.
"""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.apps import EVERY_STACK, assembly, templates
from tests.support.folders import ROOT
from tools.costs import idle
from tools.costs.prices import HOURS, PRICES
from tools.documents import DOCUMENTS, run_cog

SOURCES = [ROOT / "config.py", *sorted((ROOT / "stacks").glob("*.py"))]
AMOUNT_OF_MONEY = re.compile(r"\$\d[\d,]*(?:\.\d+)?")
GENERATED_PART = re.compile(r"\[\[\[cog.*?\[\[\[end\]\]\]", re.DOTALL)
CODE_BLOCK = re.compile(r"```.*?```", re.DOTALL)
"""A block of commands. In such a block, $1 is an argument and not an amount."""


def _check_documents() -> int:
    for profile, stem in EVERY_STACK:
        idle.parts(templates(profile)[stem])  # raises UnpricedError, which cog would only print
    return run_cog(assembly("sandbox"), assembly("production"), "--check", "--diff")


def _list_prices() -> set[str]:
    """Return every list price as a document may write it. The price is for 1, 1,000 or 1,000,000 units, or a month."""
    factors = {price: (1, 1_000, 1_000_000, HOURS if "hour" in price.unit else 1) for price in PRICES.values()}
    amounts = {price.usd * factor for price in factors for factor in factors[price]}
    whole_dollars = {f"${usd:.0f}" for usd in amounts if usd == round(usd)}
    return whole_dollars | {text for usd in amounts for text in (f"${usd:.2f}", f"${usd:.10f}".rstrip("0"))} - {"$0.00"}


def _unknown_amounts(text: str) -> set[str]:
    amounts = AMOUNT_OF_MONEY.findall(CODE_BLOCK.sub("", GENERATED_PART.sub("", text)))
    return {amount.rstrip(",") for amount in amounts} - _list_prices()


def test_the_cost_tables_and_diagrams_are_current() -> None:
    assert _check_documents() == 0, "run: make docs"


def test_documents_with_an_old_price_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRICES, "load-balancer", replace(PRICES["load-balancer"], usd=0.03))
    assert _check_documents() != 0


@pytest.mark.parametrize("path", [*DOCUMENTS, *SOURCES], ids=lambda path: path.name)
def test_every_other_amount_is_a_list_price(path: Path) -> None:
    unknown = _unknown_amounts(path.read_text())
    assert unknown == set(), "compute the amount in a cog block, or add its price to tools/costs/prices.toml"


def test_an_amount_that_is_not_a_list_price_is_reported() -> None:
    assert _unknown_amounts("$49.20 <!-- [[[cog x ]]] -->$1.23<!-- [[[end]]] --> $5.00 ```echo $77```") == {"$49.20"}
