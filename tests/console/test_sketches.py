"""Tests of the small diagrams on the cards of the start page."""

from pathlib import Path

from console.diagrams import Diagrams
from console.sketches import MARK, sketch

FLOWCHART = """flowchart LR
    Uploads[("Uploads<br>S3 bucket")]
    DeadLetters[["DeadLetters<br>SQS queue"]]
    Function["Function<br>Lambda function<br>Python 3.14, arm64,<br>1,769 MB"]
    watch{{"CloudWatch<br>logs, 1 alarm"}}
    subgraph Vpc ["VPC: public subnets in 2 zones"]
        Group["Group<br>Auto Scaling group<br>2 to 7 instances"]
    end
    Uploads -- created, removed --> Function
    Function --> Group
    Function -. when it fails .-> DeadLetters
    Function -.-> watch
    you(["you"]) -- put --> Uploads"""
EXPECTED = f"""{MARK}
flowchart LR
    Uploads[("S3 bucket")]
    Function["Lambda function"]
    subgraph Vpc ["VPC"]
        Group["Auto Scaling group"]
    end
    Uploads --> Function
    Function --> Group
    you(["you"]) --> Uploads"""


def test_a_sketch_has_the_main_parts_with_short_names() -> None:
    assert sketch(FLOWCHART) == EXPECTED


def test_a_sketch_is_drawn_smaller_than_its_diagram(tmp_path: Path) -> None:
    diagrams = Diagrams(tmp_path)
    name = diagrams.name(FLOWCHART)
    ratio = width(diagrams.picture(diagrams.sketch(name))) / width(diagrams.picture(name))
    assert ratio < 0.7, "the text on the card is too small to read"


def width(svg: str | None) -> float:
    assert svg is not None
    return float(svg.partition(' width="')[2].partition('"')[0])
