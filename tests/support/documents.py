"""These functions read the Markdown files of the project with a Markdown parser."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.support.folders import ROOT

SHELLS = ("sh", "shell", "console")
"""Languages of blocks with commands. Tests run only `sh` blocks. Other blocks need an AWS account or a server."""
IGNORED_FOLDERS = {
    *(".build", ".git", ".hypothesis", ".local", ".venv", "cdk.out", "node_modules"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache"),
}
"""Folders that git ignores."""


@dataclass(frozen=True)
class Document:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """The path from the project's root."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def scripts(self) -> list[str]:
        """The blocks of commands. A block is fenced, with a shell language, or it is indented and lists no files."""
        fenced = [token.content for token in self._tokens if token.type == "fence" and token.info in SHELLS]
        return [*fenced, *(block for block in self._indented if not _lists_files(block))]

    @property
    def file_lists(self) -> list[str]:
        """The indented blocks that list files with explanations."""
        return [block for block in self._indented if _lists_files(block)]

    @property
    def code(self) -> list[str]:
        """The pieces of code in the text, without their backquotes."""
        return [token.content for token in self._inline if token.type == "code_inline"]

    @property
    def links(self) -> list[str]:
        """The targets of the links."""
        return [str(token.attrs["href"]) for token in self._inline if token.type == "link_open"]

    @property
    def anchors(self) -> set[str]:
        """The anchors that GitHub gives to the headings."""
        anchors: list[str] = []
        for token, next_token in zip(self._tokens, self._tokens[1:], strict=False):
            if token.type == "heading_open":
                anchor = re.sub(r"[^\w -]", "", next_token.content.lower()).replace(" ", "-")
                anchors.append(anchor if anchor not in anchors else f"{anchor}-{anchors.count(anchor)}")
        return set(anchors)

    @cached_property
    def _tokens(self) -> list[Token]:
        return MarkdownIt("commonmark").enable("table").parse(self.path.read_text(encoding="utf-8"))

    @property
    def _inline(self) -> list[Token]:
        return [child for token in self._tokens for child in token.children or []]

    @property
    def _indented(self) -> list[str]:
        return [token.content for token in self._tokens if token.type == "code_block"]


def _lists_files(block: str) -> bool:
    return (ROOT / block.split(maxsplit=1)[0]).exists()


def _markdown_files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and path.name not in IGNORED_FOLDERS:
            yield from _markdown_files(path)
        elif path.suffix == ".md":
            yield path


DOCUMENTS = [Document(path) for path in sorted(_markdown_files(ROOT))]


# -- lessons

RUN_SECTIONS = ("Try it", "Break it", "Watch it")
"""Headings of the sections whose `sh` blocks the tests run."""
HEADINGS: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["lessons"][
    "headings"
]
"""The headings that every lesson must have. With an empty list, an example needs no lesson."""


def has_lesson(stem: str) -> bool:
    """Whether an example has or needs a lesson."""
    return bool(HEADINGS) or (ROOT / "docs" / f"{stem}.md").exists()


def lesson(stem: str) -> str:
    """Return the text of the lesson of an example. `stem` is the short name of the example, such as ecs_ec2."""
    return (ROOT / "docs" / f"{stem}.md").read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """Return the text from a heading to the next heading of the same level, or an empty text without the heading."""
    _, _, rest = text.partition(f"\n## {heading}\n")
    return rest.split("\n## ", maxsplit=1)[0]


def sh_blocks(text: str, heading: str) -> list[str]:
    """Return the `sh` blocks in a section of a lesson. Tests run these blocks."""
    return re.findall(r"```sh\n(.*?)```", section(text, heading), re.DOTALL)


def outputs_used_by_sh_blocks(text: str) -> set[str]:
    """Return the names of the stack outputs that a lesson's `sh` blocks read."""
    blocks = [block for heading in RUN_SECTIONS for block in sh_blocks(text, heading)]
    return set(re.findall(r"\$\(output (\w+)\)", "\n".join(blocks)))
