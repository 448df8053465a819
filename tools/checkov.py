"""Run checkov on the templates of both profiles, and compare its findings with its table in docs/security.md."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from config import PROFILES, from_context
from tools.templates import synthesize

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "security.md"
CHECKOV_PROGRAM = ROOT / ".build" / "checkov" / "bin" / "checkov"
_ROW = re.compile(
    r"^\| (?P<check>CKV2?_AWS_\d+|CT\.[A-Z0-9]+\.PR\.\d+) \| [^|]+ \| (?P<resources>[^|]+) \| (?P<reason>[^|]+) \|$",
    re.MULTILINE,
)
_RESOURCE = re.compile(r"`(?P<stem>[a-z0-9_]+)/(?P<name>[A-Za-z0-9]+)`(?: \((?P<profile>[a-z]+)\))?")


class Finding(NamedTuple):
    """A check of checkov that a resource does not pass."""

    check: str
    stem: str
    resource: str
    """The logical id, without hashes."""
    profile: str


def without_hash(logical_id: str) -> str:
    """Return a logical id without CDK's hashes. A hash changes when a construct is moved or renamed.

    The id of a permission for an API also contains the name of the stack, after the word Scoped.
    """
    return re.sub(r"[0-9a-f]{32}|[0-9A-F]{8}$|(?<=Scoped)\w+$", "", logical_id)


def acknowledged(document: str, prefix: str = "CKV") -> Iterator[tuple[Finding, str]]:
    """Yield each finding in a table with its reason.

    If the table names no profile after a resource, the finding is in both profiles.
    The checks in checkov's table begin with the prefix `CKV`. The controls in the table of AWS Control Tower begin with
    `CT`.
    """
    for row in (row for row in _ROW.finditer(document) if row["check"].startswith(prefix)):
        for resource in _RESOURCE.finditer(row["resources"]):
            for profile in [resource["profile"]] if resource["profile"] else PROFILES:
                yield Finding(row["check"], resource["stem"], resource["name"], profile), row["reason"]


def current_findings() -> set[Finding]:
    """Return the findings of checkov in the current templates."""
    with tempfile.TemporaryDirectory() as folder:
        for profile in PROFILES:
            synthesize(Path(folder, profile), profile=profile)
        options = ("--framework", "cloudformation", "--compact", "--output", "json", "--skip-download", "--soft-fail")
        run = subprocess.run(
            [CHECKOV_PROGRAM, "--directory", folder, *options],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=folder,
        )
    report: dict[str, Any] = json.loads(run.stdout)
    if report["summary"]["parsing_errors"]:
        sys.exit("error: checkov could not read a template")
    return {_finding(failed) for failed in report["results"]["failed_checks"]}


def _finding(failed: Any) -> Finding:
    profile, file = Path(failed["file_path"]).parts[-2:]
    prefix = from_context({"profile": profile}).prefix
    stem = file.removeprefix(f"{prefix}-").removesuffix(".template.json").replace("-", "_")
    return Finding(failed["check_id"], stem, without_hash(failed["resource"].split(".", 1)[1]), profile)


def main() -> None:
    """Exit with an error if a finding is not in the table, or if checkov no longer reports a finding of the table."""
    in_table = {finding for finding, _ in acknowledged(DOCUMENT.read_text(encoding="utf-8"))}
    current = current_findings()
    missing_in_table = [f"not in the table: {' '.join(finding)}" for finding in sorted(current - in_table)]
    outdated_in_table = [
        f"in the table, but checkov no longer reports it: {' '.join(finding)}" for finding in sorted(in_table - current)
    ]
    if missing_in_table or outdated_in_table:
        sys.exit(
            "\n".join([*missing_in_table, *outdated_in_table, "Change the stack, or the table in docs/security.md."])
        )
    print(f"{len(current)} findings, each with its reason in docs/security.md")


if __name__ == "__main__":
    main()
