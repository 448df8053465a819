"""Fixtures that start a local AWS without any resources. The programs of the containers use it in tests.

The local AWS is a program that imitates AWS on this machine.
"""

from collections.abc import Iterator

import pytest

from localaws.aws import Engine, LocalAws


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    aws = LocalAws(tmp_path_factory.mktemp("local"))
    yield aws
    aws.stop()


@pytest.fixture(scope="module")
def engine(local_aws: LocalAws) -> Engine:
    return local_aws.start()
