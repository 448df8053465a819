"""The page: without scripts and external resources, and with its own colour for each task."""

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

from web.metadata import Place

_FOLDER = Path(__file__).parent
_PAGE = Template((_FOLDER / "page.html").read_text(encoding="utf-8"))
_STYLE = Template((_FOLDER / "page.css").read_text(encoding="utf-8"))

SHORT = 8
"""Shown characters of a task's id: enough to tell tasks apart, and short enough to compare by eye."""
UNKNOWN = "unknown"
NO_LIMIT = "no limit"
ALLOW_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The strictest content security policy. A page adds its own style and icon to it."""
CONTRAST = 5
"""Contrast of white text to the colour. WCAG 2 asks for 4.5."""
SATURATION = 0.7
NEUTRAL = 215
"""The hue of an error page, which belongs to no task."""


@dataclass(frozen=True, kw_only=True)
class _Content:
    title: str
    kind: str
    name: str
    lead: str
    hue: int
    button: str
    facts: Mapping[str, str] = field(default_factory=dict)


def page(place: Place) -> HTMLResponse:
    """Return the page that shows where the process runs."""
    return _render(
        _Content(
            title=f"{place.identity[:SHORT]} · {_kind(place)}",
            kind=" · ".join(filter(None, [_kind(place), place.availability_zone])),
            name=place.identity[:SHORT] if place.task else place.identity,
            lead=_lead(place),
            hue=hue_of(place.identity),
            button="Ask again",
            facts=_facts(place),
        )
    )


def error_page(error: HTTPException) -> HTMLResponse:
    """Return a page that names the error and links back. It repeats nothing from the request."""
    phrase = HTTPStatus(error.status_code).phrase
    is_missing = error.status_code == HTTPStatus.NOT_FOUND
    lead = "This address does not exist. The service has only one page." if is_missing else error.detail
    content = _Content(
        title=phrase, kind=f"Error {error.status_code}", name=phrase, lead=lead, hue=NEUTRAL, button="To the page"
    )
    return _render(content, error.status_code, error.headers)


def hue_of(identity: str) -> int:
    """Return the degree on the colour wheel that stands for a task."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:2], "big") % 360


def colour_of(hue: int) -> str:
    """Return the brightest colour of a hue on which white text is readable, as #rrggbb."""
    for lightness in range(60, 0, -1):
        channels = colorsys.hls_to_rgb(hue / 360, lightness / 100, SATURATION)
        if contrast_with_white(channels) >= CONTRAST:
            break
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


def contrast_with_white(channels: tuple[float, float, float]) -> float:
    """Return the contrast ratio of white to a colour, from 1 to 21, as WCAG 2 defines it."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)  # noqa: PLR2004
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def _kind(place: Place) -> str:
    if not place.on_ecs:
        return "Not on ECS"
    return {"FARGATE": "ECS on Fargate", "EC2": "ECS on EC2"}.get(place.launch_type or "", "ECS")


def _lead(place: Place) -> str:
    if place.problem:
        return f"The place of this process is unknown: {place.problem}. Ask again in a few seconds."
    if not place.on_ecs:
        return "This process runs outside ECS, so there is no task. Below you see the machine that it runs on."
    return "This task answered. Ask again: the load balancer uses the tasks in turn, and each has its own colour."


def _facts(place: Place) -> dict[str, str]:
    here = {"Host name": place.hostname, "Platform": place.platform, "Python": place.python}
    if not place.on_ecs or place.problem:
        return here
    return {
        "Availability zone": place.availability_zone or UNKNOWN,
        "Cluster": place.cluster or UNKNOWN,
        "Task": place.task or UNKNOWN,
        "Task definition": place.task_definition or UNKNOWN,
        "CPU": NO_LIMIT if place.vcpu is None else f"{place.vcpu:g} vCPU",
        "Memory": NO_LIMIT if place.memory_mib is None else f"{place.memory_mib} MiB",
        "Image": place.image or UNKNOWN,
        **here,
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
