"""Checks that the answers of the function fit openapi.json."""

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


def documented_operation(method: str, path: str) -> Mapping[str, Any] | None:
    """Return the operation in openapi.json, or None if it is missing. The path may end with a slash."""
    path_template = documented_path(path)
    return OPENAPI["paths"][path_template].get(method.lower()) if path_template else None


def documented_path(path: str) -> str | None:
    """Return the path in openapi.json, such as `/v1/notes/{note_id}`, or None if it is missing."""
    for path_template in OPENAPI["paths"]:
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path_template), path.removesuffix("/")):
            return str(path_template)
    return None


def require_documented(method: str, path: str, status: int, headers: Mapping[str, str], text: str) -> None:
    """Fail unless openapi.json documents the answer."""
    shared_responses = OPENAPI["components"]["responses"]
    operation = documented_operation(method, path)
    if operation is None:
        assert status in (404, 405)
        response = shared_responses["NotFound"]
    else:
        responses = operation["responses"]
        response = responses.get(str(status)) or responses.get(f"{status // 100}XX")
        assert response, f"{method} {path}: {status} is not documented: {text}"
        if "$ref" in response:
            response = shared_responses[response["$ref"].removeprefix("#/components/responses/")]
    content = response.get("content")
    if content is None:
        assert text == ""
        assert "content-type" not in headers
        return
    assert headers["content-type"] in content
    validate = _validator(json.dumps(content[headers["content-type"]]["schema"]))
    for document in text.splitlines() if headers["content-type"] == "application/x-ndjson" else [text]:
        validate(json.loads(document))
