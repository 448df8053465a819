"""The account whose stacks the console shows: the local AWS, or a real AWS account."""

import threading
from typing import Any, Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from localaws.aws import Engine, LocalAws
from localaws.urls import local_url
from scripts.aws_errors import explain


class AccountError(RuntimeError):
    """The account does not answer. The message is for the person who looks at the page."""


ERRORS = (AccountError, BotoCoreError, ClientError)
"""Errors that the page shows as one sentence."""


class Account(Protocol):
    """An account with deployed stacks."""

    is_local: bool
    """Whether this is the local AWS. The pages of a real account change nothing."""
    prefix: str | None
    """The names of the shown stacks begin with this prefix. With None, the console shows the stacks of all prefixes."""
    seconds_between_reads: float
    """The pause between two reads of a live page."""

    def client(self, service: str) -> Any:
        """Return a boto3 client. Raises AccountError if the local AWS has ended."""

    def url(self, url: str) -> str:
        """Return the URL that answers for a URL in a stack's outputs."""

    def explanation(self, error: Exception) -> str:
        """Return one sentence for a person: why a request failed, and what to do."""


class LocalAccount:
    """The local AWS."""

    is_local = True
    prefix: str | None = None
    seconds_between_reads = 0.5

    def __init__(self, aws: LocalAws) -> None:
        """`aws` may be running or stopped."""
        self.aws = aws

    @property
    def engine(self) -> Engine:
        """The running engine. Raises AccountError if it has ended."""
        engine = self.aws.alive_engine()
        if engine is None:
            raise AccountError("The local AWS has ended. To start it again, type: make local")
        return engine

    def client(self, service: str) -> Any:
        """Return a boto3 client of the local AWS. Raises AccountError if the local AWS has ended."""
        return self.aws.client(service, self.engine)

    def url(self, url: str) -> str:
        """Return the engine's URL for a URL of API Gateway or of a load balancer."""
        return local_url(url, self.engine.endpoint)

    def explanation(self, error: Exception) -> str:
        """Return why a request failed. If the engine has ended, this is the reason."""
        if self.aws.alive_engine() is None:
            return "The local AWS has ended. To start it again, type: make local"
        if isinstance(error, AccountError):
            return str(error)
        return f"The local AWS reports an error: {error}"


class RealAccount:
    """The AWS account of the user's credentials."""

    is_local = False
    seconds_between_reads = 5.0

    def __init__(self, prefix: str) -> None:
        """`prefix` is the first part of the names of the stacks."""
        self.prefix: str | None = prefix
        self._session = boto3.Session()
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """Return a boto3 client with the user's own settings."""
        with self._lock:  # boto3 does not allow two threads to create clients at the same time
            if service not in self._clients:
                self._clients[service] = self._session.client(service)  # type: ignore[call-overload] # any service
            return self._clients[service]

    def url(self, url: str) -> str:
        """Return the URL without a change."""
        return url

    def explanation(self, error: Exception) -> str:
        """Return why AWS refused a request, and what to do."""
        return explain(error) if isinstance(error, BotoCoreError | ClientError) else str(error)
