"""Checks answers against openapi.json."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import fastjsonschema

from api.openapi import OPENAPI


@cache
def _validator(schema: str) -> Callable[[Any], Any]:
    return fastjsonschema.compile({**json.loads(schema), "components": OPENAPI["components"]})


def resolve(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of openapi.json that a `$ref` names."""
    part: Any = document
    if "$ref" in document:
        part = OPENAPI
        for name in document["$ref"].removeprefix("#/").split("/"):
            part = part[name]
    return part  # type: ignore[no-any-return]


def operation(method: str, path: str) -> Mapping[str, Any] | None:
    """Return the documented operation. A slash at the end of the path does not matter, as in API Gateway."""
    for template, item in OPENAPI["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path.removesuffix("/")):
            return item.get(method.lower())  # type: ignore[no-any-return]
    return None


def require_documented(method: str, path: str, status: int, headers: Mapping[str, str], text: str) -> None:
    """Fail unless openapi.json documents the answer."""
    documented = operation(method, path)
    if documented is None:
        assert status in (404, 405)
        response = OPENAPI["components"]["responses"]["NotFound"]
    else:
        responses = documented["responses"]
        reference = responses.get(str(status)) or responses.get(f"{status // 100}XX")
        assert reference, f"{method} {path}: {status} is not documented: {text}"
        response = resolve(reference)
    content = response.get("content")
    if content is None:
        assert text == ""
        assert "content-type" not in headers
        return
    assert headers["content-type"] in content
    _validator(json.dumps(content[headers["content-type"]]["schema"]))(json.loads(text))
