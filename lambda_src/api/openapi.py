"""The content of openapi.json: the operations of each path, and the schemas that check the bodies of requests.

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
_OPERATIONS_BY_PATH = [
    (
        re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)),
        {method.upper(): str(item[method]["operationId"]) for method in _METHODS if method in item},
    )
    for path, item in OPENAPI["paths"].items()
]
_VALIDATORS = {
    name: fastjsonschema.compile(OPENAPI["components"]["schemas"][name]) for name in ("NoteInput", "NotePatch")
}


def find_operation(method: str, path: str) -> tuple[str, Mapping[str, str]]:
    """Return the operationId for a request, and the parameters in its path. The path may end with a slash.

    Raises Problem 404 if the path does not exist, and 405 if the path exists but does not have this method.
    """
    for pattern, operations in _OPERATIONS_BY_PATH:
        if found := pattern.fullmatch(path.removesuffix("/")):
            if method in operations:
                return operations[method], found.groupdict()
            allowed = ", ".join([*operations, "OPTIONS"])
            raise Problem(405, f"This resource knows {allowed}.", headers={"Allow": allowed})
    raise Problem(404, "There is no such resource.")


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
