"""Nothing runs on what its maker does not mend, or will not for long: runtimes, images, blueprints, engines."""

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
"""Before the end, as long as there has to be for a move."""
YEAR = timedelta(days=365)
"""As long as nobody has to ask again whether an end was announced."""

VERSIONS = {
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
"""The properties that say what something runs on, of whatever type."""
IMAGES = {"Image", "ImageId", "ImageUri"}
"""The same, where a reference is to an image of our own, or to a parameter that is looked at by itself."""
_PUBLIC_PARAMETER = re.compile(r"/aws/service/[A-Za-z0-9._/-]+")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table; supported.toml says what each column is."""

    name: str
    what: str
    source: str
    checked: date
    ends: date | None = None
    accepted_until: date | None = None
    because: str = ""

    def covers(self, name: str) -> bool:
        """Whether the row is about what has this name."""
        return name == self.name or (self.name.endswith(("/", "_")) and name.startswith(self.name))


@cache
def table() -> tuple[Row, ...]:
    """Every row of supported.toml."""
    return tuple(Row(**row) for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["row"])


def today() -> date:
    """Today in UTC, or that many days later as the environment variable DAYS_AHEAD says: the scheduled run's notice."""
    return datetime.now(tz=UTC).date() + timedelta(days=int(os.environ.get("DAYS_AHEAD", "0")))


def faults(template: Template) -> list[str]:
    """What the template runs on that is not in the table, or ends soon."""
    return [fault for name in sorted(in_use(template)) for fault in faults_of(name, table(), today())]


def in_use(template: Template) -> set[str]:
    """The names of what the template's resources run on."""
    texts = [str(parameter.get("Default")) for parameter in template.get("Parameters", {}).values()]
    found = {name for resource in template["Resources"].values() for name in _named(resource.get("Properties", {}))}
    public = {name for text in (*texts, *found) for name in _PUBLIC_PARAMETER.findall(text)}
    return public | {name for name in found if not _PUBLIC_PARAMETER.search(name)}


def _named(properties: Any) -> Iterator[str]:
    if isinstance(properties, list):
        for one in properties:
            yield from _named(one)
    elif isinstance(properties, dict):
        for key, value in properties.items():
            # What is put together by CloudFormation is no name in the table, and so a fault.
            if key in VERSIONS or (key in IMAGES and isinstance(value, str)):
                yield str(value)
            else:
                yield from _named(value)


def faults_of(name: str, rows: tuple[Row, ...], day: date) -> list[str]:
    """Why what has this name may not be used on that day; none if it may."""
    row = next((row for row in rows if row.covers(name)), None)
    if row is None:
        return [f"{name} is not in tests/contracts/supported.toml: add a row with the day on which its support ends"]
    if row.accepted_until is not None and row.because and day <= row.accepted_until:
        return []
    if row.ends is None:
        looked = f"no end was known of {name} on {row.checked}: look again at {row.source}, and write down what it says"
        return [looked] if day - row.checked > YEAR else []
    if row.ends - day > NOTICE:
        return []
    when = f"ended on {row.ends}" if row.ends < day else f"ends on {row.ends}, in {(row.ends - day).days} days"
    return [f"{name} ({row.what}) {when}: move on to a newer one; docs/decisions.md says how to wait ({row.source})"]
