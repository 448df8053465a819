"""The content of openapi.json: the methods of each path, and the schemas that check the bodies of requests.

The stack makes the paths of API Gateway from the same file (stacks/api_gateway.py).
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fastjsonschema

from api.problems import Problem

OPENAPI: Mapping[str, Any] = json.loads(Path(__file__).with_name("openapi.json").read_text(encoding="utf-8"))

# In openapi.json, a path also has keys that are not methods, such as `parameters`.
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_METHODS_BY_PATH = [
    (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), [method.upper() for method in _METHODS if method in item])
    for path, item in OPENAPI["paths"].items()
]
_VALIDATORS = {
    name: fastjsonschema.compile(OPENAPI["components"]["schemas"][name]) for name in ("NoteInput", "NotePatch")
}


def allowed_methods(path: str) -> list[str]:
    """Return the methods of the path. Return an empty list if the path does not exist."""
    return next((methods for pattern, methods in _METHODS_BY_PATH if pattern.fullmatch(path.removesuffix("/"))), [])


def validate(schema: str, value: Any) -> None:
    """Raise Problem 422 unless the value fits the schema with this name."""
    try:
        _VALIDATORS[schema](value)
    except fastjsonschema.JsonSchemaValueException as error:
        # The path begins with "data", which is fastjsonschema's name for the whole value.
        pointer = "".join(f"/{part}" for part in error.path[1:])
        detail = error.message.replace(str(error.name), "it" if pointer else "the note", 1)
        raise Problem(
            422, "The body is not what the schema asks for.", errors=[{"pointer": pointer, "detail": detail}]
        ) from None
