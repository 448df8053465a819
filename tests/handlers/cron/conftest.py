"""The cron function in this process, on moto's DynamoDB, and sites of this machine that count as public."""

import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
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
from tests.handlers.cron.sites import Behaviour, Site, site

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
PUBLIC = "127.0.0.1"
"""Stands for an address of the Internet, where `guarded` is used."""
PRIVATE = "127.0.0.2"

Serve = Callable[..., Site]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts sites that end with the test."""
    with ExitStack() as stack:

        def start(behaviour: Behaviour, context: ssl.SSLContext | None = None) -> Site:
            return stack.enter_context(site(behaviour, context))

        yield start


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.1 counts as public, and everything else as it is."""
    is_public = addresses.is_public
    monkeypatch.setattr(addresses, "is_public", lambda address: address == PUBLIC or is_public(address))


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that the function trusts."""
    authority = trustme.CA()
    context = connection.tls_context()
    authority.configure_trust(context)
    monkeypatch.setattr(connection, "TLS", context)
    return authority


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """A server's context with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


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

    def run(self, *urls: str, at: str = "2026-11-21T11:00:00Z") -> dict[str, int]:
        """Run the function as the schedule does."""
        done: dict[str, int] = self.function.handler({"scheduled_at": at, "urls": list(urls)}, CONTEXT)
        return done

    def items(self) -> list[dict[str, Any]]:
        """Every result, its attributes as plain values."""
        found = self.dynamodb.scan(TableName=TABLE)["Items"]
        return [{name: next(iter(value.values())) for name, value in item.items()} for item in found]


@pytest.fixture
def world(function: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    act, turn = DynamoHandler.call_action, threading.Lock()

    def act_alone(handler: DynamoHandler) -> Any:
        with turn:  # a condition and its write are one for DynamoDB; for moto they are not
            return act(handler)

    monkeypatch.setattr(DynamoHandler, "call_action", act_alone)
    with mock_aws():
        yield World(function)


def metrics_in(output: str) -> list[dict[str, Any]]:
    """What CloudWatch would make metrics of, in the function's output."""
    return [json.loads(line) for line in output.splitlines() if line.startswith('{"_aws"')]
