"""Every link inside the project leads somewhere, and those out of it are at least spelt like one."""

import re
from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.documents import DOCUMENTS, Document
from tests.support.folders import ROOT

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)


def broken(document: Document) -> list[str]:
    """The links to files or headings that are not there."""
    return [link for link in document.links if "://" not in link and not _resolves(document.path, link)]


def _resolves(source: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (source.parent / path).resolve() if path else source
    return target.exists() and (not anchor or anchor in Document(target).anchors)


def misspelt(urls: set[str]) -> set[str]:
    """The addresses that no browser would find: not https, no host, a stray sign, or one page spelt in two ways."""
    spellings = defaultdict(set)
    for url in urls:
        spellings[url.lower().rstrip("/")].add(url)
    twice = {url for same in spellings.values() if len(same) > 1 for url in same}
    return twice | {url for url in urls if not _is_address(url)}


def _is_address(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and "." in parts.netloc and not url.endswith((".", ",", "'", "*", "_"))


@every_document
def test_files_that_the_text_names_exist(document: Document) -> None:
    tree = {path.name for path in ROOT.iterdir() if path.is_dir()} - {".venv", ".build", ".local", "cdk.out"}
    named = {code for code in document.code if re.fullmatch(r"[\w.-]+(/[\w.-]+)+", code)}
    assert {name for name in named if name.partition("/")[0] in tree and not (ROOT / name).exists()} == set()


@every_document
def test_links_inside_the_project_lead_somewhere(document: Document) -> None:
    assert broken(document) == []


def test_links_to_the_web_are_spelt_right() -> None:
    urls = set().union(*(document.urls for document in DOCUMENTS))
    assert len(urls) > 1
    assert misspelt(urls) == set()


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# One `two`: three\n\n## Again\n\n## Again\n")
    page = tmp_path / "page.md"
    page.write_text("[a](there.md#one-two-three) [b](there.md#again-1) [c](https://x.example)\n")
    assert broken(Document(page)) == []
    page.write_text("[a](gone.md) [b](there.md#one) [c](#nowhere) `[d](code.md)`\n")
    assert broken(Document(page)) == ["gone.md", "there.md#one", "#nowhere"]


def test_a_misspelt_address_is_found() -> None:
    right = {"https://a.example/b", "https://a.example/c/"}
    wrong = {"http://a.example/", "https://nowhere", "https://a.example/d."}
    assert misspelt(right | wrong) == wrong
    assert misspelt({*right, "https://a.example/B/"}) == {"https://a.example/b", "https://a.example/B/"}
