"""Everything has a price: no resource, and no setting of one, costs something that `make cost` does not know."""

from tools.costs import idle
from tools.costs.prices import UnpricedError
from tools.templates import Template


def faults(template: Template) -> list[str]:
    """The first thing without a price."""
    try:
        idle.parts(template)
    except UnpricedError as error:
        return [str(error)]
    return []
