"""`make cost` knows the price of every resource, with the settings that it has."""

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
