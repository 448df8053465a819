"""The content of openapi.json: the operations of each path. validation.py checks bodies with its schemas.

The stack makes the paths of API Gateway from the same file (stacks/api_gateway.py).
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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


def find_operation(method: str, path: str) -> tuple[str, Mapping[str, str]]:
    """Return the operationId for a request, and the parameters in its path. The path may end with a slash.

    Raises Problem 404 if the path does not exist, and 405 if the path exists but does not have this method.
    """
    for pattern, operations in _OPERATIONS_BY_PATH:
        if found := pattern.fullmatch(path.removesuffix("/")):
            if method in operations:
                return operations[method], found.groupdict()
            allowed = ", ".join([*operations, "OPTIONS"])
            raise Problem(405, f"This resource supports {allowed}.", headers={"Allow": allowed})
    raise Problem(404, "There is no such resource.")
