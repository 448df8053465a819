"""Builds the HTML pages. A page has no scripts and no external resources. Each task has its own colour."""

import base64
import colorsys
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from http import HTTPStatus
from pathlib import Path
from string import Template
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from web.metadata import TaskInfo

_FOLDER = Path(__file__).parent
_PAGE = Template((_FOLDER / "page.html").read_text(encoding="utf-8"))
_STYLE = Template((_FOLDER / "page.css").read_text(encoding="utf-8"))

SHORT_ID_LENGTH = 8
"""The page shows this number of characters of the id of the task. People can compare ids of this length easily."""
UNKNOWN = "unknown"
NO_LIMIT = "no limit"
ALLOW_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""A content security policy that allows nothing. The policy of a page also allows its style and its icon."""
MIN_CONTRAST = 5
"""Minimum contrast of white text to its background. WCAG 2 requires 4.5."""
SATURATION = 0.7
"""Saturation of every colour, from 0 (grey) to 1."""
MAIN_PAGE = "./"
"""The relative URL of the main page, on the main page itself. Links are relative, because a proxy may add a prefix to
the path of the service, as the local AWS does: there the address of the page is http://127.0.0.1:4566/_alb/<name>/."""
ERROR_HUE = 215
"""The hue of every error page. Error pages do not have the colour of a task."""


@dataclass(frozen=True, kw_only=True)
class _Content:
    """The texts of a page, and the hue of its header and button."""

    title: str
    kind: str
    name: str
    lead: str
    hue: int
    button: str
    root: str = MAIN_PAGE
    facts: Mapping[str, str] = field(default_factory=dict)


def page(info: TaskInfo) -> HTMLResponse:
    """Return the page that shows the task and the machine of this process."""
    return _render(
        _Content(
            title=f"{info.identity[:SHORT_ID_LENGTH]} · {_kind(info)}",
            kind=" · ".join(filter(None, [_kind(info), info.availability_zone])),
            name=info.identity[:SHORT_ID_LENGTH] if info.task else info.identity,
            lead=_lead(info),
            hue=hue_of(info.identity),
            button="Send another request",
            facts=_facts(info),
        )
    )


def error_page(error: HTTPException, raw_path: bytes) -> HTMLResponse:
    """Return a page with the error and a link to the main page. The page contains no text from the request.

    `raw_path` is the path of the request as the client sent it.
    """
    phrase = HTTPStatus(error.status_code).phrase
    is_missing = error.status_code == HTTPStatus.NOT_FOUND
    lead = "This address does not exist. The service has only one page." if is_missing else error.detail
    content = _Content(
        title=phrase,
        kind=f"Error {error.status_code}",
        name=phrase,
        lead=lead,
        hue=ERROR_HUE,
        button="Go to the page",
        root=MAIN_PAGE + "../" * (raw_path.count(b"/") - 1),
    )
    return _render(content, error.status_code, error.headers)


def hue_of(identity: str) -> int:
    """Return the hue of a task, in degrees on the colour wheel."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:2], "big") % 360


def colour_of(hue: int) -> str:
    """Return a colour as #rrggbb: the brightest colour of this hue on which white text is readable."""
    for lightness in range(60, 0, -1):
        channels = colorsys.hls_to_rgb(hue / 360, lightness / 100, SATURATION)
        if contrast_with_white(channels) >= MIN_CONTRAST:
            break
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


def contrast_with_white(channels: tuple[float, float, float]) -> float:
    """Return the contrast ratio of white to a colour, from 1 to 21, as WCAG 2 defines it."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)  # noqa: PLR2004
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def _kind(info: TaskInfo) -> str:
    if not info.on_ecs:
        return "Not on ECS"
    return {"FARGATE": "ECS on Fargate", "EC2": "ECS on EC2"}.get(info.launch_type or "", "ECS")


def _lead(info: TaskInfo) -> str:
    if info.problem:
        return f"The task of this process is unknown: {info.problem}. Send another request in a few seconds."
    if not info.on_ecs:
        return "This process runs outside ECS, so it has no task. This page shows the machine that runs the process."
    return (
        "This task answered your request. The load balancer sends each request to the next task. "
        "Each task has its own colour."
    )


def _facts(info: TaskInfo) -> dict[str, str]:
    machine_facts = {"Host name": info.hostname, "Platform": info.platform, "Python": info.python}
    if not info.on_ecs or info.problem:
        return machine_facts
    return {
        "Availability zone": info.availability_zone or UNKNOWN,
        "Cluster": info.cluster or UNKNOWN,
        "Task": info.task or UNKNOWN,
        "Task definition": info.task_definition or UNKNOWN,
        "CPU": NO_LIMIT if info.vcpu is None else f"{info.vcpu:g} vCPU",
        "Memory": NO_LIMIT if info.memory_mib is None else f"{info.memory_mib} MiB",
        "Image": info.image or UNKNOWN,
        **machine_facts,
    }


def _render(content: _Content, status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    style = _STYLE.substitute(hue=content.hue, colour=colour_of(content.hue))
    body = _PAGE.substitute(
        title=escape(content.title),
        icon=_icon(content.hue),
        style=style,
        kind=escape(content.kind),
        name=escape(content.name),
        lead=escape(content.lead),
        button=escape(content.button),
        root=content.root,
        facts=_list(content.facts),
    )
    return HTMLResponse(body, status, {**(headers or {}), "Content-Security-Policy": _policy(style)})


def _icon(hue: int) -> str:
    circle = f'<circle cx="4" cy="4" r="4" fill="{colour_of(hue)}"/>'
    return "data:image/svg+xml," + quote(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">{circle}</svg>')


def _list(facts: Mapping[str, str]) -> str:
    rows = [f"<div><dt>{escape(term)}</dt><dd>{escape(value)}</dd></div>" for term, value in facts.items()]
    return "\n".join(["<dl>", *rows, "</dl>"]) if rows else ""


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"{ALLOW_NOTHING}; style-src 'sha256-{digest}'; img-src data:"
