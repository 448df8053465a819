"""The pictures of the lessons, from the app as it is synthesized: `python -m tools.diagrams` renews them.

A picture is a mermaid block in a lesson. Its first part is made here. What follows BY_HAND is the author's: what comes
from outside, or happens at run time, and stands in no template.
"""

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.architecture import ASSETS, INTERNET, WATCH, Architecture, Edge, Resources, architecture
from tools.nodes import frame, node, watch
from tools.templates import stacks_in, synthesize

DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN = "%% made from the template, by make docs"
BY_HAND = "%% by hand, what no template says"
BLOCK = re.compile(rf"(?<=```mermaid\n)flowchart LR\n    {BEGIN}\n.*?(?=    {BY_HAND}\n|```)", re.DOTALL)
OUTSIDE = {INTERNET: f'{INTERNET}(["internet"])', ASSETS: f'{ASSETS}[("images, in<br>CDK\'s repository")]'}


def picture(template: Mapping[str, Any], paths: Mapping[str, str]) -> str:
    """The first part of a mermaid flowchart; `paths` has the construct path of each logical id."""
    drawn = architecture(template)
    names = {name: _name(paths[name]) for name in (*drawn.nodes, *drawn.inside.values())}
    lines = [*_nodes(drawn, names, template["Resources"]), *(_arrow(edge, names) for edge in drawn.edges)]
    return "\n".join(["flowchart LR", f"    {BEGIN}", *(f"    {line}" for line in lines)]) + "\n"


def _nodes(drawn: Architecture, names: Mapping[str, str], resources: Resources) -> Iterator[str]:
    ends = {end for edge in drawn.edges for end in (edge.source, edge.target)}
    yield from (line for end, line in OUTSIDE.items() if end in ends)
    for vpc in dict.fromkeys(drawn.inside.values()):
        yield f'subgraph {names[vpc]} ["{frame(resources)}"]'
        yield from (
            f"    {node(name, names[name], resources)}" for name in drawn.nodes if drawn.inside.get(name) == vpc
        )
        yield "end"
    yield from (node(name, names[name], resources) for name in drawn.nodes if name not in drawn.inside)
    if drawn.watching:
        yield f'{WATCH}{{{{"{watch(drawn.watching)}"}}}}'


def _arrow(edge: Edge, names: Mapping[str, str]) -> str:
    line, head = ("-.", ".->") if edge.aside else ("--", "-->")
    arrow = f"{line} {edge.label} {head}" if edge.label else ("-.->" if edge.aside else "-->")
    return f"{names.get(edge.source, edge.source)} {arrow} {names.get(edge.target, edge.target)}"


def _name(path: str) -> str:
    """A construct's own name; that of its L1 inside is CDK's."""
    _, *parts = path.split("/")
    return "".join(parts[:-1] or parts)


def pictures(assembly: Path) -> dict[str, str]:
    """The picture of each example in a cloud assembly, by its stem."""
    tree = json.loads((assembly / "tree.json").read_text(encoding="utf-8"))["tree"]["children"]
    return {stem: picture(template, dict(_paths(tree[name]))) for name, stem, template in stacks_in(assembly)}


def _paths(construct: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if logical_id := construct.get("attributes", {}).get("aws:cdk:cloudformation:logicalId"):
        yield logical_id, construct["path"]
    for child in construct.get("children", {}).values():
        yield from _paths(child)


def renewed(lesson: str, made: str) -> str:
    """A lesson with this picture, and the author's additions to the old one.

    Raises ValueError for a lesson that has no place for it.
    """
    if not BLOCK.search(lesson):
        raise ValueError(f"a mermaid block that begins with 'flowchart LR' and '    {BEGIN}' is missing")
    return BLOCK.sub(lambda _: made, lesson, count=1)


def renew(assembly: Path, docs: Path) -> None:
    """Draw every stack of a cloud assembly into its lesson.

    Raises ValueError for a lesson that is missing or has no place for the picture.
    """
    for stem, made in pictures(assembly).items():
        lesson = docs / f"{stem}.md"
        if not lesson.exists():
            raise ValueError(f"{lesson.name}: {stem} has no lesson")
        try:
            lesson.write_text(renewed(lesson.read_text(encoding="utf-8"), made), encoding="utf-8")
        except ValueError as error:
            raise ValueError(f"{lesson.name}: {error}") from None


def main() -> None:
    """Renew every lesson's picture."""
    with tempfile.TemporaryDirectory() as folder:
        synthesize(Path(folder))
        try:
            renew(Path(folder), DOCS)
        except ValueError as error:
            sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
