"""Facts that the console shows: whether a resource works in the local AWS, and times in UTC."""

from datetime import datetime, timedelta, timezone

import pytest

from console.facts import utc
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


def test_a_time_of_another_zone_is_shown_in_utc() -> None:
    time = datetime(2026, 11, 28, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert (utc(time), utc(time, "%H:%M")) == ("2026-11-27 23:30:00", "23:30")
