"""Is a site up? One URL in, one result out: whatever the server does, the result comes in time."""

import contextlib
import http.client
import socket
import ssl
import string
import time
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from cron.addresses import ForbiddenError
from cron.connection import NO_WAY, Connection, Limits, TooMuchError

MAX_REDIRECTS = 5
"""Honest sites take two: to https, and to www or a language."""
MAX_BODY_BYTES = 64 * 1024
"""Enough to see that the page is really sent; the rest is not fetched."""
MAX_BYTES = 4 * MAX_BODY_BYTES
"""All that is received for one URL: its redirects, headers and body."""
MAX_ERROR = 300
"""Characters of an error that are kept: a server may have a part in its words."""

_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What was found out about a URL."""

    url: str
    checked_at: float
    """Seconds since 1970."""
    milliseconds: int
    """From resolving the name to the end of the page, redirects included; or until it was given up."""
    status: int | None
    """HTTP status of the last answer; None when there was none."""
    error: str | None
    """Why the site counts as down, in words; None when it is up."""
    certificate_days_left: int | None
    """Whole days until the first certificate on the way ends; None without TLS, or when none could be verified."""

    @property
    def up(self) -> bool:
        """Whether the URL, its redirects followed, was answered with a 2xx status in time."""
        return self.error is None


@dataclass(slots=True)
class _Findings:
    status: int | None = None
    certificate_expires: float | None = None


def check(url: str, *, timeout: float, allow_private: bool) -> Result:
    """Request the URL; never longer than `timeout` seconds, and never with an error for what the server does."""
    checked_at, started = time.time(), time.monotonic()
    found, error = _Findings(), None
    try:
        _follow(url, Limits(started + timeout, MAX_BYTES), found, allow_private=allow_private)
    except (OSError, http.client.HTTPException, ForbiddenError, TooMuchError, ValueError) as failure:
        error = in_words(failure, timeout)[:MAX_ERROR]
    return Result(
        url=url,
        checked_at=checked_at,
        milliseconds=round((time.monotonic() - started) * 1000),
        status=found.status,
        error=error or _fault(found.status),
        certificate_days_left=_days(checked_at, found.certificate_expires),
    )


def _follow(url: str, limits: Limits, found: _Findings, *, allow_private: bool) -> None:
    for _ in range(MAX_REDIRECTS + 1):
        # Each hop is judged afresh: a public site must not lead to a private address.
        with contextlib.closing(Connection(url, limits, allow_private=allow_private)) as connection:
            location = _visit(connection, found)
        if location is None:
            return
        url = urljoin(url, _quoted(location))
    raise ForbiddenError(f"it redirects more than {MAX_REDIRECTS} times")


def _visit(connection: Connection, found: _Findings) -> str | None:
    with connection.get() as response:
        found.status = response.status
        ends = [end for end in (found.certificate_expires, connection.certificate_expires) if end is not None]
        found.certificate_expires = min(ends, default=None)
        location = response.getheader("Location") if response.status in _REDIRECTS else None
        if location is None:
            body = response.read(MAX_BODY_BYTES)
            if len(body) < MAX_BODY_BYTES and response.length:  # read() takes what it gets for the whole
                raise http.client.IncompleteRead(body, response.length)
        return location


def _quoted(location: str) -> str:
    # Some servers send spaces and letters as they are; http.client read them as Latin-1.
    return quote(location.encode("latin-1"), safe=string.punctuation)


def _fault(status: int | None) -> str | None:
    if status is not None and http.HTTPStatus.OK <= status < http.HTTPStatus.MULTIPLE_CHOICES:
        return None
    return f"it answers {status} {http.client.responses.get(status or 0, '')}".rstrip()


def _days(now: float, ends: float | None) -> int | None:
    return None if ends is None else int((ends - now) // 86400)


def in_words(failure: Exception, timeout: float) -> str:
    """What went wrong, for a person; `timeout` in seconds."""
    match failure:
        case TimeoutError():
            words = f"no complete answer within {timeout:g} s"
        case TooMuchError():
            words = f"it sends more than {MAX_BYTES:,} bytes before its page has begun"
        case socket.gaierror() | UnicodeError():
            words = "its name does not resolve"
        case ssl.SSLCertVerificationError():
            words = f"its certificate is not valid: {failure.verify_message}"
        case ConnectionRefusedError():
            words = "it refuses the connection"
        case http.client.IncompleteRead() | ConnectionError() | ssl.SSLEOFError():
            words = "it closes the connection before the end of its answer"
        case http.client.HTTPException():
            words = f"it does not answer in HTTP: {failure!r}"
        case OSError() if failure.errno in NO_WAY:
            words = "there is no way to its address from here (Lambda has IPv6 only in a VPC)"
        case _:
            words = str(failure)
    return words or repr(failure)
