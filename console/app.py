"""The web application of the console."""

import importlib
import logging
import pkgutil
import secrets
import shlex
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import anyio
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from console import pages
from console.account import ERRORS, Account, AccountError, LocalAccount
from console.diagrams import Diagrams
from console.documents import ROOT, Documents
from console.events import Events
from console.examples import ORDER, Example, deployed_examples
from console.facts import dollars, facts, utc
from console.live import Fragments, live_list, live_part, live_response
from console.logs import LineFilter
from console.page import ActionError, ExamplePage
from console.security import SameOrigin
from local.deployment import LocalDeployment
from local.project import PHOTO
from tools.diagrams.mermaid import diagrams

STATIC = Path(__file__).with_name("static")
NODE_PACKAGES: Mapping[str, str] = {
    "htmx": "htmx.org/dist",
    "swagger-ui": "swagger-ui-dist",
}
"""Folders in node_modules with the scripts and styles of the pages, by the name in the URL."""


class Console:
    """Everything that the pages share: the account, the templates, and the page of each example."""

    def __init__(self, account: Account, folder: Path) -> None:
        """`folder` is for files of the console, such as drawn diagrams."""
        self.account = account
        self.diagrams = Diagrams(folder / "diagrams")
        self.documents = Documents(self.diagrams)
        self.version = secrets.token_hex(4)
        """Part of the URLs of scripts and styles. A browser then loads them again after a restart of the console."""
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).with_name("templates")),
            autoescape=True,  # names and texts of users appear as text, even if they contain markup
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(dollars=dollars, utc=utc)
        self._templates.globals.update(live_part=live_part, live_list=live_list, console=self, account=account)
        modules = (found.name for found in pkgutil.iter_modules(pages.__path__))
        self._pages: Mapping[str, ExamplePage] = {
            stem: importlib.import_module(f"console.pages.{stem}").Page(self) for stem in modules
        }
        self._page_of_others = ExamplePage(self)
        self._all_events = Events(self)
        self._prefix = ""
        self._last_error = ""
        self._reading = threading.Lock()
        self._examples: tuple[float, dict[str, Example]] = (float("-inf"), {})
        self._stems: list[str] = [stem for stem in ORDER if stem in self._pages]

    def examples(self) -> dict[str, Example]:
        """Return the deployed examples by stem. Raises AccountError and the errors of boto3.

        All open pages share one answer of CloudFormation for `seconds_between_reads`.
        """
        with self._reading:
            read_at, examples = self._examples
            if time.monotonic() - read_at < self.account.seconds_between_reads:
                return examples
            examples = deployed_examples(self.account)
            self._examples = (time.monotonic(), examples)
        self._stems = list(examples)
        for stem, example in examples.items():
            self._prefix = example.stack.removesuffix(f"-{stem.replace('_', '-')}")
        return examples

    def stems(self) -> list[str]:
        """Return the short names of the examples that were deployed at the last look, for the head of each page."""
        return self._stems

    @property
    def account_name(self) -> str:
        """The name of the account, for the head of each page."""
        return "local AWS" if self.account.is_local else f"your AWS account, {self.account.prefix}-…"

    def deploy_command(self, stem: str) -> str:
        """Return the command that deploys an example. It is empty for a name that no example of the project has."""
        if stem not in self._pages and self.documents.lesson(stem) is None:
            return ""
        target = "local" if self.account.is_local else "deploy"
        prefix = self.account.prefix or self._prefix
        return f"make {target} STACK={prefix}-{stem.replace('_', '-')}" if prefix else f"make {target}"

    def commands(self, example: Example) -> list[str]:
        """Return shell commands with which a person can try an example in the local AWS."""
        if not isinstance(self.account, LocalAccount) or find_spec(f"local.{example.stem}") is None:
            return []
        aws = self.account.aws
        deployment = LocalDeployment(
            aws=aws, engine=self.account.engine, photo=PHOTO, stack_names={example.stem: example.stack}
        )
        suggestions = importlib.import_module(f"local.{example.stem}").suggestions(deployment, dict(example.outputs))
        folder = f"cd {shlex.quote(str(ROOT))}"  # some commands are modules of this project
        return [folder, f". {shlex.quote(str(aws.env_file))}", *suggestions]

    def page(self, stem: str) -> ExamplePage:
        """Return the page of an example. An example without a module in console/pages has a simple page."""
        return self._pages.get(stem, self._page_of_others)

    def render(self, template: str, **values: Any) -> str:
        """Return the HTML of a template."""
        html = self._templates.get_template(template).render(**values)
        return html.encode("utf-8", "replace").decode()  # a log line may contain half a character, which is no UTF-8

    def diagram(self, stem: str) -> str | None:
        """Return the name of the picture of an example's architecture, or None if there is no picture."""
        if isinstance(self.account, LocalAccount):
            assembly = self.account.aws.folder / "cdk.out"
            if (assembly / "tree.json").is_file():
                found = _diagrams_of(assembly, (assembly / "tree.json").stat().st_mtime_ns)
                return self.diagrams.name(found[stem]) if stem in found else None
        return self.documents.first_diagram(stem)

    def _sketch(self, stem: str) -> str | None:
        name = self.diagram(stem)
        return self.diagrams.sketch(name) if name else None

    def close(self) -> None:
        """End everything that the pages have started."""
        for page in self._pages.values():
            page.close()

    def routes(self) -> list[BaseRoute]:
        """Return the routes of all pages."""
        return [
            Route("/", self._endpoint(self._start)),
            Route("/live", self._start_live),
            Route("/examples/{stem}", self._endpoint(self._example)),
            Route("/examples/{stem}/live", self._example_live),
            Route("/examples/{stem}/actions/{action}", self._action, methods=["POST"]),
            *(route for page in self._pages.values() for route in page.routes()),
            Route("/events", self._endpoint(self._events)),
            Route("/events/live", self._events_live),
            Route("/lessons/{stem}", self._endpoint(self._lesson)),
            Route("/files/{path:path}", self._endpoint(self._file)),
            Route("/diagrams/{name}.svg", self._endpoint(self._diagram)),
            *(
                Mount(f"/packages/{name}", StaticFiles(directory=ROOT / "node_modules" / folder, check_dir=False))
                for name, folder in NODE_PACKAGES.items()
            ),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]

    # -- pages

    def _start(self, _request: Request) -> Response:
        parts = self._start_parts()
        return self._html("start.html", parts=parts, first=next(iter(self._stems), None))

    def _start_parts(self) -> Mapping[str, str]:
        examples = self.examples()
        missing = [stem for stem in ORDER if stem not in examples and self.documents.lesson(stem)]
        cards = [(example, facts(example), self._sketch(stem)) for stem, example in examples.items()]
        return {"examples": self.render("_cards.html", cards=cards, missing=missing)}

    def _example(self, request: Request) -> Response:
        stem = request.path_params["stem"]
        example = self.examples().get(stem)
        if example is None:
            return self._not_found(f"The example {stem} is not deployed.", self.deploy_command(stem))
        page = self.page(stem)
        example.require_outputs()
        answer = self._html(
            page.template,
            example=example,
            facts=facts(example),
            diagram=self.diagram(stem),
            parts=page.live(example),
            **page.values(example),
        )
        answer.headers.update(page.headers())
        return answer

    def _events(self, request: Request) -> Response:
        lines = LineFilter.from_query(request.query_params)
        if lines.example and lines.example not in self.examples():
            return self._not_found(f"The example {lines.example} is not deployed.", self.deploy_command(lines.example))
        return self._html("events.html", **self._all_events.values(lines))

    def _lesson(self, request: Request) -> Response:
        stem = request.path_params["stem"]
        file = self.documents.lesson(stem)
        if file is None:
            return self._not_found(f"There is no lesson docs/{stem}.md.")
        return self._html("document.html", title=f"Lesson: {stem}", content=self.documents.html(file))

    def _file(self, request: Request) -> Response:
        file = self.documents.file(request.path_params["path"])
        if file is None:
            return self._not_found("The console does not show this file, or it does not exist.")
        return self._html("document.html", title=request.path_params["path"], content=self.documents.html(file))

    def _diagram(self, request: Request) -> Response:
        picture = self.diagrams.picture(request.path_params["name"])
        if picture is None:
            return PlainTextResponse("There is no diagram with this name.\n", status_code=404)
        headers = {
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "Cache-Control": "max-age=31536000, immutable",  # the name is a hash of the content
        }
        return Response(picture, media_type="image/svg+xml", headers=headers)

    # -- live parts and actions

    async def _start_live(self, request: Request) -> Response:
        return live_response(
            request, lambda: self._parts_or_error(self._start_parts), self.account.seconds_between_reads
        )

    async def _example_live(self, request: Request) -> Response:
        stem = request.path_params["stem"]

        def read() -> Fragments:
            example = self.examples().get(stem)
            if example is None:
                raise AccountError(f"The stack of {stem} does not exist any more.")
            example.require_outputs()
            state = self.render("_state.html", example=example)
            return {"state": state, **self.page(stem).live(example)}

        return live_response(request, lambda: self._parts_or_error(read), self.account.seconds_between_reads)

    async def _events_live(self, request: Request) -> Response:
        lines = LineFilter.from_query(request.query_params)
        read = partial(self._all_events.parts, lines)
        return live_response(request, lambda: self._parts_or_error(read), self._all_events.seconds_between_reads)

    def _parts_or_error(self, read: Callable[[], Fragments]) -> Fragments:
        try:
            return {"notice": "", **read()}
        except ERRORS as error:
            return {"notice": self.render("_notice.html", text=self.account.explanation(error))}
        except Exception as error:
            # Without an answer the page would connect again and again, and show nothing.
            if str(error) != self._last_error:
                logging.getLogger("console").exception("a live part failed")
                self._last_error = str(error)
            return {"notice": self.render("_notice.html", text=_text_of_bug(error))}

    async def _action(self, request: Request) -> Response:
        stem, name = request.path_params["stem"], request.path_params["action"]
        action = self.page(stem).actions().get(name)
        if action is None:
            return PlainTextResponse(f"{stem} has no action {name}.\n", status_code=404)
        if not self.account.is_local:
            return PlainTextResponse("The console changes nothing in a real account.\n", status_code=403)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))

        def run() -> tuple[str, str]:
            try:
                example = self.examples().get(stem)
                if example is None:
                    return "error", f"The example {stem} is not deployed."
                return "done", action.run(example, form)
            except ActionError as error:
                return "error", str(error)
            except ERRORS as error:
                return "error", self.account.explanation(error)

        kind, text = await anyio.to_thread.run_sync(run)
        # htmx sends the form an event with this name, and console.js empties the form.
        headers = {"HX-Trigger": "action:done"} if kind == "done" else {}
        return HTMLResponse(self.render("_outcome.html", kind=kind, text=text), headers=headers)

    # -- answers

    def _endpoint(self, read: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that calls `read` in a thread, and shows an error of the account as a page."""

        async def endpoint(request: Request) -> Response:
            try:
                return await anyio.to_thread.run_sync(read, request)
            except ERRORS as error:
                return self._html("error.html", status=503, text=self.account.explanation(error), retry=True)

        return endpoint

    def error_pages(self) -> Mapping[Any, Callable[[Request, Exception], Response]]:
        """Return what answers an unknown address, and an error of the console, by status or class of the error."""

        def unknown(_request: Request, _error: Exception) -> Response:
            return self._not_found("The console has no page with this address.")

        def failed(_request: Request, error: Exception) -> Response:
            return self._html("error.html", status=500, text=_text_of_bug(error))

        return {404: unknown, Exception: failed}

    def _html(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        return HTMLResponse(self.render(template, **values), status_code=status)

    def _not_found(self, text: str, command: str = "") -> HTMLResponse:
        return self._html("error.html", status=404, title="Page not found", text=text, command=command)


def _text_of_bug(error: Exception) -> str:
    return f"The console has an error: {type(error).__name__}. The log of the console has the details."


@lru_cache(maxsize=1)
def _diagrams_of(assembly: Path, changed_at: int) -> Mapping[str, str]:
    # Computing the diagrams takes a tenth of a second, and they change only with a synthesis.
    del changed_at
    return diagrams(assembly)


def create_app(account: Account, folder: Path, port: int) -> ASGIApp:
    """Return the application. It answers only requests to `port` on this machine."""
    console = Console(account, folder)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await anyio.to_thread.run_sync(console.close)

    app = Starlette(routes=console.routes(), exception_handlers=console.error_pages(), lifespan=lifespan)
    # SameOrigin is around the whole application, because Starlette's own middleware would not reach a response of 500.
    return SameOrigin(app, port)


__all__ = ["Console", "Example", "create_app"]
