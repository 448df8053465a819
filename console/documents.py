"""Show the project's own files in the browser: the lessons as pages, and the source files with colours."""

import re
from collections.abc import Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

from console.diagrams import Diagrams

ROOT = Path(__file__).resolve().parent.parent
SHOWN_SUFFIXES = {".py", ".md", ".json", ".toml", ".html", ".css", ".js", ".mjs", ".txt", ".sh", ".yml"}
"""Suffixes of the files that the console shows."""
SHOWN_NAMES = {"Makefile", "Dockerfile", "LICENSE"}
"""Files without a suffix that the console shows."""
MAX_BYTES = 1_000_000
"""Larger files are data, which nobody reads in a browser."""


class Documents:
    """Renders files of the project as HTML."""

    def __init__(self, diagrams: Diagrams, root: Path = ROOT) -> None:
        """`root` is the folder of the project."""
        self._root = root
        self._diagrams = diagrams
        self._markdown = MarkdownIt("commonmark", {"html": True}, renderer_cls=_LessonRenderer).enable("table")

    def lesson(self, stem: str) -> Path | None:
        """Return the lesson of an example, or None if there is none."""
        return self.file(f"docs/{stem}.md")

    def file(self, name: str) -> Path | None:
        """Return a file that the console may show, or None. `name` is a path in the project."""
        try:
            file = (self._root / name).resolve()
            return file if self._is_shown(file) else None
        except (OSError, ValueError):  # a name that no file can have
            return None

    def _is_shown(self, file: Path) -> bool:
        if not file.is_relative_to(self._root) or not (file.suffix in SHOWN_SUFFIXES or file.name in SHOWN_NAMES):
            return False
        parts = file.relative_to(self._root).parts
        if any(part.startswith(".") or part in {"node_modules", "cdk.out"} for part in parts):
            return False
        return file.is_file() and file.stat().st_size <= MAX_BYTES and b"\0" not in file.read_bytes()

    def html(self, file: Path) -> str:
        """Return a file as HTML. Markdown becomes a page, and everything else coloured source."""
        text = file.read_text(encoding="utf-8", errors="replace")
        if file.suffix == ".md":
            environment = {
                "folder": file.parent,
                "root": self._root,
                "diagrams": self._diagrams,
                "example_page": self._example_page(file),
            }
            return str(self._markdown.render(text, environment))
        return source_html(text, file.name)

    def _example_page(self, file: Path) -> str | None:
        """Return the address of the page of the example that a lesson is about, or None for another document."""
        is_lesson = file.parent == self._root / "docs" and (self._root / "stacks" / f"{file.stem}.py").is_file()
        return f"/examples/{file.stem}" if is_lesson else None

    def first_diagram(self, stem: str) -> str | None:
        """Return the name of the picture of the first diagram in a lesson, or None."""
        file = self.lesson(stem)
        found = re.search(r"```mermaid\n(.*?)```", file.read_text(encoding="utf-8"), re.DOTALL) if file else None
        return self._diagrams.name(found[1]) if found else None


class _LessonRenderer(RendererHTML):
    """Renders the parts of a lesson that need more than Markdown. Each method renders the token of its name."""

    def fence(self, tokens: Sequence[Token], index: int, _options: OptionsDict, env: EnvType) -> str:
        token = tokens[index]
        language = token.info.strip()
        if language == "mermaid":
            name, text = env["diagrams"].name(token.content), escapeHtml(token.content)
            return f'<p class="wide" tabindex="0"><img class="diagram" src="/diagrams/{name}.svg" alt="{text}"></p>'
        return source_html(token.content, f"code.{language or 'sh'}")

    def code_block(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return self.fence(tokens, index, options, env)

    def heading_open(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        # GitHub gives each heading such an id, and the links in the documents use it.
        words = re.sub(r"[^\w\- ]", "", tokens[index + 1].content.lower())
        tokens[index].attrSet("id", words.replace(" ", "-"))
        return self.renderToken(tokens, index, options, env)

    def table_open(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        tokens[index].attrSet("tabindex", "0")  # a wide table scrolls, and the keyboard must reach it
        return self.renderToken(tokens, index, options, env)

    def link_open(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        # A link to another file of the project leads to the console's page of this file. The link of a lesson to the
        # document about the console leads to the page of the example, where the reader can try it.
        target, _, fragment = str(tokens[index].attrGet("href") or "").partition("#")
        if target and "://" not in target and not target.startswith("mailto:"):
            file = (env["folder"] / target).resolve()
            if file.is_relative_to(env["root"]):
                path = file.relative_to(env["root"]).as_posix()
                address = f"/files/{path}{f'#{fragment}' if fragment else ''}"
                is_console = path == "docs/console.md" and not fragment
                tokens[index].attrSet("href", (env["example_page"] if is_console else None) or address)
        return self.renderToken(tokens, index, options, env)

    def html_block(self, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType) -> str:
        # The lessons contain HTML comments, which are marks for a program, and screenshots of the console. Both are not
        # necessary here. Any other HTML is shown as text.
        text = tokens[index].content.strip()
        is_hidden = (text.startswith("<!--") and text.endswith("-->")) or text.startswith("<picture>")
        return "" if is_hidden else escapeHtml(text)

    def image(self, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType) -> str:
        return f"<em>{escapeHtml(tokens[index].content)}</em>"  # the page loads no files of docs/

    def html_inline(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return self.html_block(tokens, index, options, env)


def source_html(text: str, file_name: str) -> str:
    """Return source code as HTML with colours. The name of the file decides the language."""
    try:
        lexer = get_lexer_for_filename(file_name)
    except ClassNotFound:
        lexer = TextLexer()
    html = str(highlight(text, lexer, HtmlFormatter(cssclass="source")))
    return html.replace("<pre>", '<pre tabindex="0">', 1)  # the keyboard can then scroll long lines
