"""A function that chooses which parameters of a test are in the fast tests."""

from collections.abc import Iterable
from typing import Any

import pytest


def first_are_fast(count: int, values: Iterable[Any]) -> list[Any]:
    """Return parameters for pytest. The fast tests run only the first `count` of them; `make test` runs all.

    A tuple contains the values of several arguments.
    """
    parameters = [value if isinstance(value, tuple) else (value,) for value in values]
    return [
        pytest.param(*values, marks=() if number < count else pytest.mark.slow)
        for number, values in enumerate(parameters)
    ]
