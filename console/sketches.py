"""Reduce a flowchart to a sketch for a small card: the main parts, their arrows, and a short name for each part."""

import re

MARK = "%% sketch"
"""The first line of a sketch. draw.mjs puts the parts of a sketch nearer together."""
_NODE = re.compile(r"\s*(\w+)[\[({]")
_LABEL = re.compile(r'"([^"<]*)<br>([^"<]*)(?:<br>[^"]*)?"')
_LABEL_OF_ARROW = re.compile(r"-- .* -->")
_DETAILS_OF_GROUP = re.compile(r'(subgraph \w+ \["[^:"]*)[^"]*')


def sketch(flowchart: str) -> str:
    """Return the mermaid text of a sketch.

    It has no dotted arrows and no labels at arrows. Without an arrow, a part is not in the sketch either. The name of a
    part is its service, such as `S3 bucket`, which is the second line in the flowchart.
    """
    lines = [line for line in flowchart.splitlines() if "-." not in line and not line.startswith("%%")]
    used = set(re.findall(r"\w+", " ".join(_LABEL_OF_ARROW.sub("-->", line) for line in lines if "-->" in line)))
    return "\n".join([MARK, *(_shortened(line) for line in lines if _is_used(line, used))])


def _is_used(line: str, used: set[str]) -> bool:
    node = _NODE.match(line)
    return node is None or node[1] in used


def _shortened(line: str) -> str:
    line = _LABEL.sub(r'"\2"', _LABEL_OF_ARROW.sub("-->", line))
    return _DETAILS_OF_GROUP.sub(r"\1", line)
