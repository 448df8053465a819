"""These tests check the tables in docs/security.md, which acknowledge findings.

To acknowledge a finding means to accept it, with a reason. One table is for checkov, and `make checkov` compares this
table with the findings. The other table is for the controls of AWS Control Tower.
"""

import re
from collections import Counter

import pytest

from config import PROFILES
from tests.support.apps import documented_templates
from tools.acknowledged import CHECKOV, CONTROL_TOWER, DOCUMENT, Finding, acknowledged, without_hash

TEXT = DOCUMENT.read_text(encoding="utf-8")
TABLES = {prefix: dict(acknowledged(TEXT, prefix)) for prefix in (CHECKOV, CONTROL_TOWER)}
every_table = pytest.mark.parametrize("prefix", TABLES)


@every_table
def test_every_row_of_a_table_is_parsed(prefix: str) -> None:
    findings = TABLES[prefix]
    rows = re.findall(rf"^\| {prefix}.*", TEXT, re.MULTILINE)
    resources = re.findall(r"`\w+/\w+`", "\n".join(rows))
    assert len({(finding.check, reason) for finding, reason in findings.items()}) == len(rows) > 20
    assert len({(finding.check, finding.stem, finding.resource) for finding in findings}) == len(resources)


@every_table
@pytest.mark.parametrize("profile", PROFILES)
def test_the_resources_in_a_table_exist(profile: str, prefix: str) -> None:
    known = {
        (stem, without_hash(name))
        for stem, template in documented_templates(profile).items()
        for name in template["Resources"]
    }
    assert {(one.stem, one.resource) for one in TABLES[prefix] if one.profile == profile} <= known


@every_table
def test_no_finding_is_acknowledged_twice(prefix: str) -> None:
    counted = Counter(finding for finding, _ in acknowledged(TEXT, prefix))
    assert [finding for finding, times in counted.items() if times > 1] == []


def test_a_row_without_a_profile_is_for_both_profiles() -> None:
    row = "| CKV_AWS_1 | encryption | `api/Notes`, `cron/Results` (sandbox) | No secrets. |\n"
    assert dict(acknowledged(row, CHECKOV)) == {
        Finding("CKV_AWS_1", "api", "Notes", "sandbox"): "No secrets.",
        Finding("CKV_AWS_1", "api", "Notes", "production"): "No secrets.",
        Finding("CKV_AWS_1", "cron", "Results", "sandbox"): "No secrets.",
    }
