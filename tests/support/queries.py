"""What a `--query` of the AWS CLI asks for that the answer cannot have."""

from dataclasses import dataclass
from typing import Any

import jmespath

Query = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """What is known of a value."""

    kind: str
    """`structure`, `list`, `map`, or that of a scalar."""
    model: Any = None
    """botocore's, but for lists that a query makes."""
    member: "Shape | None" = None
    """What a list has in it."""


def shape_of(model: Any) -> Shape:
    """The shape of what botocore describes."""
    member = shape_of(model.member) if model.type_name == "list" else None
    return Shape(model.type_name, model, member)


def unknown_fields(query: str, shape: Shape) -> list[str]:
    """The fields of a query that a value of this shape cannot have.

    Raises JMESPathError for what is no query.
    """
    found: list[str] = []
    _walk(jmespath.compile(query).parsed, shape, found)
    return found


def _walk(query: Query, shape: Shape | None, found: list[str]) -> Shape | None:
    """Note the unknown fields, and answer with the shape of what the query gives, if that is known."""
    given, children = shape, query["children"]
    match query["type"]:
        case "field":
            given = _field(query["value"], shape, found)
        case "subexpression" | "index_expression" | "pipe":
            for child in children:
                given = _walk(child, given, found)
        case "index":
            given = shape.member if shape else None
        case "flatten":
            given = _flat(_walk(children[0], shape, found))
        case "projection" | "filter_projection":
            projected = _walk(children[0], shape, found)
            element = projected.member if projected else None
            result, *_ = [_walk(child, element, found) for child in children[1:]]
            given = Shape("list", member=result)
        case kind if kind not in {"slice", "identity", "current"}:
            for child in children:
                _walk(child, shape, found)
            given = None
    return given


def _field(name: str, shape: Shape | None, found: list[str]) -> Shape | None:
    if shape and shape.kind == "structure" and name in shape.model.members:
        return shape_of(shape.model.members[name])
    if shape and shape.kind == "map":
        return shape_of(shape.model.value)
    if shape and shape.kind != "string":  # the CLI opens strings that are documents
        found.append(name)
    return None


def _flat(shape: Shape | None) -> Shape | None:
    return shape.member if shape and shape.member and shape.member.kind == "list" else shape
