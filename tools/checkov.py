"""Run checkov on the templates of both profiles, and compare its findings with its table in docs/security.md."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from config import PROFILES
from tools.acknowledged import CHECKOV, DOCUMENT, ROOT, Finding, acknowledged, differences, exit_if_different, finding
from tools.templates import synthesize

CHECKOV_PROGRAM = ROOT / ".build" / "checkov" / "bin" / "checkov"


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
    template = Path(failed["file_path"])
    return finding(failed["check_id"], template, failed["resource"].split(".", 1)[1], template.parent.name)


def main() -> None:
    """Exit with an error if a finding is not in the table, or if checkov no longer reports a finding of the table."""
    in_table = {each for each, _ in acknowledged(DOCUMENT.read_text(encoding="utf-8"), CHECKOV)}
    current = current_findings()
    exit_if_different(differences(current, in_table, "checkov"))
    print(f"{len(current)} findings, each with its reason in docs/security.md")


if __name__ == "__main__":
    main()
