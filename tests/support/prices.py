"""A function that finds resources of the stacks without a price."""

from functools import cache

from tools.costs import idle
from tools.costs.prices import UnpricedError


@cache
def missing_prices() -> set[str]:
    """Return a sentence for each stack with a resource or a setting without a price."""
    from tests.support.apps import EVERY_STACK, templates  # noqa: PLC0415 - most tests do not need CDK, which is slow

    missing = set()
    for profile, stem in EVERY_STACK:
        try:
            idle.parts(templates(profile)[stem])
        except UnpricedError as error:
            missing.add(str(error))
    return missing
