"""Checks whether a site is up. Whatever the server does, there is a result, and it comes in time."""

import contextlib
import http.client
import socket
import ssl
import string
import time
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from cron.addresses import ForbiddenError
from cron.connection import UNREACHABLE, Connection, Limits, TooManyBytesError

MAX_REDIRECTS = 5
"""Honest sites need two: to https, and to www or a language."""
MAX_BODY_BYTES = 64 * 1024
"""Enough to see that the page is really sent. The rest is not fetched."""
MAX_BYTES = 4 * MAX_BODY_BYTES
"""Limit for all bytes received for one URL: its redirects, headers and body."""
MAX_ERROR = 300
"""Longest error text that is stored (characters). It is limited because a server can influence the text."""

_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The result of checking one URL."""

    url: str
    checked_at: float
    """Seconds since 1970."""
    milliseconds: int
    """From resolving the name to the end of the page, or to the failure. Redirects are included."""
    status: int | None
    """HTTP status of the last answer; None if there was none."""
    error: str | None
    """The reason why the site counts as down, for a person; None if it is up."""
    certificate_days_left: int | None
    """Whole days until the first certificate on the way expires; None without TLS, or if none could be verified."""

    @property
    def up(self) -> bool:
        """Whether the URL answered in time with a 2xx status, after its redirects."""
        return self.error is None


@dataclass(slots=True)
class _Answers:
    """Facts from the answers received so far."""

    status: int | None = None
    certificate_expires: float | None = None


def check(url: str, *, timeout: float, allow_private: bool) -> Result:
    """Request the URL and return the result after at most `timeout` seconds.

    Nothing that the server does raises an error.
    """
    checked_at, started = time.time(), time.monotonic()
    answers, error = _Answers(), None
    try:
        _follow_redirects(url, Limits(started + timeout, MAX_BYTES), answers, allow_private=allow_private)
    except (OSError, http.client.HTTPException, ForbiddenError, TooManyBytesError, ValueError) as failure:
        error = describe_failure(failure, timeout)[:MAX_ERROR]
    return Result(
        url=url,
        checked_at=checked_at,
        milliseconds=round((time.monotonic() - started) * 1000),
        status=answers.status,
        error=error or _status_error(answers.status),
        certificate_days_left=_whole_days(checked_at, answers.certificate_expires),
    )


def _follow_redirects(url: str, limits: Limits, answers: _Answers, *, allow_private: bool) -> None:
    for _ in range(MAX_REDIRECTS + 1):
        # Every redirect is checked again, because a public site must not lead to a private address.
        with contextlib.closing(Connection(url, limits, allow_private=allow_private)) as connection:
            location = _request(connection, answers)
        if location is None:
            return
        url = urljoin(url, _quote_location(location))
    raise ForbiddenError(f"it redirects more than {MAX_REDIRECTS} times")


def _request(connection: Connection, answers: _Answers) -> str | None:
    """Send one request, and return the location that it redirects to; None if it answers with a page."""
    with connection.get() as response:
        answers.status = response.status
        expiries = [at for at in (answers.certificate_expires, connection.certificate_expires) if at is not None]
        answers.certificate_expires = min(expiries, default=None)
        location = response.getheader("Location") if response.status in _REDIRECTS else None
        if location is None:
            body = response.read(MAX_BODY_BYTES)
            if len(body) < MAX_BODY_BYTES and response.length:  # read() itself accepts a body that is cut off
                raise http.client.IncompleteRead(body, response.length)
        return location


def _quote_location(location: str) -> str:
    # Some servers send spaces and non-ASCII letters unquoted, and http.client decodes them as Latin-1.
    return quote(location.encode("latin-1"), safe=string.punctuation)


def _status_error(status: int | None) -> str | None:
    if status is not None and http.HTTPStatus.OK <= status < http.HTTPStatus.MULTIPLE_CHOICES:
        return None
    return f"it answers {status} {http.client.responses.get(status or 0, '')}".rstrip()


def _whole_days(start: float, end: float | None) -> int | None:
    return None if end is None else int((end - start) // 86400)


def describe_failure(failure: Exception, timeout: float) -> str:
    """Return the reason of a failure, for a person; `timeout` in seconds."""
    match failure:
        case TimeoutError():
            reason = f"no complete answer within {timeout:g} s"
        case TooManyBytesError():
            reason = f"it sends more than {MAX_BYTES:,} bytes before its page has begun"
        case socket.gaierror() | UnicodeError():
            reason = "its name does not resolve"
        case ssl.SSLCertVerificationError():
            reason = f"its certificate is not valid: {failure.verify_message}"
        case ConnectionRefusedError():
            reason = "it refuses the connection"
        case http.client.IncompleteRead() | ConnectionError() | ssl.SSLEOFError():
            reason = "it closes the connection before the end of its answer"
        case http.client.HTTPException():
            reason = f"it does not answer in HTTP: {failure!r}"
        case OSError() if failure.errno in UNREACHABLE:
            reason = "there is no way to its address from here (Lambda has IPv6 only in a VPC)"
        case _:
            reason = str(failure)
    return reason or repr(failure)
