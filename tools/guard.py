"""Check the templates with the controls of AWS Control Tower, and compare the findings with docs/security.md.

AWS writes the controls as rules for its program cfn-guard. The package cdklabs.cdk-validator-cfnguard contains both.
"""

import json
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from config import PROFILES
from tools.acknowledged import (
    CONTROL_TOWER,
    DOCUMENT,
    ROOT,
    Finding,
    acknowledged,
    differences,
    exit_if_different,
    finding,
)
from tools.templates import synthesize

PACKAGE = ROOT / ".build" / "guard"
"""The folder with the content of the package."""
RULES = PACKAGE / "rules" / "control-tower" / "cfn-guard"
SYSTEMS = {"Linux": "ubuntu", "Darwin": "macos"}
"""The names of the package's folders with programs for an operating system."""
PROCESSORS = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
PASSED, HAS_FINDINGS = 0, 19
"""The exit codes of cfn-guard after it has checked every template.
https://github.com/aws-cloudformation/cloudformation-guard/blob/main/docs/CLI.md"""
SETTING = "organization_rules"
WITH_RULES = {SETTING: "true", "alarm_email": "me@example.com"}
"""The settings with which the stacks follow more controls."""
MENDED_BY_SETTING = f"`{SETTING}`"
"""If the reason of a finding contains this text, the finding disappears with the setting."""
_CONTROL = re.compile(r"\[(CT\.[A-Z0-9]+\.PR\.\d+)\]")
_RESOURCE_PATH = re.compile(r"/Resources/([A-Za-z0-9]+)(/|$)")


def guard_program() -> Path:
    """Return cfn-guard for this machine. Exit with an error if the package has none."""
    system, processor = SYSTEMS.get(platform.system()), PROCESSORS.get(platform.machine())
    if system is None or processor is None:
        sys.exit(f"error: cfn-guard does not run on {platform.system()} {platform.machine()}. Use Linux or macOS.")
    return PACKAGE / "bin" / system / processor / "cfn-guard"


def current_findings(profile: str, settings: Mapping[str, str]) -> set[Finding]:
    """Return the findings of the controls in the current templates of a profile with these settings."""
    with tempfile.TemporaryDirectory() as folder:
        synthesize(Path(folder), profile=profile, **settings)
        templates = [option for file in sorted(Path(folder).glob("*.template.json")) for option in ("--data", file)]
        run = subprocess.run(
            [
                *(guard_program(), "validate", "--rules", RULES, *templates),
                *("--structured", "--output-format", "json", "--show-summary", "none"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    if run.returncode not in (PASSED, HAS_FINDINGS):
        sys.exit("error: cfn-guard could not check the templates")
    return {
        finding(control, Path(template["name"]), logical_id, profile)
        for template in json.loads(run.stdout)
        for rule in template["not_compliant"]
        for control, logical_id in findings_of_rule(rule)
    }


def findings_of_rule(rule: Any) -> set[tuple[str, str]]:
    """Return the controls and the logical ids of the resources in cfn-guard's report of a failed rule.

    Raises ValueError if the report names no control or no resource.
    """
    found = set(_failures(rule, control=""))
    if not found or not all(control for control, _ in found):
        raise ValueError(f"cfn-guard reports a rule without a control or a resource: {json.dumps(rule)[:500]}")
    return found


def _failures(report: Any, control: str) -> Iterator[tuple[str, str]]:
    # The shape of a report depends on the operators in the rule. But a message with the control is always around the
    # failed checks, and each failed check has the path of a property.
    if isinstance(report, list):
        for each in report:
            yield from _failures(each, control)
    elif isinstance(report, dict):
        message = _CONTROL.search(str(report.get("messages")))
        control = message[1] if message else control
        resource = _RESOURCE_PATH.match(str(report.get("path")))
        if resource:
            yield control, resource[1]
        for each in report.values():
            yield from _failures(each, control)


def main() -> None:
    """Exit with an error if a finding is not in the table, or if a control no longer reports a finding of the table."""
    in_table = dict(acknowledged(DOCUMENT.read_text(encoding="utf-8"), CONTROL_TOWER))
    remaining = {each for each, reason in in_table.items() if MENDED_BY_SETTING not in reason}
    current = _findings_of_both_profiles({})
    current_with_rules = _findings_of_both_profiles(WITH_RULES)
    exit_if_different(
        [
            *differences(current, in_table.keys(), "cfn-guard"),
            *differences(current_with_rules, remaining, f"cfn-guard (with {SETTING}=true)"),
        ]
    )
    print(f"{len(current)} findings, each with its reason in docs/security.md")
    print(f"{len(current_with_rules)} of them remain with {SETTING}=true")


def _findings_of_both_profiles(settings: Mapping[str, str]) -> set[Finding]:
    found: set[Finding] = set()
    for profile in PROFILES:
        print(
            f"==> checking {' '.join([profile, *(f'{name}={value}' for name, value in settings.items())])}", flush=True
        )
        found |= current_findings(profile, settings)
    return found


if __name__ == "__main__":
    main()
