"""A resource without a price is one failure, of the contract `priced`. Other tests that need the price are skipped."""

import pytest

from tests import conftest
from tests.support.prices import missing_prices
from tools.costs import idle
from tools.costs.prices import UnpricedError


@pytest.fixture
def missing_price(monkeypatch: pytest.MonkeyPatch) -> str:
    billed = {kind: parts for kind, parts in idle.BILLED.items() if kind != "AWS::ECR::Repository"}
    monkeypatch.setattr(idle, "BILLED", billed)
    (message,) = missing_prices.__wrapped__()
    monkeypatch.setattr(conftest, "missing_prices", lambda: {message})
    return str(message)


@pytest.mark.parametrize(
    ("kind", "prefix"), [(UnpricedError, ""), (SystemExit, "error: ")], ids=["an error", "the exit of a command"]
)
def test_a_test_that_needs_a_missing_price_is_skipped(
    missing_price: str, kind: type[BaseException], prefix: str
) -> None:
    assert "AWS::ECR::Repository has no price" in missing_price
    hook = conftest.pytest_runtest_call()
    next(hook)
    with pytest.raises(pytest.skip.Exception, match="see the contract `priced`"):
        hook.throw(kind(f"{prefix}{missing_price}"))


@pytest.mark.parametrize("error", [UnpricedError("the price of a setting is missing"), SystemExit(1)])
def test_every_other_error_remains(missing_price: str, error: BaseException) -> None:
    assert missing_price
    hook = conftest.pytest_runtest_call()
    next(hook)
    with pytest.raises(type(error)):
        hook.throw(error)
