"""A local AWS without the deployed examples, for tests that deploy stacks of their own."""

from collections.abc import Iterator

import pytest

from localaws import LocalAws
from tests.support.deployment import ClientFactory


@pytest.fixture(scope="module")
def empty_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientFactory]:
    """Return clients of a new local AWS, a program that imitates AWS on this machine. It runs no containers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_CONTAINERS", "none")
        aws = LocalAws(tmp_path_factory.mktemp("empty"))
        engine = aws.start(port=0)
    yield lambda service: aws.client(service, engine)
    aws.stop()
