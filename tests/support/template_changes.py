"""A function that describes the changes of a template in a few lines: which resource changed, and how."""

import json
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

from tools.templates import Template

MAX_LINES = 5
"""Maximum number of lines about one resource."""
MAX_LENGTH = 60
"""Maximum number of characters of an old or new value."""
MISSING = object()
"""Stands for a value that one of the two templates does not have."""


def describe_changes(stack: str, old: Template, new: Template) -> list[str]:
    """Return a line for each changed value, such as `compute-api: Function76856677: MemorySize 512 -> 1024`."""
    lines = []
    for section in sorted({*old, *new}):
        before, after = old.get(section, {}), new.get(section, {})
        if section != "Resources":
            lines += _limited(f"{stack}: {section}", list(_changes("", before, after)))
            continue
        for name in sorted({*before, *after}):
            lines += _limited(f"{stack}: {name}", _changes_of_resource(before.get(name), after.get(name)))
    return lines


def _changes_of_resource(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[str]:
    if before is None:
        return [f"new, {after['Type']}"] if after else []
    if after is None:
        return [f"removed, {before['Type']}"]
    return list(_changes("", before, after))


def _changes(path: str, before: Any, after: Any) -> Iterator[str]:
    """Yield the path of each changed value, with the old and the new value."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            inner = key if path in ("", "Properties") else f"{path}.{key}"
            yield from _changes(inner, before.get(key, MISSING), after.get(key, MISSING))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _changes(f"{path}[{index}]", one, other)
    else:
        yield f"{path} {' -> '.join(_short_texts(before, after))}"


def _short_texts(*values: Any) -> list[str]:
    texts = ["nothing" if value is MISSING else json.dumps(value, ensure_ascii=False) for value in values]
    if max(map(len, texts)) <= MAX_LENGTH:
        return texts
    same = sum(1 for _ in takewhile(lambda characters: len({*characters}) == 1, zip(*texts, strict=False)))
    start = max(0, same - MAX_LENGTH // 3)  # shows the difference with some text before it
    return [_cut(text, start) for text in texts]


def _cut(text: str, start: int) -> str:
    end = start + MAX_LENGTH
    return f"{'…' if start else ''}{text[start:end]}{'…' if len(text) > end else ''}"


def _limited(subject: str, changes: list[str]) -> list[str]:
    lines = [f"{subject}: {change}" for change in changes[:MAX_LINES]]
    hidden = len(changes) - len(lines)
    return [*lines, f"{subject}: and {hidden} more changes"] if hidden else lines
