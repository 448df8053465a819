"""The console shows the lessons. Their links lead to pages of the console."""

from pathlib import Path

import pytest

from console.diagrams import Diagrams
from console.documents import Documents
from tests.support.folders import ROOT


@pytest.mark.parametrize(
    ("file", "link"),
    [
        ("docs/cron.md", '<a href="/examples/cron">console</a>'),
        ("docs/ecs_ec2.md", '<a href="/examples/ecs_ec2">console</a>'),
        ("README.md", '<a href="/files/docs/console.md">console</a>'),
        ("docs/decisions.md", 'href="/files/docs/console.md#why-it-is-safe"'),
    ],
)
def test_a_lesson_links_the_page_of_its_example(tmp_path: Path, file: str, link: str) -> None:
    assert link in Documents(Diagrams(tmp_path)).html(ROOT / file)
