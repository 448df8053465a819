"""The commands and variables of a shell script, parsed with tree-sitter's grammar for bash."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

COMPUTED = "\0"
"""In a word, this replaces a value that bash inserts at run time."""
QUOTED = {"raw_string": r"\\\n", "string_content": r'\\(?=[$`"\\\n])', "word": r"\\(?=.)", "number": r"\\\n"}
"""The backslashes that bash removes, by the kind of quotes."""


@dataclass(frozen=True)
class Command:
    """A simple command."""

    words: tuple[str, ...]
    """The first is its name."""
    stdin: str = ""
    """Its standard input, if that is a here-document."""
    may_fail: bool = False
    """Whether it stands in the condition of an `if`."""


class Script:
    """A script. Commands and variables in loops, functions and substitutions count, too."""

    def __init__(self, text: str) -> None:
        """Parse the text. Raises ValueError for a syntax error."""
        self.root = _parser().parse(text.encode()).root_node
        if self.root.has_error:
            raise ValueError(f"not valid shell: {text}")

    def commands(self) -> Iterator[Command]:
        """Yield all commands in the order of the text."""
        for node in self._of("command"):
            words = [_word(child) for child in node.children_by_field_name("argument")]
            name = node.child_by_field_name("name")
            bodies = [found for near in _siblings(node) for found in near.children if found.type == "heredoc_body"]
            yield Command(
                words=(_word(name.children[0]) if name else "", *words),
                stdin="".join(_text(body) for body in bodies),
                may_fail=_in_condition(node),
            )

    def functions(self) -> set[str]:
        """Return the names of the functions that it defines."""
        return {_text(node.children[0]) for node in self._of("function_definition")}

    def assigned(self) -> set[str]:
        """Return the variables that it assigns."""
        assignments = [*self._of("variable_assignment"), *self._of("for_statement")]
        return {_text(child) for node in assignments for child in node.children if child.type == "variable_name"}

    def used(self) -> set[str]:
        """Return the variables that it reads."""
        expansions = [*self._of("simple_expansion"), *self._of("expansion")]
        return {_text(child) for node in expansions for child in node.children if child.type == "variable_name"}

    def _of(self, kind: str) -> Iterator[Node]:
        yield from _all(self.root, kind)


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


def _all(node: Node, kind: str) -> Iterator[Node]:
    if node.type == kind:
        yield node
    for child in node.children:
        yield from _all(child, kind)


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
    if node.type in QUOTED:
        return re.sub(QUOTED[node.type], "", _text(node))
    if node.type in {"string", "concatenation"}:
        return "".join(_word(child) for child in node.children if child.type != '"')
    return COMPUTED
