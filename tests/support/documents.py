"""The Markdown files of the project, as a Markdown parser sees them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.support.folders import ROOT

SHELLS = ("sh", "shell", "console")
"""Languages of blocks that hold commands: `sh` ones run here, too, the others need an account or a server."""


@dataclass(frozen=True)
class Document:
    """One file."""

    path: Path

    @property
    def name(self) -> str:
        """Its path from the project's root."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def _tokens(self) -> list[Token]:
        return MarkdownIt("commonmark").enable("table").parse(self.text)

    @property
    def _inline(self) -> list[Token]:
        return [child for token in self._tokens for child in token.children or []]

    @property
    def scripts(self) -> list[str]:
        """The blocks of commands; indented ones, too, unless they list files."""
        fenced = [token.content for token in self._tokens if token.type == "fence" and token.info in SHELLS]
        return [*fenced, *(block for block in self._indented if not lists_files(block))]

    @property
    def file_lists(self) -> list[str]:
        """The indented blocks that say what is in which file."""
        return [block for block in self._indented if lists_files(block)]

    @property
    def languages(self) -> set[str]:
        """The languages of its fenced blocks."""
        return {token.info for token in self._tokens if token.type == "fence"}

    @property
    def _indented(self) -> list[str]:
        return [token.content for token in self._tokens if token.type == "code_block"]

    @property
    def code(self) -> list[str]:
        """What stands in backquotes in the text."""
        return [token.content for token in self._inline if token.type == "code_inline"]

    @property
    def links(self) -> list[str]:
        """Where its links lead."""
        return [str(token.attrs["href"]) for token in self._inline if token.type == "link_open"]

    @property
    def urls(self) -> set[str]:
        """The addresses on the web that it names, as links or in the text, but not in code."""
        text = " ".join(token.content for token in self._inline if token.type == "text")
        written = {url.rstrip(".:!?") for url in re.findall(r"\w+://[^\s)>,;]+", text)}  # where a sentence ends
        return written | {link for link in self.links if "://" in link}

    @property
    def anchors(self) -> set[str]:
        """The anchors that GitHub gives to its headings."""
        headings = [
            content.content
            for heading, content in zip(self._tokens, self._tokens[1:], strict=False)
            if heading.type == "heading_open"
        ]
        found: list[str] = []
        for heading in headings:
            anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            found.append(anchor if anchor not in found else f"{anchor}-{found.count(anchor)}")
        return set(found)


def lists_files(block: str) -> bool:
    """Whether a block begins with the name of a file of the project."""
    return (ROOT / block.split(maxsplit=1)[0]).exists()


def _documents(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and path.name not in MADE:
            yield from _documents(path)
        elif path.suffix == ".md":
            yield path


MADE = {
    *(".build", ".git", ".hypothesis", ".local", ".venv", "cdk.out", "node_modules"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache"),
}
"""Folders that are not the project's own. `.github` is."""
DOCUMENTS = [Document(path) for path in sorted(_documents(ROOT))]
