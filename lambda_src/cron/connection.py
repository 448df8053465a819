"""Sends one HTTP request to an allowed address, with one limit on the time and one limit on the bytes.

Existing HTTP clients limit the time of each read, not of the whole request. So a server that sends one byte per second
can keep such a client busy for ever. In this module, one deadline covers name resolution, connecting, TLS and all
reads. One limit covers all bytes received.
"""

import contextlib
import errno
import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

from cron.addresses import Address, allowed_addresses
from cron.answers import Answer
from cron.urls import PORTS, parse_url

UNREACHABLE_ERRORS = {errno.EAFNOSUPPORT, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL}
"""Error numbers of a connection to an address that the network cannot reach. Without a VPC, Lambda has no IPv6."""
HEADERS = {"User-Agent": "aws-compute-examples-cron/1", "Accept": "*/*", "Connection": "close"}


class TooManyBytesError(Exception):
    """The server sends more bytes than the limit allows."""


@dataclass(slots=True)
class Limits:
    """The deadline of one check, and the number of bytes that one connection may still receive."""

    deadline: float
    """End of the check, as a value of `time.monotonic()`."""
    bytes_left: int

    def seconds_left(self) -> float:
        """Return the time until the deadline. Raises TimeoutError if no time is left."""
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    def count_bytes(self, received: int) -> None:
        """Subtract the number of received bytes. Raises TooManyBytesError if it is larger than `bytes_left`."""
        self.bytes_left -= received
        if self.bytes_left < 0:
            raise TooManyBytesError


class _LimitedReads:
    """Applies the limits to every read of a socket. The socket's stream calls recv_into for every read."""

    limits: Limits

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(self.limits.seconds_left())  # type: ignore[attr-defined]
        received: int = super().recv_into(*arguments)  # type: ignore[misc]
        self.limits.count_bytes(received)
        return received


class _PlainSocket(_LimitedReads, socket.socket):
    pass


class _TlsSocket(_LimitedReads, ssl.SSLSocket):
    pass


def make_tls_context() -> ssl.SSLContext:
    """Return a context that creates TLS sockets with limits.

    The context trusts the certificate authorities of the operating system. It checks that a certificate has the host's
    name.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    # Since Python 3.13, the default requires extensions that browsers do not require and private authorities omit.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.sslsocket_class = _TlsSocket
    return context


TLS = make_tls_context()  # created only once, because loading the authorities takes longer than most TLS handshakes


class Connection(http.client.HTTPConnection):
    """A connection for one request to a URL."""

    certificate_expires: float | None = None
    """Expiry of the server's verified certificate (seconds since 1970), or None before connecting and without TLS."""

    def __init__(self, url: str, limits: Limits, *, allow_private: bool) -> None:
        """Parse the URL without connecting. Raises ForbiddenError if the URL is not allowed."""
        parts = parse_url(url)
        self.url: str = parts.href  # in the spelling of browsers
        scheme = parts.protocol.removesuffix(":")
        self.default_port = PORTS[scheme]
        super().__init__(parts.hostname.strip("[]").rstrip("."), int(parts.port or self.default_port))
        self._secure = scheme == "https"
        self._limits = limits
        self._allow_private = allow_private
        self._resource = parts.pathname + parts.search

    def get(self, cookie: str | None = None) -> Answer:
        """Send the request and return the answer with its headers. The caller must close the answer.

        Raises OSError, http.client.HTTPException, ValueError, ForbiddenError or TooManyBytesError.
        """
        if self.sock is None:
            self.connect()
        # A server may answer and close the connection before it has read the request. Its answer counts all the same.
        with contextlib.suppress(ConnectionError):
            self.request("GET", self._resource, headers=HEADERS | ({"Cookie": cookie} if cookie else {}))
        stream = self.sock.makefile("rb")
        try:
            return Answer(stream)
        except BaseException:
            stream.close()
            raise

    def connect(self) -> None:
        """Connect to the first address that accepts a connection."""
        self.sock = self._connect_to_host()
        if self._secure:
            tls_socket = TLS.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock = tls_socket  # from now on, closing the connection closes the TLS socket
            tls_socket.limits = self._limits  # type: ignore[attr-defined]
            tls_socket.settimeout(self._limits.seconds_left())
            tls_socket.do_handshake()
            self.certificate_expires = _expiry_of(tls_socket.getpeercert())
        self.sock.settimeout(self._limits.seconds_left())

    def _connect_to_host(self) -> socket.socket:
        addresses = allowed_addresses(
            self.host, self.port, seconds=self._limits.seconds_left(), allow_private=self._allow_private
        )
        failures: list[OSError] = []
        for addresses_left in range(len(addresses), 0, -1):
            try:
                # Each address gets the same time. So if one address does not answer, there is time for the others.
                seconds = self._limits.seconds_left() / addresses_left
                return self._connect_to(addresses[-addresses_left], seconds)
            except OSError as failure:
                failures.append(failure)
        # Lambda itself can be the reason why an address is unreachable. So prefer an error that has another reason.
        raise next((failure for failure in failures if failure.errno not in UNREACHABLE_ERRORS), failures[-1])

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
