"""Engines to test with: one as ministack publishes it, and one with the patches."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localaws import LocalAws

Client = Callable[[str], Any]
"""Makes the boto3 client of a service."""


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Clients of an engine without the patches."""
    yield from _clients(LocalAws(tmp_path_factory.mktemp("stock"), patched=False))


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Clients of an engine with the patches."""
    yield from _clients(LocalAws(tmp_path_factory.mktemp("extended")))


def _clients(aws: LocalAws) -> Iterator[Client]:
    engine = aws.start()
    yield lambda service: aws.client(service, engine)
    aws.stop()
