"""Fixtures with an empty local AWS. Tests deploy their own stacks into it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from local.project import SETTINGS
from localaws import Engine, LocalAws
from tests.support.deployment import ClientFactory


@pytest.fixture(scope="module")
def empty_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalAws, Engine]]:
    """Yield a new local AWS, a program that imitates AWS on this machine, and its engine. It runs no containers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_CONTAINERS", "none")
        aws = LocalAws(tmp_path_factory.mktemp("empty"), replace(SETTINGS, seconds_per_minute=60))
        engine = aws.start(port=0)
    yield aws, engine
    aws.stop()


@pytest.fixture(scope="module")
def empty_aws(empty_engine: tuple[LocalAws, Engine]) -> ClientFactory:
    """Return clients of a new local AWS."""
    aws, engine = empty_engine
    return lambda service: aws.client(service, engine)
