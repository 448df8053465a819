"""What docs/security.md says of checkov's findings fits the templates. `make checkov` shows that it is all there is."""

import re
from collections import Counter

import pytest

from config import PROFILES
from tests.support.apps import templates
from tools.checkov import DOCUMENT, Finding, explained, without_hash

TEXT = DOCUMENT.read_text(encoding="utf-8")
EXPLAINED = dict(explained(TEXT))


def test_every_row_is_read() -> None:
    resources = re.findall(r"`\w+/\w+`", TEXT)
    rows = re.findall(r"^\| CKV", TEXT, re.MULTILINE)
    assert len({(finding.check, why) for finding, why in EXPLAINED.items()}) == len(rows) > 20
    assert len({(finding.check, finding.stem, finding.resource) for finding in EXPLAINED}) == len(resources)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_resources_that_are_explained_exist(profile: str) -> None:
    known = {(stem, without_hash(name)) for stem, found in templates(profile).items() for name in found["Resources"]}
    assert {(one.stem, one.resource) for one in EXPLAINED if one.profile == profile} <= known


def test_no_finding_is_explained_twice() -> None:
    counted = Counter(finding for finding, _ in explained(TEXT))
    assert [finding for finding, times in counted.items() if times > 1] == []


def test_a_resource_stands_for_every_profile_unless_it_names_one() -> None:
    row = "| CKV_AWS_1 | a lock | `api/Door`, `cron/Gate` (sandbox) | It is a curtain. |\n"
    assert dict(explained(row)) == {
        Finding("CKV_AWS_1", "api", "Door", "sandbox"): "It is a curtain.",
        Finding("CKV_AWS_1", "api", "Door", "production"): "It is a curtain.",
        Finding("CKV_AWS_1", "cron", "Gate", "sandbox"): "It is a curtain.",
    }
