"""JSON that comes back as it went in: integers and decimals to the last digit, any character."""

from typing import Any

import simplejson

MAX_DEPTH = 32
"""Arrays and objects within each other in a note's body: more than people write, and any client's parser reads them."""


class NotJsonError(ValueError):
    """What was read is no JSON, or such as no other program could be relied on to read. The message says why."""


def parse(text: str) -> Any:
    """The value that `text` holds. Numbers are int or Decimal, never float.

    Raises NotJsonError: also for NaN and Infinity, which are no JSON; for numbers of more than 4,300 digits, which
    Python refuses to read; for lone surrogates, which have no UTF-8; and for what is nested deeper than MAX_DEPTH.
    """
    try:
        value = simplejson.loads(text, use_decimal=True)
    except RecursionError as error:
        raise NotJsonError(_TOO_DEEP) from error
    except ArithmeticError as error:
        raise NotJsonError("It holds a number that cannot be read.") from error
    except ValueError as error:
        raise NotJsonError(f"It is not valid JSON: {error}") from error
    _require_depth(value, MAX_DEPTH + 1)  # the note around the body is not counted
    try:
        dump(value).encode()
    except UnicodeEncodeError as error:
        raise NotJsonError("It holds half a character: a surrogate without its other half.") from error
    return value


def dump(value: Any) -> str:
    """The value as compact JSON text, characters as they are."""
    return simplejson.dumps(value, use_decimal=True, ensure_ascii=False, separators=(",", ":"))


_TOO_DEEP = f"It is nested more than {MAX_DEPTH} levels deep."


def _require_depth(value: Any, levels: int) -> None:
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    else:
        return
    if levels == 0:
        raise NotJsonError(_TOO_DEEP)
    for one in inner:
        _require_depth(one, levels - 1)
