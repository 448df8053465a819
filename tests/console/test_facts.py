"""Facts that the console shows: whether a resource works in the local AWS, and times in UTC."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from console.examples import Example
from console.facts import facts, utc
from localaws.behaviour import running_and_stored
from tests.support.apps import templates

KINDS = sorted(
    {
        resource["Type"]
        for profile in ("sandbox", "production")
        for template in templates(profile).values()
        for resource in template["Resources"].values()
    }
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_resource_type_of_the_stacks_works_or_is_stored(kind: str) -> None:
    running, stored = running_and_stored([kind])
    assert len(running) + len(stored) == 1, f"localaws/src/localaws/behaviour.py needs an entry for {kind}"


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("api", (["arm64"], False)),
        ("fargate", ([], True)),
        ("function_image", ([], True)),
        ("lightsail", ([], False)),
    ],
)
def test_the_page_says_on_which_processor_functions_and_images_run(
    stem: str, expected: tuple[list[str], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    if stem not in templates("sandbox"):
        pytest.skip(f"this fork has no example {stem}")
    monkeypatch.setattr("console.facts.architecture", lambda: "x86_64")
    template = json.loads(json.dumps(templates("sandbox")[stem]))
    for function in template["Resources"].values():
        if "ImageUri" in function.get("Properties", {}).get("Code", {}):
            function["Properties"]["Architectures"] = ["x86_64"]  # as with `make local` on such a machine
    example = Example(stem=stem, stack="", status="", changed_at="", description="", outputs={}, template=template)
    found = facts(example)
    assert found.machine == "x86_64"
    assert (found.other_processors, found.has_images) == expected


def test_a_time_of_another_zone_is_shown_in_utc() -> None:
    time = datetime(2026, 11, 28, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert (utc(time), utc(time, "%H:%M")) == ("2026-11-27 23:30:00", "23:30")
