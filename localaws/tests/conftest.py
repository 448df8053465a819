"""Engines to test with: one without the patches, and one with them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws import LocalAws

Client = Callable[[str], Any]
"""Makes the boto3 client of a service."""


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Clients of an engine without the patches."""
    yield from _clients(LocalAws(tmp_path_factory.mktemp("stock"), patched=False))


@pytest.fixture(scope="session")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Clients of an engine with the patches."""
    yield from _clients(LocalAws(tmp_path_factory.mktemp("patched")))


def _clients(aws: LocalAws) -> Iterator[Client]:
    engine = aws.start()
    yield lambda service: aws.client(service, engine)
    aws.stop()


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """A local AWS that is not started, in a folder whose name needs quoting, without containers."""
    monkeypatch.setenv("LOCAL_CONTAINERS", "none")
    aws = LocalAws(tmp_path / "it's here")
    yield aws
    aws.stop()
