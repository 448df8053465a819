"""The console's drawings of all diagrams: a browser measures whether each label is inside its box."""

import re
from pathlib import Path

import pytest

from console.diagrams import Diagrams
from tests.support.browser import needs_browser, run_browser
from tests.support.folders import ROOT

WIDE_LABELS = """() => [...document.querySelectorAll('g.node, g.subgraph')].flatMap(box => {
  const shapes = [...box.querySelectorAll(':scope > :not(text)')].map(shape => shape.getBoundingClientRect());
  const left = Math.min(...shapes.map(shape => shape.left)), right = Math.max(...shapes.map(shape => shape.right));
  return [...box.querySelectorAll(':scope > text')].map(text => [text.textContent, text.getBoundingClientRect()])
    .filter(([, label]) => label.left < left || label.right > right)
    .map(([name, label]) => `${name}: ${Math.round(label.width)} px in ${Math.round(right - left)} px`);
})"""


@needs_browser
def test_no_label_is_wider_than_its_box(tmp_path: Path) -> None:
    documents = sorted((ROOT / "docs").glob("*.md"))
    texts = {
        f"{file.name} {number}": text
        for file in documents
        for number, text in enumerate(re.findall(r"```mermaid\n(.*?)```", file.read_text(), re.DOTALL), start=1)
    }
    if not texts:
        pytest.skip("no document has a diagram")
    diagrams = Diagrams(tmp_path)
    names = {where: diagrams.name(text) for where, text in texts.items()}
    # The cards of the start page show a sketch of the first diagram in a lesson.
    names |= {f"{where}, sketch": diagrams.sketch(name) for where, name in names.items() if where.endswith(" 1")}
    wide_labels = {}
    with run_browser() as browser:
        page = browser.new_page()
        for where, name in names.items():
            page.set_content(diagrams.picture(name) or "")
            assert page.locator("g.node").count(), f"{where} was not drawn"
            wide_labels[where] = page.evaluate(WIDE_LABELS)
    found = {where: labels for where, labels in wide_labels.items() if labels}
    assert not found, "shorten these labels, because the drawing program makes no frame wider for its text"
