"""Classes that find the commands and variables of a shell script. tree-sitter parses the script."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

COMPUTED = "\0"
"""A placeholder in a word for a value that bash computes at run time."""
REMOVED_BACKSLASHES = {
    "raw_string": r"\\\n",
    "string_content": r'\\(?=[$`"\\\n])',
    "word": r"\\(?=.)",
    "number": r"\\\n",
}
"""Patterns for the backslashes that bash removes, by the type of tree-sitter's node."""


@dataclass(frozen=True)
class Command:
    """A command with its arguments."""

    words: tuple[str, ...]
    """The name of the command, and its arguments."""
    stdin: str = ""
    """The text of the command's here-document, or an empty string."""
    may_fail: bool = False
    """Whether the command is in the condition of an `if`."""


class Script:
    """A shell script. The methods also find commands and variables in loops, functions and substitutions."""

    def __init__(self, text: str) -> None:
        """Parse the text. Raises ValueError for a syntax error."""
        self.root = _parser().parse(text.encode()).root_node
        if self.root.has_error:
            raise ValueError(f"not valid shell: {text}")

    def commands(self) -> Iterator[Command]:
        """Yield all commands in the order of the text."""
        for node in self._nodes("command"):
            words = [_word(child) for child in node.children_by_field_name("argument")]
            name = node.child_by_field_name("name")
            bodies = [
                child for redirect in _siblings(node) for child in redirect.children if child.type == "heredoc_body"
            ]
            yield Command(
                words=(_word(name.children[0]) if name else "", *words),
                stdin="".join(_text(body) for body in bodies),
                may_fail=_in_condition(node),
            )

    def functions(self) -> set[str]:
        """Return the names of the functions that the script defines."""
        return {_text(node.children[0]) for node in self._nodes("function_definition")}

    def assigned(self) -> set[str]:
        """Return the names of the variables that the script assigns."""
        assignments = [*self._nodes("variable_assignment"), *self._nodes("for_statement")]
        return {_text(child) for node in assignments for child in node.children if child.type == "variable_name"}

    def used(self) -> set[str]:
        """Return the names of the variables that the script reads."""
        expansions = [*self._nodes("simple_expansion"), *self._nodes("expansion")]
        return {_text(child) for node in expansions for child in node.children if child.type == "variable_name"}

    def _nodes(self, kind: str) -> Iterator[Node]:
        yield from _nodes_below(self.root, kind)


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


def _nodes_below(node: Node, kind: str) -> Iterator[Node]:
    if node.type == kind:
        yield node
    for child in node.children:
        yield from _nodes_below(child, kind)


def _siblings(node: Node) -> list[Node]:
    return node.parent.children if node.parent and node.parent.type == "redirected_statement" else []


def _in_condition(node: Node) -> bool:
    while node.parent and node.parent.type != "if_statement":
        node = node.parent
    return node.parent is not None and node in node.parent.children_by_field_name("condition")


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _word(node: Node) -> str:
    if node.type == "raw_string":
        return _text(node)[1:-1]
    if node.type in REMOVED_BACKSLASHES:
        return re.sub(REMOVED_BACKSLASHES[node.type], "", _text(node))
    if node.type in {"string", "concatenation"}:
        return "".join(_word(child) for child in node.children if child.type != '"')
    return COMPUTED
