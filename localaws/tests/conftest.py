"""Fixtures that start engines. An engine is a process that imitates AWS on this machine.

`stock` and `patched` let a test compare ministack without the patches (the stock engine) with ministack with the
patches.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws import LocalAws

Client = Callable[[str], Any]
"""A function that returns the boto3 client of an AWS service for one engine."""


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return clients of an engine without the patches."""
    yield from _clients(LocalAws(tmp_path_factory.mktemp("stock"), patched=False))


@pytest.fixture(scope="session")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return clients of an engine with the patches."""
    yield from _clients(LocalAws(tmp_path_factory.mktemp("patched")))


def _clients(aws: LocalAws) -> Iterator[Client]:
    engine = aws.start()
    yield lambda service: aws.client(service, engine)
    aws.stop()


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """Return a local AWS without containers. Its engine is not started. Its folder name contains special characters."""
    monkeypatch.setenv("LOCAL_CONTAINERS", "none")
    aws = LocalAws(tmp_path / "it's a folder")
    yield aws
    aws.stop()
