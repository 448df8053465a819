"""Fixtures: the cron function in this process, on moto's DynamoDB, and local sites."""

import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
import trustme
from moto import mock_aws
from moto.dynamodb.responses import DynamoHandler

from cron import addresses, connection
from tests.handlers.cron.sites import Addresses, Behaviour, Site, fake_getaddrinfo, run_site

TABLE = "results"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "RESULTS_TABLE": TABLE,
    "ALLOW_PRIVATE": "true",
    "METRICS": "Up,Milliseconds,CertificateDaysLeft",
    "TIMEOUT_SECONDS": "5",
    "KEEP_DAYS": "90",
    "POWERTOOLS_SERVICE_NAME": "test-cron",
    "POWERTOOLS_METRICS_NAMESPACE": "Test",
    "POWERTOOLS_TRACE_DISABLED": "true",
}
CONTEXT = SimpleNamespace(
    function_name="test", memory_limit_in_mb=512, invoked_function_arn="arn:test", aws_request_id="request"
)
SCHEDULED_AT = "2026-11-21T11:00:00Z"
PUBLIC = "127.0.0.1"
"""Counts as a public address in tests that use `public_localhost`."""
PRIVATE = "127.0.0.2"

Serve = Callable[..., Site]
Resolve = Callable[[Mapping[str, Addresses]], None]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start sites that end with the test."""
    with ExitStack() as stack:

        def start(behaviour: Behaviour, context: ssl.SSLContext | None = None) -> Site:
            return stack.enter_context(run_site(behaviour, context))

        yield start


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Make these names resolve, and no others."""
    return lambda names: monkeypatch.setattr("socket.getaddrinfo", fake_getaddrinfo(names))


@pytest.fixture
def public_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make 127.0.0.1 count as public."""
    is_public = addresses.is_public
    monkeypatch.setattr(addresses, "is_public", lambda address: address == PUBLIC or is_public(address))


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that the function trusts."""
    authority = trustme.CA()
    context = connection.make_tls_context()
    authority.configure_trust(context)
    monkeypatch.setattr(connection, "TLS", context)
    return authority


@pytest.fixture(scope="module")
def function() -> Iterator[ModuleType]:
    """The handler's module, imported as Lambda imports it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        from cron import handler  # noqa: PLC0415 - it reads its environment when imported

        yield handler


@cache
def _dynamodb() -> Any:
    return boto3.client("dynamodb")


@dataclass
class World:
    """The table, and runs of the schedule."""

    function: ModuleType
    dynamodb: Any = field(default_factory=_dynamodb)

    def __post_init__(self) -> None:
        self.dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "url", "KeyType": "HASH"},
                {"AttributeName": "scheduled_at", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "url", "AttributeType": "S"},
                {"AttributeName": "scheduled_at", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )

    def run(self, *urls: str, at: str = SCHEDULED_AT) -> dict[str, int]:
        """Run the function as the schedule does."""
        counts: dict[str, int] = self.function.handler({"scheduled_at": at, "urls": list(urls)}, CONTEXT)
        return counts

    def items(self) -> list[dict[str, Any]]:
        """Return every result with its attributes as plain values."""
        found = self.dynamodb.scan(TableName=TABLE)["Items"]
        return [{name: next(iter(value.values())) for name, value in item.items()} for item in found]


@pytest.fixture
def world(function: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    call_action, lock = DynamoHandler.call_action, threading.Lock()

    def call_action_alone(handler: DynamoHandler) -> Any:
        with lock:  # in DynamoDB, a condition and its write are atomic; in moto they are not
            return call_action(handler)

    monkeypatch.setattr(DynamoHandler, "call_action", call_action_alone)
    with mock_aws():
        yield World(function)


def metrics_in(output: str) -> list[dict[str, Any]]:
    """Return the lines of the function's output that CloudWatch turns into metrics."""
    return [json.loads(line) for line in output.splitlines() if line.startswith('{"_aws"')]
