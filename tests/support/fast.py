"""A function that chooses which parameters of a test are in the fast tests."""

from collections.abc import Iterable
from typing import Any

import pytest


def first_are_fast(count: int, values: Iterable[Any]) -> list[Any]:
    """Return parameters for pytest. All except the first `count` have the mark `slow`.

    `pytest -m "not slow"` runs only the first `count` of them.

    A tuple contains the values of several arguments.
    """
    parameters = [value if isinstance(value, tuple) else (value,) for value in values]
    return [
        pytest.param(*values, marks=() if number < count else pytest.mark.slow)
        for number, values in enumerate(parameters)
    ]
