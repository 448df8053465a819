"""Every runtime, image, blueprint and database engine gets security updates for at least 180 more days."""

import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tools.templates import Template

TABLE = Path(__file__).with_suffix(".toml")
NOTICE = timedelta(days=180)
"""A test fails this long before the end of support, because a move to a newer version takes time."""
RECHECK = timedelta(days=365)
"""If no end of support is announced, a person must read the source again after this time."""

VERSION_PROPERTIES = {
    "BlueprintId",
    "BundleId",
    "EngineVersion",
    "ImageType",
    "PlatformVersion",
    "RelationalDatabaseBlueprintId",
    "RelationalDatabaseBundleId",
    "Runtime",
    "SolutionStackName",
}
"""Properties that name a runtime, blueprint, engine or plan, in resources of any type."""
IMAGE_PROPERTIES = {"Image", "ImageId", "ImageUri"}
"""Properties that name an image. References are ignored. Some lead to images that this project builds, and others to
parameters of the template, which `in_use` checks."""
_PUBLIC_PARAMETER = re.compile(r"/aws/service/[A-Za-z0-9._/-]+")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of supported.toml, which explains the columns."""

    name: str
    what: str
    source: str
    checked: date
    ends: date | None = None
    accepted_until: date | None = None
    because: str = ""

    def covers(self, name: str) -> bool:
        """Whether the row is for this name."""
        return name == self.name or (self.name.endswith(("/", "_")) and name.startswith(self.name))


@cache
def table() -> tuple[Row, ...]:
    """Return every row of supported.toml."""
    return tuple(Row(**row) for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["row"])


def today() -> date:
    """Return the date in UTC plus DAYS_AHEAD days. The weekly run sets this variable, so that the run fails earlier."""
    return datetime.now(tz=UTC).date() + timedelta(days=int(os.environ.get("DAYS_AHEAD", "0")))


def faults(template: Template) -> list[str]:
    """Return the versions in the template that are not in the table, or that lose support soon."""
    return [fault for name in sorted(in_use(template)) for fault in faults_of(name, table(), today())]


def in_use(template: Template) -> set[str]:
    """Return the names of the runtimes, images, blueprints, engines and plans in the template."""
    defaults = [str(parameter.get("Default")) for parameter in template.get("Parameters", {}).values()]
    version_names = {
        name for resource in template["Resources"].values() for name in _version_names(resource.get("Properties", {}))
    }
    public_parameters = {name for text in (*defaults, *version_names) for name in _PUBLIC_PARAMETER.findall(text)}
    return public_parameters | {name for name in version_names if not _PUBLIC_PARAMETER.search(name)}


def _version_names(properties: Any) -> Iterator[str]:
    if isinstance(properties, list):
        for element in properties:
            yield from _version_names(element)
    elif isinstance(properties, dict):
        for key, value in properties.items():
            # A value that CloudFormation computes is also reported, because the table cannot contain it.
            if key in VERSION_PROPERTIES or (key in IMAGE_PROPERTIES and isinstance(value, str)):
                yield str(value)
            else:
                yield from _version_names(value)


def faults_of(name: str, rows: tuple[Row, ...], day: date) -> list[str]:
    """Return the reason why this name must not be used on that day, or an empty list."""
    row = next((row for row in rows if row.covers(name)), None)
    if row is None:
        return [f"{name} is not in tests/contracts/supported.toml: add a row with the day on which its support ends"]
    if row.accepted_until is not None and row.because and day <= row.accepted_until:
        return []
    if row.ends is None:
        fault = f"no end of support was known for {name} on {row.checked}: read {row.source} again, and update the row"
        return [fault] if day - row.checked > RECHECK else []
    if row.ends - day > NOTICE:
        return []
    when = f"ended on {row.ends}" if row.ends < day else f"ends on {row.ends}, in {(row.ends - day).days} days"
    return [
        f"{name} ({row.what}) {when}: move to a newer version, or postpone it as docs/decisions.md says ({row.source})"
    ]
