"""Conversion of JSON text to Python values and back. Numbers keep every digit, and strings keep every character."""

from typing import Any

import simplejson

MAX_DEPTH = 32
"""Maximum levels of arrays and objects in a note's body. People need fewer levels, and all clients can parse 32."""


class NotJsonError(ValueError):
    """The text is not JSON, or some programs cannot read it. The message says why."""


def parse(text: str) -> Any:
    """Return the value of the JSON text. Numbers are int or Decimal, never float.

    Raises NotJsonError if the text is not JSON. NaN and Infinity are not JSON. Also raises NotJsonError if

    - Python cannot read a number: an integer of more than 4,300 digits, or a number with a huge exponent;
    - a string has a lone surrogate (half a character), because UTF-8 cannot encode it;
    - the body of a note has more than MAX_DEPTH levels.
    """
    try:
        value = simplejson.loads(text, use_decimal=True)
    except RecursionError as error:
        raise NotJsonError(_TOO_DEEP) from error
    except simplejson.JSONDecodeError as error:
        raise NotJsonError(f"It is not valid JSON: {error}.") from error
    except (ArithmeticError, ValueError) as error:
        raise NotJsonError("It has a number with too many digits, or with an exponent that is too large.") from error
    _require_depth(value, MAX_DEPTH + 1)  # the note is one more level, around its body
    try:
        dump(value).encode()
    except UnicodeEncodeError as error:
        raise NotJsonError("It has half a character: a surrogate without its other half.") from error
    return value


def dump(value: Any, *, sort_keys: bool = False) -> str:
    """Return the value as compact JSON text. Characters such as é are not escaped."""
    return simplejson.dumps(value, use_decimal=True, ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys)


_TOO_DEEP = f"It is nested more than {MAX_DEPTH} levels deep."


def _require_depth(value: Any, levels: int) -> None:
    """Raise NotJsonError if the value has more levels of arrays and objects than `levels`."""
    if isinstance(value, dict):
        children = list(value.values())
    elif isinstance(value, list):
        children = value
    else:
        return
    if levels == 0:
        raise NotJsonError(_TOO_DEEP)
    for child in children:
        _require_depth(child, levels - 1)
