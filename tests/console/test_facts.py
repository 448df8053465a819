"""The console says of every resource whether it works in the local AWS."""

import pytest

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
