"""Fixtures that run the cron function in this process, with local sites. The library moto imitates DynamoDB."""

import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest
import trustme

from cron import addresses, connection
from cron.check import Result, check
from tests.handlers.cron.sites import Addresses, Behaviour, Site, fake_getaddrinfo, run_site
from tests.handlers.dynamodb import clear_tables, tables
from tests.handlers.lambda_function import CONTEXT, imported_handler, plain_values

TABLE = "results"
ENVIRONMENT = {
    "RESULTS_TABLE": TABLE,
    "ALLOW_PRIVATE": "true",
    "METRICS": "Up,Milliseconds,CertificateDaysLeft",
    "TIMEOUT_SECONDS": "5",
    "KEEP_DAYS": "90",
    "POWERTOOLS_SERVICE_NAME": "test-cron",
}
SCHEDULED_AT = "2026-11-21T11:00:00Z"

Serve = Callable[..., Site]
Resolve = Callable[[Mapping[str, Addresses]], None]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that starts a site. All sites end with the test."""
    with ExitStack() as stack:

        def start(behaviour: Behaviour, context: ssl.SSLContext | None = None) -> Site:
            return stack.enter_context(run_site(behaviour, context))

        yield start


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Return a function. After its call, only the given names resolve."""
    return lambda names: monkeypatch.setattr("socket.getaddrinfo", fake_getaddrinfo(names))


@pytest.fixture
def public_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the function treat 127.0.0.1 as a public address. All other addresses of this machine stay private."""
    is_public = addresses.is_public
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1" or is_public(address))


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Return a certificate authority that the function trusts."""
    authority = trustme.CA()
    context = connection.make_tls_context()
    authority.configure_trust(context)
    monkeypatch.setattr(connection, "TLS", context)
    return authority


@pytest.fixture(scope="module")
def function() -> Iterator[ModuleType]:
    """Return the handler's module, imported with the environment variables that the stack sets in Lambda."""
    with imported_handler("cron", ENVIRONMENT) as handler:
        yield handler


class World:
    """The table, and a way to run the function."""

    def __init__(self, function: ModuleType, dynamodb: Any) -> None:
        self.function = function
        self.dynamodb = dynamodb

    def run(self, *urls: str, scheduled_at: str = SCHEDULED_AT) -> dict[str, int]:
        """Invoke the function as the schedule does."""
        counts: dict[str, int] = self.function.handler({"scheduled_at": scheduled_at, "urls": list(urls)}, CONTEXT)
        return counts

    def items(self) -> list[dict[str, Any]]:
        """Return all items of the table. Their attributes are plain values."""
        return [plain_values(item) for item in self.dynamodb.scan(TableName=TABLE)["Items"]]


@pytest.fixture(scope="module")
def dynamodb(function: ModuleType) -> Iterator[Any]:  # noqa: ARG001 - the function sets the environment of AWS
    with tables({TABLE: ("url", "scheduled_at")}) as client:
        yield client


@pytest.fixture
def world(function: ModuleType, dynamodb: Any) -> World:
    """Return the function with an empty table."""
    clear_tables()
    return World(function, dynamodb)


def check_in_time(url: str, timeout: float = 5, *, allow_private: bool = True) -> Result:
    """Check a URL, and return the result. Fail if the check needs much more time than `timeout`, in seconds."""
    started = time.monotonic()
    result = check(url, timeout=timeout, allow_private=allow_private)
    assert time.monotonic() - started < timeout + 10, (
        "the check ignores its timeout (a busy machine may need 10 s more)"
    )
    return result


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def metrics_in(output: str) -> list[dict[str, Any]]:
    """Return the lines of the function's output that CloudWatch converts into metrics."""
    return [json.loads(line) for line in output.splitlines() if line.startswith('{"_aws"')]
