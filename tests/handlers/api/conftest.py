"""Fixtures that run the API's function in the test process. moto imitates DynamoDB."""

import os
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from moto import mock_aws

from tests.handlers.api.notes_client import TABLE, Client, new_client

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "NOTES_TABLE": TABLE,
    "ALLOWED_ORIGIN": "*",
    "POWERTOOLS_SERVICE_NAME": "test-api",
    "POWERTOOLS_TRACE_DISABLED": "true",
}
ONE_TABLE_FOR_ALL_EXAMPLES = settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.differing_executors],
)
"""Settings for hypothesis tests: a new table for each example would be slow."""
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@pytest.fixture(scope="session")
def function() -> Iterator[ModuleType]:
    """The module api.handler, imported with the environment variables that the stack sets in Lambda."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        from api import handler  # noqa: PLC0415 - the module reads its environment when it is imported

        yield handler


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """Run moto, which imitates AWS, once for each test module. Its start takes ten times as long as a new table."""
    with mock_aws():
        yield


# Both versions run the same code with other keys. So the fast tests try most requests only with version 2.
@pytest.fixture(params=[pytest.param(None, marks=pytest.mark.slow), "anna"], ids=["v1", "v2"])
def client(function: ModuleType, aws: None, request: pytest.FixtureRequest) -> Iterator[Client]:  # noqa: ARG001 - moto must run
    """A client of version 1, and a person who signed in to version 2. Both begin with an empty table."""
    with new_client(function, person=request.param) as client:
        yield client


@pytest.fixture
def v1_client(function: ModuleType, aws: None) -> Iterator[Client]:  # noqa: ARG001 - moto must run
    """A client of version 1 with an empty table."""
    with new_client(function) as client:
        yield client


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore repeat a failed request immediately."""
    monkeypatch.setattr("time.sleep", lambda _: None)
