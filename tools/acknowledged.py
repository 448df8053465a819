"""The findings that docs/security.md acknowledges, and their comparison with the findings of a tool.

A finding is a problem that a tool reports. To acknowledge a finding is to accept it, with a reason. docs/security.md
has a table for checkov, and a table for the controls of AWS Control Tower.
"""

import re
import sys
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from config import PROFILES, from_context

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "security.md"
CHECKOV = "CKV"
"""The checks of checkov begin with this prefix."""
CONTROL_TOWER = "CT"
"""The controls of AWS Control Tower begin with this prefix."""
_ROW = re.compile(
    r"^\| (?P<check>CKV2?_AWS_\d+|CT\.[A-Z0-9]+\.PR\.\d+) \| [^|]+ \| (?P<resources>[^|]+) \| (?P<reason>[^|]+) \|$",
    re.MULTILINE,
)
_RESOURCE = re.compile(r"`(?P<stem>[a-z0-9_]+)/(?P<name>[A-Za-z0-9]+)`(?: \((?P<profile>[a-z]+)\))?")


class Finding(NamedTuple):
    """A check that a resource does not pass."""

    check: str
    stem: str
    resource: str
    """The logical id, without hashes."""
    profile: str


def finding(check: str, template: Path, logical_id: str, profile: str) -> Finding:
    """Return the finding of a check for a resource. The file name of the template contains the stem."""
    prefix = from_context({"profile": profile}).prefix
    stem = template.name.removeprefix(f"{prefix}-").removesuffix(".template.json").replace("-", "_")
    return Finding(check, stem, without_hash(logical_id), profile)


def without_hash(logical_id: str) -> str:
    """Return a logical id without CDK's hashes. A hash changes when a construct is moved or renamed.

    The id of a permission for an API also contains the name of the stack, after the word Scoped.
    """
    return re.sub(r"[0-9a-f]{32}|[0-9A-F]{8}$|(?<=Scoped)\w+$", "", logical_id)


def acknowledged(document: str, prefix: str) -> Iterator[tuple[Finding, str]]:
    """Yield each finding in a table with its reason. The checks in this table begin with `prefix`.

    If the table names no profile after a resource, the finding is in both profiles.
    """
    for row in (row for row in _ROW.finditer(document) if row["check"].startswith(prefix)):
        for resource in _RESOURCE.finditer(row["resources"]):
            for profile in [resource["profile"]] if resource["profile"] else PROFILES:
                yield Finding(row["check"], resource["stem"], resource["name"], profile), row["reason"]


def differences(current: AbstractSet[Finding], in_table: AbstractSet[Finding], tool: str) -> list[str]:
    """Return a line for each finding that is only in the table, or only in the report of the tool."""
    return [
        *(f"not in the table, but {tool} reports it: {' '.join(each)}" for each in sorted(current - in_table)),
        *(f"in the table, but {tool} no longer reports it: {' '.join(each)}" for each in sorted(in_table - current)),
    ]


def exit_if_different(lines: list[str]) -> None:
    """Print the differences between a tool's report and its table, and exit with 1. Without differences, return."""
    if lines:
        sys.exit("\n".join([*lines, "Change the stack, or the table in docs/security.md."]))
