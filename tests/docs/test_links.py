"""These tests check that links inside the project lead to existing files or headings. Other links must use https."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.documents import DOCUMENTS, Document
from tests.support.folders import ROOT

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)


def broken_links(document: Document) -> list[str]:
    """Return the links to files or headings that do not exist, and the links to the web that are not https."""
    return [
        link for link in document.links if not (_is_address(link) if "://" in link else _exists(document.path, link))
    ]


def _exists(source: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (source.parent / path).resolve() if path else source
    return target.exists() and (not anchor or anchor in Document(target).anchors)


def _is_address(link: str) -> bool:
    parts = urlsplit(link)
    return parts.scheme == "https" and "." in parts.netloc


@every_document
def test_a_document_has_no_broken_link(document: Document) -> None:
    assert broken_links(document) == []


@every_document
def test_files_named_in_the_text_exist(document: Document) -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {".venv", ".build", ".local", "cdk.out"}
    named_files = {code for code in document.code if re.fullmatch(r"[\w.-]+(/[\w.-]+)+", code)}
    assert {name for name in named_files if name.partition("/")[0] in folders and not (ROOT / name).exists()} == set()


def test_a_broken_link_is_reported(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# One `two`: three\n\n## Again\n\n## Again\n")
    page = tmp_path / "page.md"
    page.write_text("[a](there.md#one-two-three) [b](there.md#again-1) [c](https://x.example)\n")
    assert broken_links(Document(page)) == []
    page.write_text(
        "[a](gone.md) [b](there.md#one) [c](#nowhere) `[d](code.md)` [e](http://x.example) [f](https://x)\n"
    )
    assert broken_links(Document(page)) == ["gone.md", "there.md#one", "#nowhere", "http://x.example", "https://x"]
