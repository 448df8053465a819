"""Every amount of money in the documents is computed from the templates, or is a price of the table.

tests/support/said.py has what is computed. Whatever else begins with a dollar sign must be a price in
tools/costs/prices.toml: as it is, for a thousand, a million, or a month of hours.
"""

import re
from pathlib import Path

import pytest

from tests.support.folders import ROOT
from tests.support.said import SAID
from tools.costs.prices import HOURS, PRICES

DOCUMENTS = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
SOURCES = ["config.py", *sorted(f"stacks/{path.name}" for path in (ROOT / "stacks").glob("*.py"))]
AMOUNT = re.compile(r"\$\d[\d,]*(?:\.\d+)?")


def words(document: str) -> str:
    text = (ROOT / document).read_text()
    if document.endswith(".py"):
        text = re.sub(r"^ *# ?", "", text, flags=re.MULTILINE)
    return " ".join(text.split())


def prices() -> set[str]:
    """Each price as a document may write it: for one, a thousand, a million, a month of hours."""
    amounts = {price.usd * factor for price in PRICES.values() for factor in (1, 1_000, 1_000_000, HOURS)}
    whole = {f"${usd:.0f}" for usd in amounts if usd == round(usd)}
    return whole | {text for usd in amounts for text in (f"${usd:.2f}", f"${usd:.10f}".rstrip("0"))} - {"$0.00"}


@pytest.mark.parametrize("document", SAID)
def test_what_is_said_is_what_is_computed(document: str) -> None:
    text = words(document)
    for sentence in SAID[document]():
        assert sentence in text


@pytest.mark.parametrize("document", [*DOCUMENTS, *SOURCES])
def test_every_amount_is_computed_or_a_price_of_the_table(document: str) -> None:
    text = words(document)
    # Sentences may overlap. And in a block of commands, $1 is an argument.
    known = [re.escape(sentence) for sentence in SAID.get(document, lambda: iter(()))()] + ["```.*?```"]
    spans = [found.span() for one in known for found in re.finditer(one, text)]
    amounts = [found for found in AMOUNT.finditer(text) if not any(a <= found.start() < b for a, b in spans)]
    unknown = {found[0].rstrip(",") for found in amounts} - prices()
    assert unknown == set(), "compute it in SAID, or add its price to tools/costs/prices.toml"


def test_the_check_of_amounts_bites(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda path, **how: read(path, **how).replace("$49.19", "$49.20"))
    with pytest.raises(AssertionError):
        test_what_is_said_is_what_is_computed("README.md")
    with pytest.raises(AssertionError):
        test_every_amount_is_computed_or_a_price_of_the_table("README.md")
