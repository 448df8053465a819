"""One HTTP request, to an address that was judged, with a limit for everything that is received.

The clients that there are limit the time of each read, and a server that sends a byte a second then holds them for
ever. Here one deadline covers resolving, connecting, TLS and all reads, and one sum of bytes the whole conversation.
"""

import errno
import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cron.addresses import Address, ForbiddenError, addresses

NO_WAY = {errno.EAFNOSUPPORT, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL}
"""What connecting fails with where the network does not lead: without a VPC, Lambda has no IPv6."""
PORTS = {"http": 80, "https": 443}
HEADERS = {"User-Agent": "aws-compute-examples-cron/1", "Accept": "*/*", "Connection": "close"}


class TooMuchError(Exception):
    """The server sends more than is read."""


@dataclass(slots=True)
class Limits:
    """What is left for a check, of time and of bytes."""

    deadline: float
    """In the time of `time.monotonic()`."""
    bytes_left: int

    def seconds(self) -> float:
        """How long the next step may take. Raises TimeoutError when there is no time left."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def spend(self, received: int) -> None:
        """Count bytes received. Raises TooMuchError when there are none left."""
        self.bytes_left -= received
        if self.bytes_left < 0:
            raise TooMuchError


class _Limited:
    """A socket whose every read keeps within the limits. All of http.client's reads come through recv_into."""

    limits: Limits

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(self.limits.seconds())  # type: ignore[attr-defined]
        received: int = super().recv_into(*arguments)  # type: ignore[misc]
        self.limits.spend(received)
        return received


class _PlainSocket(_Limited, socket.socket):
    pass


class _TlsSocket(_Limited, ssl.SSLSocket):
    pass


def tls_context() -> ssl.SSLContext:
    """What trusts the system's certificate authorities, checks names, and makes limited sockets."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    # Python asks from 3.13 on for extensions that browsers do not, and that certificates of private authorities lack.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.sslsocket_class = _TlsSocket
    return context


TLS = tls_context()  # once: loading the authorities takes longer than most handshakes


class Connection(http.client.HTTPConnection):
    """A connection for one request to a URL."""

    certificate_expires: float | None = None
    """When the server's verified certificate ends, in seconds since 1970; None before connecting and without TLS."""

    def __init__(self, url: str, limits: Limits, *, allow_private: bool) -> None:
        """Look at the URL; nothing is sent yet. Raises ForbiddenError or ValueError for one that is not requested."""
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
        """Send the request and read the answer's headers; its body is left to read.

        Raises OSError, http.client.HTTPException, ValueError, ForbiddenError or TooMuchError.
        """
        self.request("GET", self._resource, headers=HEADERS)
        return self.getresponse()

    def connect(self) -> None:
        """Connect to the first address that answers (called by http.client)."""
        self.sock = self._reach()
        if self._secure:
            tls = TLS.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock = tls  # from here on closed with the connection
            tls.limits = self._limits  # type: ignore[attr-defined]
            tls.settimeout(self._limits.seconds())
            tls.do_handshake()
            self.certificate_expires = _end_of(tls.getpeercert())
        self.sock.settimeout(self._limits.seconds())

    def _reach(self) -> socket.socket:
        found = addresses(self.host, self.port, seconds=self._limits.seconds(), allow_private=self._allow_private)
        failures: list[OSError] = []
        for left in range(len(found), 0, -1):
            try:
                # One that hangs leaves time for the others.
                return self._connected(found[-left], self._limits.seconds() / left)
            except OSError as failure:
                failures.append(failure)
        # What an address answers says more about the site than that there is no way to another.
        raise next((failure for failure in failures if failure.errno not in NO_WAY), failures[-1])

    def _connected(self, address: Address, seconds: float) -> socket.socket:
        sock = _PlainSocket(address.family, socket.SOCK_STREAM)
        sock.limits = self._limits
        sock.settimeout(seconds)
        try:
            sock.connect(address.sockaddr)
        except BaseException:
            sock.close()
            raise
        return sock


def _end_of(certificate: Any) -> float:
    return float(ssl.cert_time_to_seconds(certificate["notAfter"]))
