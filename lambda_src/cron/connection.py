"""Makes one HTTP request to an allowed address, with one limit on time and one on bytes.

Existing HTTP clients limit each read, not the whole request: a server that sends a byte a second can hold them for
ever. Here one deadline covers resolving, connecting, TLS and all reads, and all bytes received count together.
"""

import errno
import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cron.addresses import Address, ForbiddenError, allowed_addresses

UNREACHABLE = {errno.EAFNOSUPPORT, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL}
"""Errors of connecting to an address that the network does not reach. Without a VPC, Lambda has no IPv6."""
PORTS = {"http": 80, "https": 443}
HEADERS = {"User-Agent": "aws-compute-examples-cron/1", "Accept": "*/*", "Connection": "close"}


class TooManyBytesError(Exception):
    """The server sends more bytes than the limit."""


@dataclass(slots=True)
class Limits:
    """The time and bytes that are left for one check."""

    deadline: float
    """On the clock of `time.monotonic()`."""
    bytes_left: int

    def seconds_left(self) -> float:
        """Return the time for the next step. Raises TimeoutError if no time is left."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def count_bytes(self, received: int) -> None:
        """Subtract bytes received. Raises TooManyBytesError if they exceed the limit."""
        self.bytes_left -= received
        if self.bytes_left < 0:
            raise TooManyBytesError


class _Limited:
    """Makes every read of a socket respect the limits. All reads of http.client go through recv_into."""

    limits: Limits

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(self.limits.seconds_left())  # type: ignore[attr-defined]
        received: int = super().recv_into(*arguments)  # type: ignore[misc]
        self.limits.count_bytes(received)
        return received


class _PlainSocket(_Limited, socket.socket):
    pass


class _TlsSocket(_Limited, ssl.SSLSocket):
    pass


def make_tls_context() -> ssl.SSLContext:
    """Return a context that trusts the system's certificate authorities, checks names, and makes limited sockets."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    # From Python 3.13 on, the default requires extensions that browsers do not, and private authorities omit.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.sslsocket_class = _TlsSocket
    return context


TLS = make_tls_context()  # once, because loading the authorities takes longer than most handshakes


class Connection(http.client.HTTPConnection):
    """A connection for one request to a URL."""

    certificate_expires: float | None = None
    """Expiry of the server's verified certificate, in seconds since 1970; None before connecting and without TLS."""

    def __init__(self, url: str, limits: Limits, *, allow_private: bool) -> None:
        """Parse the URL; nothing is sent yet. Raises ForbiddenError or ValueError for a URL that is not allowed."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS:
            raise ForbiddenError(f"only http and https are requested, not {parts.scheme[:20]!r}")
        if not parts.hostname or "@" in parts.netloc:
            raise ForbiddenError("a URL with a host and without a password is needed")
        self.default_port = PORTS[parts.scheme]
        super().__init__(parts.hostname.rstrip("."), parts.port or self.default_port)
        self._secure = parts.scheme == "https"
        self._limits = limits
        self._allow_private = allow_private
        self._resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def get(self) -> http.client.HTTPResponse:
        """Send the request and return the answer with its headers; the caller reads the body.

        Raises OSError, http.client.HTTPException, ValueError, ForbiddenError or TooManyBytesError.
        """
        self.request("GET", self._resource, headers=HEADERS)
        return self.getresponse()

    def connect(self) -> None:
        """Connect to the first address that accepts (called by http.client)."""
        self.sock = self._connect_to_host()
        if self._secure:
            tls = TLS.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock = tls  # from now on, closing the connection closes it
            tls.limits = self._limits  # type: ignore[attr-defined]
            tls.settimeout(self._limits.seconds_left())
            tls.do_handshake()
            self.certificate_expires = _expiry_of(tls.getpeercert())
        self.sock.settimeout(self._limits.seconds_left())

    def _connect_to_host(self) -> socket.socket:
        seconds = self._limits.seconds_left()
        addresses = allowed_addresses(self.host, self.port, seconds=seconds, allow_private=self._allow_private)
        failures: list[OSError] = []
        for left in range(len(addresses), 0, -1):
            try:
                # Each address gets an equal share of the time, so one that hangs leaves time for the others.
                return self._connect_to(addresses[-left], self._limits.seconds_left() / left)
            except OSError as failure:
                failures.append(failure)
        # An error from an address says more about the site than an address that is unreachable from here.
        raise next((failure for failure in failures if failure.errno not in UNREACHABLE), failures[-1])

    def _connect_to(self, address: Address, seconds: float) -> socket.socket:
        sock = _PlainSocket(address.family, socket.SOCK_STREAM)
        sock.limits = self._limits
        sock.settimeout(seconds)
        try:
            sock.connect(address.sockaddr)
        except BaseException:
            sock.close()
            raise
        return sock


def _expiry_of(certificate: Any) -> float:
    return float(ssl.cert_time_to_seconds(certificate["notAfter"]))
