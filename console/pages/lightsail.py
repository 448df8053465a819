"""The page of the example lightsail."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from botocore.exceptions import ClientError
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from console.account import LocalAccount
from console.examples import Example
from console.page import ExamplePage
from console.schemas import Schema, schema

INSTANCE = "AWS::Lightsail::Instance"
FIRST_START = ("UserData", "KeyPairName")
"""The server reads these properties only at its first start (docs/lightsail.md). Their schema does not say this."""
COMPARISONS = {
    "GreaterThanOrEqualToThreshold": "at least",
    "GreaterThanThreshold": "more than",
    "LessThanOrEqualToThreshold": "at most",
    "LessThanThreshold": "less than",
}
MAX_BYTES = 1024 * 1024
SHOWN_CHARACTERS = 200
PAGE_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
"""The policy of the page that the launch script wrote. It can have styles, but runs no script and loads nothing."""


@dataclass(frozen=True, kw_only=True)
class Property:
    """A property of the server, and what a change of it does."""

    name: str
    value: str
    needs_new_server: bool
    effect: str


class Page(ExamplePage):
    """Shows the page of the server, its firewall and alarms, and the changes that need a new server."""

    template: ClassVar[str] = "lightsail.html"

    def __init__(self, *arguments: Any) -> None:
        """Read the schema later, in a thread."""
        super().__init__(*arguments)
        self._threads = ThreadPoolExecutor(max_workers=1)
        self._schema: Future[Schema] | None = None

    def values(self, example: Example) -> Mapping[str, Any]:
        """Return the page and the commands of the launch script."""
        page, commands = self._file("var/www/html/index.html"), self._file("commands")
        return {
            "has_page": page is not None and page.is_file(),
            "commands": _lines(commands) if commands else [],
            "url": example.outputs.get("Url", ""),
        }

    def live(self, example: Example) -> Mapping[str, str]:
        """Return the firewall and the alarms, and the properties when the schema is loaded."""
        server = next(iter(example.resources(INSTANCE).values()), {})
        self._schema = self._schema or self._threads.submit(schema, INSTANCE)
        # The first read gets no result, but the next one does. So the page itself does not wait for cfn-lint.
        rows = properties(server, self._schema.result()) if self._schema.done() else None
        return {
            "server": self.render(
                "_lightsail_server.html",
                ports=server.get("Properties", {}).get("Networking", {}).get("Ports", []),
                alarms=self._alarms(example),
            ),
            "properties": self.render("_lightsail_properties.html", rows=rows),
        }

    def routes(self) -> Sequence[BaseRoute]:
        """Return the route of the page that the launch script wrote."""
        return [Route("/examples/lightsail/server-page", self._server_page)]

    def _server_page(self, _request: Request) -> Response:
        page = self._file("var/www/html/index.html")
        if page is None or not page.is_file():
            return PlainTextResponse("The launch script has written no page.\n", status_code=404)
        return HTMLResponse(page.read_bytes()[:MAX_BYTES], headers={"Content-Security-Policy": PAGE_POLICY})

    def _file(self, path: str) -> Path | None:
        # `make local` runs the launch script in this folder: local/lightsail.py
        return self.account.aws.folder / "lightsail" / path if isinstance(self.account, LocalAccount) else None

    def _alarms(self, example: Example) -> list[Mapping[str, Any]]:
        states = {} if self.account.is_local else self._alarm_states(example)
        alarms = (alarm["Properties"] for alarm in example.resources("AWS::Lightsail::Alarm").values())
        return [
            {
                "metric": alarm["MetricName"],
                "condition": f"{COMPARISONS[alarm['ComparisonOperator']]} {alarm['Threshold']:,}",
                "minutes": 5 * alarm["EvaluationPeriods"],  # each period has five minutes
                "missing": alarm.get("TreatMissingData", "missing"),
                "state": states.get(alarm["MetricName"], "not evaluated here" if self.account.is_local else "unknown"),
            }
            for alarm in alarms
        ]

    def _alarm_states(self, example: Example) -> Mapping[str, str]:
        try:
            found = self.account.client("lightsail").get_alarms(monitoredResourceName=example.outputs["InstanceName"])
        except (ClientError, KeyError):
            return {}  # without this permission, or before the server exists, the page still shows the template
        return {alarm["metricName"]: alarm["state"] for alarm in found["alarms"]}


def properties(server: Mapping[str, Any], kind: Schema) -> list[Property]:
    """Return the properties of the server in the template, and those that the template could set only for a new server.

    The properties that need a new server come first.
    """
    values = server.get("Properties", {})
    names = sorted({*values, *kind.create_only}, key=lambda name: (name not in kind.create_only, name))
    return [
        Property(
            name=name,
            value=_words(values.get(name), name),
            needs_new_server=name in kind.create_only,
            effect=_effect(name, server, kind),
        )
        for name in names
    ]


def _effect(name: str, server: Mapping[str, Any], kind: Schema) -> str:
    if name in FIRST_START:
        return "Nothing happens, because the server reads this only at its first start."
    if name not in kind.create_only:
        return "CloudFormation changes the server in place."
    if name not in kind.identifiers and set(kind.identifiers) <= server.get("Properties", {}).keys():
        fixed = " and ".join(kind.identifiers)
        refused = f"CloudFormation refuses this while {fixed} stays the same, so no data is lost."
        return f"The change needs a new server. {refused}"
    kept = server.get("UpdateReplacePolicy") == "Retain"
    old = "keeps the old one outside the stack" if kept else "deletes the old one with its data"
    return f"CloudFormation creates a new, empty server and {old}."


def _words(value: Any, name: str) -> str:
    if value is None:
        return "not set"
    if name == "UserData":
        return f"a script of {len(str(value).splitlines())} lines"
    text = ", ".join(_leaves(value))
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _leaves(value: Any) -> list[str]:
    """Return the single values in a value of the template. A tag is one value."""
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    if not isinstance(value, dict):
        return [str(value)]
    if value.keys() == {"Key", "Value"}:
        return [f"{value['Key']} = {value['Value']}"]
    if len(value) == 1 and next(iter(value)) in ("Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join"):
        return [json.dumps(value)]
    return [leaf for name, item in value.items() for leaf in _named_leaves(name, item)]


def _named_leaves(name: str, value: Any) -> list[str]:
    leaves = _leaves(value)
    has_names = isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value))
    return leaves if has_names else [f"{name}: {' and '.join(leaves)}"]


def _lines(file: Path) -> list[str]:
    return file.read_bytes()[:MAX_BYTES].decode("utf-8", "replace").splitlines()[:50] if file.is_file() else []
