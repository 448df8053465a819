"""The diagrams of the lessons: mermaid flowcharts, drawn from the templates."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.diagrams.model import ASSETS, INTERNET, MONITORING, Architecture, Edge, Resources, architecture
from tools.diagrams.nodes import monitoring_text, node, vpc_frame_text
from tools.templates import stacks_in

OUTSIDE = {INTERNET: f'{INTERNET}(["internet"])', ASSETS: f'{ASSETS}[("images, in<br>CDK\'s repository")]'}


def diagram(template: Mapping[str, Any], paths: Mapping[str, str]) -> str:
    """Return a mermaid flowchart of a template. The keys of `paths` are logical ids, the values are construct paths."""
    model = architecture(template)
    names = {name: _name(paths[name]) for name in (*model.nodes, *model.vpc_of_node.values())}
    lines = [*_nodes(model, names, template["Resources"]), *(_arrow(edge, names) for edge in model.edges)]
    return "\n".join(["flowchart LR", *(f"    {line}" for line in lines)])


def _nodes(model: Architecture, names: Mapping[str, str], resources: Resources) -> Iterator[str]:
    ends = {end for edge in model.edges for end in (edge.source, edge.target)}
    yield from (line for end, line in OUTSIDE.items() if end in ends)
    for vpc in dict.fromkeys(model.vpc_of_node.values()):
        yield f'subgraph {names[vpc]} ["{vpc_frame_text(resources)}"]'
        yield from (
            f"    {node(name, names[name], resources)}" for name in model.nodes if model.vpc_of_node.get(name) == vpc
        )
        yield "end"
    yield from (node(name, names[name], resources) for name in model.nodes if name not in model.vpc_of_node)
    if model.monitoring_types:
        yield f'{MONITORING}{{{{"{monitoring_text(model.monitoring_types)}"}}}}'


def _arrow(edge: Edge, names: Mapping[str, str]) -> str:
    line, head = ("-.", ".->") if edge.dotted else ("--", "-->")
    arrow = f"{line} {edge.label} {head}" if edge.label else ("-.->" if edge.dotted else "-->")
    return f"{names.get(edge.source, edge.source)} {arrow} {names.get(edge.target, edge.target)}"


def _name(path: str) -> str:
    """Return the name of a construct from its path, without CDK's name at the end, such as `Resource`."""
    _, *parts = path.split("/")
    return "".join(parts[:-1] or parts)


def diagrams(assembly: Path) -> dict[str, str]:
    """Return the diagram of each example in a cloud assembly, by its stem."""
    tree = json.loads((assembly / "tree.json").read_text(encoding="utf-8"))["tree"]["children"]
    return {stem: diagram(template, dict(_paths(tree[name]))) for name, stem, template in stacks_in(assembly)}


def _paths(construct: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if logical_id := construct.get("attributes", {}).get("aws:cdk:cloudformation:logicalId"):
        yield logical_id, construct["path"]
    for child in construct.get("children", {}).values():
        yield from _paths(child)
