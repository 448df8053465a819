"""The table in docs/security.md acknowledges findings of checkov for resources that exist.

To acknowledge is to accept a finding, with a reason. `make checkov` compares the table with the findings.
"""

import re
from collections import Counter

import pytest

from config import PROFILES
from tests.support.apps import templates
from tools.checkov import DOCUMENT, Finding, acknowledged, without_hash

TEXT = DOCUMENT.read_text(encoding="utf-8")
ACKNOWLEDGED = dict(acknowledged(TEXT))


def test_every_row_of_the_table_is_parsed() -> None:
    resources = re.findall(r"`\w+/\w+`", TEXT)
    rows = re.findall(r"^\| CKV", TEXT, re.MULTILINE)
    assert len({(finding.check, reason) for finding, reason in ACKNOWLEDGED.items()}) == len(rows) > 20
    assert len({(finding.check, finding.stem, finding.resource) for finding in ACKNOWLEDGED}) == len(resources)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_resources_in_the_table_exist(profile: str) -> None:
    known = {(stem, without_hash(name)) for stem, found in templates(profile).items() for name in found["Resources"]}
    assert {(one.stem, one.resource) for one in ACKNOWLEDGED if one.profile == profile} <= known


def test_no_finding_is_acknowledged_twice() -> None:
    counted = Counter(finding for finding, _ in acknowledged(TEXT))
    assert [finding for finding, times in counted.items() if times > 1] == []


def test_a_row_without_a_profile_is_for_both_profiles() -> None:
    row = "| CKV_AWS_1 | encryption | `api/Notes`, `cron/Results` (sandbox) | No secrets. |\n"
    assert dict(acknowledged(row)) == {
        Finding("CKV_AWS_1", "api", "Notes", "sandbox"): "No secrets.",
        Finding("CKV_AWS_1", "api", "Notes", "production"): "No secrets.",
        Finding("CKV_AWS_1", "cron", "Results", "sandbox"): "No secrets.",
    }
