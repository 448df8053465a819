"""The page of an example. Each module in console/pages adds what only one example has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.routing import BaseRoute

from console.account import Account, AccountError
from console.examples import Example
from console.live import Fragments

if TYPE_CHECKING:
    from console.app import Console

Form = Mapping[str, str]
"""The fields of a form that a person has sent."""


class ActionError(ValueError):
    """The person asked for something that is not possible. The message says why, and what to do."""


@dataclass(frozen=True)
class Action:
    """Something that a button of the page does. Only the local AWS allows it."""

    run: Callable[[Example, Form], str]
    """Runs the action in a thread, and returns one sentence about the result. May raise ActionError."""


class ExamplePage:
    """The page of an example without a module in console/pages: what all examples have, and no more."""

    template: ClassVar[str] = "example.html"
    """The template of the page. It extends example.html."""

    def __init__(self, console: "Console") -> None:
        """`console` gives access to the account and to the templates."""
        self.console = console
        self._outputs: Mapping[str, str] = {}

    @property
    def account(self) -> Account:
        """The account with the deployed stack."""
        return self.console.account

    def values(self, example: Example) -> Mapping[str, Any]:
        """Return values for the template that do not change while the page is open."""
        del example
        return {}

    def headers(self) -> Mapping[str, str]:
        """Return further headers of the page."""
        return {}

    def live(self, example: Example) -> Fragments:
        """Return the HTML of the live parts, by name. It is called again and again while a page is open."""
        del example
        return {}

    def actions(self) -> Mapping[str, Action]:
        """Return what the buttons of the page do, by the last part of the URL."""
        return {}

    def routes(self) -> Sequence[BaseRoute]:
        """Return further routes of the page. Their paths begin with `/examples/STEM/`."""
        return []

    def close(self) -> None:
        """End everything that the page has started. The console calls this method when it ends."""

    def stem(self) -> str:
        """Return the short name of the example. It is the name of the page's module."""
        return type(self).__module__.rpartition(".")[2]

    def outputs(self) -> Mapping[str, str]:
        """Return the outputs of the page's stack, for `routes`.

        The page reads them only once, because a browser asks for many pictures at the same time.
        """
        if not self._outputs:
            stem = self.stem()
            example = self.console.examples().get(stem)
            if example is None:
                raise AccountError(f"The example {stem} is not deployed.")
            self._outputs = example.outputs
        return self._outputs

    def render(self, template: str, **values: Any) -> str:
        """Return the HTML of a template, such as that of a live part."""
        return self.console.render(template, **values)
