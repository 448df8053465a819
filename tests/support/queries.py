"""A function that finds the fields in a JMESPath query that an answer of AWS cannot have."""

from typing import Any

import jmespath
from botocore.model import Shape
from jmespath.visitor import TreeInterpreter

Node = dict[str, Any]


def unknown_fields(query: str, answer: Shape) -> list[str]:
    """Return the fields of a query that botocore's model of an answer does not have.

    Raises JMESPathError for a malformed query.
    """
    interpreter = _ShapeInterpreter()
    interpreter.visit(jmespath.compile(query).parsed, _value(answer))
    return interpreter.unknown


def _value(shape: Any) -> Any:
    """Return the shape itself. For the shape of a list, return a list with the shape of one element."""
    return [_value(shape.member)] if shape.type_name == "list" else shape


class _ShapeInterpreter(TreeInterpreter):  # type: ignore[misc]  # jmespath has no types
    """Evaluates a query with shapes instead of values. A filter removes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.unknown: list[str] = []

    def visit_field(self, node: Node, value: Any) -> Any:
        name = node["value"]
        kind = getattr(value, "type_name", type(value).__name__)
        if kind == "map":
            return _value(value.value)
        if kind == "structure" and name in value.members:
            return _value(value.members[name])
        if kind not in ("NoneType", "string"):  # a string may be a JSON document, which the AWS CLI parses
            self.unknown.append(name)
        return None

    def visit_filter_projection(self, node: Node, value: Any) -> Any:
        base, result, condition = node["children"]
        elements = self.visit(base, value)
        if not isinstance(elements, list):
            return None
        for element in elements:
            self.visit(condition, element)
        return [self.visit(result, element) for element in elements]

    def visit_function_expression(self, node: Node, value: Any) -> None:
        for child in node["children"]:
            self.visit(child, value)
