"""Functions that import the handler of a Lambda function into the test process, and read DynamoDB items."""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

CONTEXT = SimpleNamespace(
    function_name="test", memory_limit_in_mb=512, invoked_function_arn="arn:test", aws_request_id="request"
)
"""The second argument of a handler."""
AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_METRICS_NAMESPACE": "Test",
    "POWERTOOLS_TRACE_DISABLED": "true",
}


def imported_handler(package: str, environment: Mapping[str, str]) -> AbstractContextManager[ModuleType]:
    """Return a context with the module `<package>.handler`, as `imported_module` does."""
    return imported_module(f"{package}.handler", environment)


@contextmanager
def imported_module(module: str, environment: Mapping[str, str]) -> Iterator[ModuleType]:
    """Yield the module with this name. It reads these environment variables when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in {**AWS_ENVIRONMENT, **environment}.items():
            patch.setenv(name, value)
        yield import_module(module)


def plain_values(attributes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the attributes of a DynamoDB item without their types: `{"up": {"BOOL": True}}` becomes `{"up": True}`."""
    return {name: next(iter(value.values())) for name, value in attributes.items()}
