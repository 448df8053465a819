"""Checks whether a site is up. The check always returns a result within its time limit, whatever the server does."""

import contextlib
import http.client
import socket
import ssl
import time
from dataclasses import dataclass

from cron.addresses import ForbiddenError
from cron.connection import UNREACHABLE_ERRORS, Connection, Limits, TooManyBytesError
from cron.cookies import Cookies
from cron.urls import join_location

MAX_REDIRECTS = 20
"""Maximum number of redirects. Browsers have the same limit. https://fetch.spec.whatwg.org/#http-redirect-fetch"""
MAX_BODY_BYTES = 64 * 1024
"""Number of bytes of a page that are read. They are enough to see that the server really sends the page."""
MAX_BYTES = 768 * 1024
"""Maximum number of bytes received for one answer, after decryption. It is enough for the 256 KiB of headers that
Chrome accepts, and for MAX_BODY_BYTES of a page in chunks of one byte. Answers with endless headers exceed it."""
MAX_ERROR_LENGTH = 300
"""Maximum length of a stored error text (characters). It is limited because a server can influence the text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The result of checking one URL."""

    url: str
    checked_at: float
    """Seconds since 1970, UTC."""
    milliseconds: int
    """Duration of the check, with name resolution and redirects."""
    status: int | None
    """HTTP status of the last answer, or None if the server sent no answer."""
    error: str | None
    """The reason why the site counts as down, as text for people, or None if the site is up."""
    certificate_days_left: int | None
    """Whole days until a certificate expires. If redirects lead to several certificates, the earliest expiry counts.
    The value is None if no certificate was verified, for example without TLS."""

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

    This function never raises an error, whatever the server does.
    """
    checked_at, started = time.time(), time.monotonic()
    answers, error = _Answers(), None
    try:
        _follow_redirects(url, started + timeout, answers, allow_private=allow_private)
    except (OSError, http.client.HTTPException, ForbiddenError, TooManyBytesError, ValueError) as failure:
        error = describe_failure(failure, timeout)[:MAX_ERROR_LENGTH]
    return Result(
        url=url,
        checked_at=checked_at,
        milliseconds=round((time.monotonic() - started) * 1000),
        status=answers.status,
        error=error or _status_error(answers.status),
        certificate_days_left=_whole_days(checked_at, answers.certificate_expires),
    )


def _follow_redirects(url: str, deadline: float, answers: _Answers, *, allow_private: bool) -> None:
    cookies = Cookies()
    for _ in range(MAX_REDIRECTS + 1):
        # Each new connection checks its address again, because a public site may redirect to a private address.
        limits = Limits(deadline, MAX_BYTES)
        with contextlib.closing(Connection(url, limits, allow_private=allow_private)) as connection:
            location = _request(connection, answers, cookies)
        if location is None:
            return
        url = join_location(connection.url, location)
    raise ForbiddenError(f"it redirects more than {MAX_REDIRECTS} times")


def _request(connection: Connection, answers: _Answers, cookies: Cookies) -> str | None:
    """Send one request. Return the location of a redirect, or None if the answer is no redirect."""
    with connection.get(cookies.header_for(connection.url)) as answer:
        answers.status = answer.status
        expiries = (answers.certificate_expires, connection.certificate_expires)
        answers.certificate_expires = min((expiry for expiry in expiries if expiry is not None), default=None)
        cookies.store(connection.url, answer.cookies())
        location = answer.location()
        if location is None:
            answer.read_page(MAX_BODY_BYTES)
        return location


def _status_error(status: int | None) -> str | None:
    if status is not None and http.HTTPStatus.OK <= status < http.HTTPStatus.MULTIPLE_CHOICES:
        return None
    return f"it answers {status} {http.client.responses.get(status or 0, '')}".rstrip()


def _whole_days(start: float, end: float | None) -> int | None:
    return None if end is None else int((end - start) // 86400)


def describe_failure(failure: Exception, timeout: float) -> str:
    """Return the reason of a failure as text for people. `timeout` is in seconds."""
    match failure:
        case TimeoutError():
            reason = f"no complete answer within {timeout:g} s"
        case TooManyBytesError():
            reason = f"it sends more than {MAX_BYTES:,} bytes, but not the first part of its page"
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
        case OSError() if failure.errno in UNREACHABLE_ERRORS:
            reason = "there is no way to its address from here (Lambda has IPv6 only in a VPC)"
        case _:
            reason = str(failure)
    return reason or repr(failure)
