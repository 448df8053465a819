"""Checks of request bodies with the schemas of openapi.json. The messages are for clients in any language."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import fastjsonschema

from api import jsontext
from api.openapi import OPENAPI
from api.problems import Problem

MAX_NAMES = 200
"""Maximum length of the list of unknown members in a message. The client chooses their names, which can be long."""
_TYPES: Mapping[str, str] = {
    "array": "an array",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a JSON object",
    "string": "a string",
}
_VALIDATORS = {
    name: fastjsonschema.compile(OPENAPI["components"]["schemas"][name]) for name in ("NoteInput", "NotePatch")
}


def validate(schema: str, value: Any) -> None:
    """Raise Problem 422 unless the value fits the schema with this name. The problem names the wrong member."""
    try:
        _VALIDATORS[schema](value)
    except fastjsonschema.JsonSchemaValueException as error:
        # The path begins with "data", which is fastjsonschema's name for the whole value.
        path = error.path[1:]
        pointer = "".join(f"/{name}" for name in path)
        fault = {"pointer": pointer, "detail": f"{_subject(path)} {_fault(error)}."}
        raise Problem(422, "The note is not valid. The member `errors` says why.", errors=[fault]) from None


def _subject(path: Sequence[str]) -> str:
    """Return the subject of the sentence about a fault, for example `Item 2 of tags` for the path to /tags/1.

    The pointer counts from 0, and people count from 1.
    """
    if len(path) > 1 and path[-1].isdecimal():
        return f"Item {int(path[-1]) + 1} of {'/'.join(path[:-1])}"
    return "/".join(path) or "The note"


def _fault(error: fastjsonschema.JsonSchemaValueException) -> str:
    """Return what is wrong, as the end of a sentence that begins with `_subject`."""
    limit = error.rule_definition
    match error.rule:
        case "type":
            names = [limit] if isinstance(limit, str) else limit
            return f"must be {' or '.join(_TYPES[name] for name in names)}"
        case "required":
            return f"must have the {_members(set(limit) - set(error.value))}"
        case "additionalProperties":
            unknown = set(error.value) - set(error.definition["properties"])
            return f"has {'an ' if len(unknown) == 1 else ''}unknown {_members(unknown)}"
        case "uniqueItems":
            return "must not have the same item twice"
        case "minLength" | "maxLength" | "maxItems" as rule:
            noun = "character" if rule.endswith("Length") else "item"
            counted = f"{limit} {noun}" if limit == 1 else f"{limit} {noun}s"
            return f"must have {counted} or {'more' if rule.startswith('min') else 'fewer'}"
    return f"breaks the rule {error.rule} of the schema: {jsontext.dump(limit)}"


def _members(names: Collection[str]) -> str:
    """Return the names of members of the note in quotes, or the first ones if there are many."""
    text = ", ".join(map(jsontext.dump, sorted(names)))
    shown = text if len(text) <= MAX_NAMES else f"{text[:MAX_NAMES]}…"
    return f"member: {shown}" if len(names) == 1 else f"members: {shown}"
