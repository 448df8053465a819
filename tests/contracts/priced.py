"""`make cost` has a price for every resource and for each of its settings."""

from tools.costs import idle
from tools.costs.prices import UnpricedError
from tools.templates import Template


def faults(template: Template) -> list[str]:
    """Return the first resource or setting without a price, if there is one."""
    try:
        idle.parts(template)
    except UnpricedError as error:
        return [str(error)]
    return []
