"""These tests check one URL. The check always returns a result in time, even if the server behaves badly."""

import contextlib
import errno
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from cron.check import MAX_BYTES, MAX_ERROR_LENGTH, MAX_REDIRECTS, describe_failure
from cron.connection import Connection, Limits, make_tls_context
from tests.handlers.cron.conftest import Resolve, Serve, check_in_time, server_context
from tests.handlers.cron.sites import (
    OK,
    Behaviour,
    hang,
    in_sequence,
    one_per_connection,
    redirect_to,
    run_site,
    send,
    send_forever,
)

SHORT_TIMEOUT = 0.2
TIMED_OUT = "no complete answer within 0.2 s"
ENDED_EARLY = "it closes the connection before the end of its answer"
NOT_HTTP = "it does not answer in HTTP: "
TOO_MANY_BYTES = f"it sends more than {MAX_BYTES:,} bytes, but not the first part of its page"
INVALID_CERTIFICATE = "its certificate is not valid: "
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG_LINE = b"a" * 60_000
LONG_HEADERS = send_forever(b"HTTP/1.1 200 OK\r\n", b"A: " + LONG_LINE + b"\r\n")


def start_of_answer(body_length: int) -> bytes:
    """Return the status line and the headers of an answer whose body has this length."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % body_length


SLOW_BODY = send_forever(start_of_answer(9999), b".", 0.05)


# --- a site is up or down ---


def test_a_site_that_answers_is_up(serve: Serve) -> None:
    site = serve(send(OK))
    before = time.time()
    result = check_in_time(site.url + "path?query=1#fragment")
    assert (result.up, result.status, result.error) == (True, 200, None)
    assert before - 1 < result.checked_at <= time.time()
    assert 0 <= result.milliseconds < 5000
    assert result.certificate_days_left is None
    request = site.requests[0].decode()
    assert request.startswith("GET /path?query=1 HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{site.port}\r\n" in request
    assert "\r\nUser-Agent: aws-compute-examples-cron/1\r\n" in request


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://site.test/", "site.test"),
        ("https://site.test/", "site.test"),
        ("https://SITE.test.:443/", "site.test"),
        ("http://site.test:443/", "site.test:443"),
        ("https://[2001:db8::1]/", "[2001:db8::1]"),
    ],
)
def test_the_host_header_is_the_same_as_a_browser_sends(url: str, host: str) -> None:
    client, server = socket.socketpair()
    limits = Limits(time.monotonic() + 5, 9999)
    with server, contextlib.closing(Connection(url, limits, allow_private=True)) as connection:
        connection.sock = client  # instead of a connection to the address in the URL
        server.sendall(OK)
        with connection.get():
            assert f"\r\nHost: {host}\r\n".encode() in server.recv(4096)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, None) for status in (200, 201, 204, 206)),
        (404, "it answers 404 Not Found"),
        (500, "it answers 500 Internal Server Error"),
        (503, "it answers 503 Service Unavailable"),
        (304, "it answers 304 Not Modified"),
        (302, "it answers 302 Found"),  # a redirect without a location
        (101, "it answers 101 Switching Protocols"),
        (599, "it answers 599"),
    ],
)
def test_a_site_is_up_if_its_status_is_2xx(serve: Serve, status: int, error: str | None) -> None:
    site = serve(send(f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode()))
    result = check_in_time(site.url)
    assert (result.up, result.status, result.error) == (error is None, status, error)


def test_the_page_after_all_redirects_decides_whether_the_site_is_up(serve: Serve) -> None:
    page = serve(send(OK))
    moved_site = serve(one_per_connection(redirect_to("../other"), redirect_to(page.url + "über uns?a=b c", 301)))
    result = check_in_time(moved_site.url + "a/b")
    assert (result.up, result.status) == (True, 200)
    assert moved_site.requests[1].startswith(b"GET /other HTTP/1.1")
    assert page.requests[0].startswith(b"GET /%FCber%20uns?a=b%20c HTTP/1.1")


# --- a site that answers badly is down, and the check ends in time ---


@pytest.mark.parametrize(
    ("scheme", "behaviour"),
    [
        pytest.param("http", hang, id="sends-nothing"),
        pytest.param("http", send_forever(b"", b"H", 0.05), id="slow-status-line"),
        pytest.param("http", send_forever(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", 0.05), id="slow-headers"),
        pytest.param("http", in_sequence(send(start_of_answer(9)), hang), id="no-body"),
        pytest.param("http", SLOW_BODY, id="slow-body"),
        pytest.param("http", send_forever(CHUNKED, b"1\r\n.\r\n", 0.05), id="slow-chunks"),
        pytest.param("http", send_forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05), id="slow-continues"),
        pytest.param("http", in_sequence(lambda _: time.sleep(0.08), redirect_to("/")), id="slow-redirects"),
        pytest.param("https", hang, id="no-tls-handshake"),
    ],
)
def test_the_check_of_an_answer_that_never_ends_times_out(serve: Serve, scheme: str, behaviour: Behaviour) -> None:
    site = serve(behaviour)
    result = check_in_time(f"{scheme}://127.0.0.1:{site.port}/", SHORT_TIMEOUT)
    assert result.error == TIMED_OUT
    assert result.milliseconds >= 200
    assert len(site.requests) <= 3, "a redirect got a new timeout"


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        pytest.param(LONG_HEADERS, TOO_MANY_BYTES, id="long-headers"),
        pytest.param(send_forever(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 1000), TOO_MANY_BYTES, id="many-headers"),
        pytest.param(send_forever(b"HTTP/1.1 200 OK\r\nA: ", LONG_LINE), TOO_MANY_BYTES, id="endless-line"),
        pytest.param(send_forever(b"HTTP/1.1 200 ", LONG_LINE), TOO_MANY_BYTES, id="endless-status"),
        pytest.param(
            send_forever(b"", b"HTTP/1.1 100 Continue\r\nA: " + LONG_LINE + b"\r\n\r\n"),
            TOO_MANY_BYTES,
            id="endless-continues",
        ),
        pytest.param(send(b"SSH-2.0-OpenSSH_9.9\r\n"), f"{NOT_HTTP}BadStatusLine(", id="other-protocol"),
        pytest.param(send(b"?" * 9000 + b"\n"), f"{NOT_HTTP}BadStatusLine(", id="long-nonsense"),
        pytest.param(send(bytes(range(256)) * 9), f"{NOT_HTTP}BadStatusLine(", id="all-bytes"),
        pytest.param(send(b"HTTP/1.1 two hundred\r\n\r\n"), f"{NOT_HTTP}BadStatusLine(", id="status-in-words"),
        pytest.param(send(), ENDED_EARLY, id="empty"),
        pytest.param(send(start_of_answer(9), b"half"), ENDED_EARLY, id="half-a-body"),
        pytest.param(
            send(CHUNKED, b"no chunk\r\n"), f"{NOT_HTTP}HTTPException('a chunk has a wrong size')", id="no-chunks"
        ),
    ],
)
def test_the_result_describes_an_invalid_answer(serve: Serve, behaviour: Behaviour, error: str) -> None:
    result = check_in_time(serve(behaviour).url)
    assert result.error is not None
    assert result.error.startswith(error)
    assert len(result.error) <= MAX_ERROR_LENGTH
    assert not result.up


@pytest.mark.parametrize(
    "header",
    [b"Content-Length: 99999999999\r\n", b"", b"Transfer-Encoding: chunked\r\n"],
    ids=["length", "no-length", "chunked"],
)
def test_only_the_beginning_of_a_huge_page_is_read(serve: Serve, header: bytes) -> None:
    chunk = b"8000\r\n" + b"." * 0x8000 + b"\r\n"
    sent_lengths = []

    def send_gigabytes(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n")
        while True:
            connection.sendall(chunk)
            sent_lengths.append(len(chunk))

    result = check_in_time(serve(send_gigabytes).url)
    assert (result.up, result.status) == (True, 200)
    assert sum(sent_lengths) < 20 * 1024**2, "the site sent more than the buffers of both sides can hold"


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("/", "it redirects more than 20 times"),
        ("ftp://127.0.0.1/", "only http and https are requested, not 'ftp'"),
        ("file:///etc/passwd", "only http and https are requested, not 'file'"),
        ("mailto:me@example.com", "only http and https are requested, not 'mailto'"),
        ("https://", "it redirects to 'https://', and that is not a valid URL"),
        ("http://[::1", "it redirects to 'http://[::1', and that is not a valid URL"),
        ("http://127.0.0.1:99999/", "it redirects to 'http://127.0.0.1:99999/', and that is not a valid URL"),
        ("http://a b/", "it redirects to 'http://a b/', and that is not a valid URL"),
        ("http://./", "a URL with a host and without a password is needed"),
        ("http://" + "a" * 64 + ".example/", "its name does not resolve"),
    ],
)
def test_the_result_describes_an_invalid_redirect(serve: Serve, location: str, error: str) -> None:
    site = serve(redirect_to(location))
    result = check_in_time(site.url)
    assert (result.status, result.error) == (302, error)
    assert len(site.requests) == (1 + MAX_REDIRECTS if location == "/" else 1)


def test_the_urls_of_the_settings_are_checked_more_strictly_than_redirects(serve: Serve) -> None:
    """A password in the settings would be in the logs, too."""
    site = serve(send(OK))
    result = check_in_time(f"http://user:secret@127.0.0.1:{site.port}/")
    assert result.error == "a URL with a host and without a password is needed"
    assert check_in_time("//127.0.0.1/").error == "'//127.0.0.1/' is not a valid URL"
    assert site.requests == []


def test_the_result_describes_a_failed_connection(resolve: Resolve) -> None:
    with run_site(hang) as closed_site:
        url = closed_site.url
    result = check_in_time(url)
    assert (result.status, result.error) == (None, "it refuses the connection")
    resolver_may_answer = threading.Event()
    resolve({"slow.example": lambda: [str(resolver_may_answer.wait())]})
    assert check_in_time("http://no-such-name.invalid/").error == "its name does not resolve"
    assert check_in_time("http://slow.example/", SHORT_TIMEOUT).error == TIMED_OUT
    resolver_may_answer.set()
    assert describe_failure(OSError(), 1) == "OSError()", "an error without a text is described by its type"


# --- names with several addresses ---


def fail_to_connect(monkeypatch: pytest.MonkeyPatch, failing_address: str, failure: OSError) -> None:
    """Make connections to one address fail: after the timeout for a TimeoutError, at once for other failures."""
    connect = socket.socket.connect

    def fake_connect(sock: socket.socket, address: tuple[Any, ...]) -> None:
        if address[0] == failing_address:
            if isinstance(failure, TimeoutError):
                time.sleep(sock.gettimeout() or 0)
            raise failure
        connect(sock, address)

    monkeypatch.setattr("cron.connection._PlainSocket.connect", fake_connect)


def test_an_address_that_fails_leaves_time_for_the_other_addresses(
    serve: Serve, resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = serve(send(OK))
    resolve({"two.example": ["127.0.0.3", "127.0.0.1"]})
    url = f"http://two.example:{site.port}/"
    assert check_in_time(url, 1).up, "the check did not try the second address"
    fail_to_connect(monkeypatch, "127.0.0.3", TimeoutError())
    result = check_in_time(url, 1)
    assert result.up
    assert result.milliseconds >= 500, "the first address did not get half the time"


def test_an_unreachable_address_does_not_hide_the_error_of_another_address(
    resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a VPC, Lambda reaches no IPv6 address. But a refused connection is a fault of the site."""
    with run_site(hang) as closed_site:
        port = closed_site.port
    fail_to_connect(monkeypatch, "::1", OSError(errno.ENETUNREACH, "Network is unreachable"))
    resolve({"46.example": ["127.0.0.1", "::1"], "64.example": ["::1", "127.0.0.1"], "six.example": ["::1"]})
    assert check_in_time(f"http://46.example:{port}/").error == "it refuses the connection"
    assert check_in_time(f"http://64.example:{port}/").error == "it refuses the connection"
    unreachable = "there is no way to its address from here (Lambda has IPv6 only in a VPC)"
    assert check_in_time(f"http://six.example:{port}/").error == unreachable


# --- private addresses ---


@pytest.mark.parametrize(
    "host",
    # The C library also reads unusual spellings of 127.0.0.1. So the check must use the address from the library.
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1", "017700000001"],
)
def test_a_private_address_is_not_requested_if_private_addresses_are_forbidden(serve: Serve, host: str) -> None:
    site = serve(send(OK))
    result = check_in_time(f"http://{host}:{site.port}/", allow_private=False)
    assert result.error is not None
    assert result.error.endswith("and that is not a public address")
    assert site.requests == []


@pytest.mark.usefixtures("public_localhost")
def test_a_public_site_cannot_redirect_to_a_private_site(serve: Serve, resolve: Resolve) -> None:
    private_site = serve(send(OK))
    resolve({"public.example": ["127.0.0.1"], "inside": ["127.0.0.2"]})
    public_site = serve(redirect_to(f"http://inside:{private_site.port}/"))
    result = check_in_time(f"http://public.example:{public_site.port}/", allow_private=False)
    assert result.error == "inside is at 127.0.0.2, and that is not a public address"
    assert len(public_site.requests) == 1
    assert private_site.requests == []


@pytest.mark.usefixtures("public_localhost")
def test_the_connection_goes_to_the_address_that_was_checked(serve: Serve, resolve: Resolve) -> None:
    """The name has a public address first, and a private one when it is resolved again (DNS rebinding)."""
    site = serve(send(OK))
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    resolve({"rebinding.example": lambda: next(answers)})
    assert check_in_time(f"http://rebinding.example:{site.port}/", allow_private=False).up
    assert next(answers) == ["127.0.0.2"], "the name was resolved twice"
    assert f"Host: rebinding.example:{site.port}".encode() in site.requests[0]


# --- certificates ---


def test_every_python_version_checks_certificates_like_a_browser() -> None:
    assert not make_tls_context().verify_flags & ssl.VERIFY_X509_STRICT


@pytest.fixture
def names(resolve: Resolve) -> None:
    """Let the names site.test and other.test resolve to this machine."""
    resolve({"site.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]})


def days_from_now(days: float) -> datetime:
    """Return the time after this number of days."""
    return datetime.now(UTC) + timedelta(days=days)


@pytest.mark.usefixtures("names")
def test_the_result_has_the_days_of_the_certificate_that_expires_first(serve: Serve, authority: trustme.CA) -> None:
    page = serve(send(OK), server_context(authority.issue_cert("other.test", not_after=days_from_now(90.5))))
    result = check_in_time(f"https://other.test:{page.port}/")
    assert (result.up, result.certificate_days_left) == (True, 90)
    moved_site = serve(
        redirect_to(f"https://other.test:{page.port}/"),
        server_context(authority.issue_cert("site.test", not_after=days_from_now(7.5))),
    )
    result = check_in_time(f"https://site.test:{moved_site.port}/")
    assert (result.up, result.certificate_days_left) == (True, 7)


@pytest.mark.usefixtures("names")
def test_the_result_describes_an_invalid_certificate(serve: Serve, authority: trustme.CA) -> None:
    certificates = {
        "certificate has expired": authority.issue_cert("site.test", not_after=days_from_now(-1)),
        "certificate is not yet valid": authority.issue_cert("site.test", not_before=days_from_now(1)),
        "Hostname mismatch, certificate is not valid for 'site.test'.": authority.issue_cert("other.test"),
        "unable to get local issuer certificate": trustme.CA().issue_cert("site.test"),
    }
    for reason, certificate in certificates.items():
        site = serve(send(OK), server_context(certificate))
        result = check_in_time(f"https://site.test:{site.port}/")
        assert result.error == INVALID_CERTIFICATE + reason
        assert (result.up, result.status, result.certificate_days_left) == (False, None, None)
        assert site.requests == [], "a request was sent to a server that cannot prove its name"
    plain_site = serve(send(OK))
    assert "SSL" in str(check_in_time(f"https://site.test:{plain_site.port}/").error)


@pytest.mark.usefixtures("names")
def test_an_unknown_authority_is_not_trusted_by_default(serve: Serve) -> None:
    site = serve(send(OK), server_context(trustme.CA().issue_cert("site.test")))
    assert str(check_in_time(f"https://site.test:{site.port}/").error).startswith(INVALID_CERTIFICATE)


@pytest.mark.usefixtures("names")
def test_the_limits_also_apply_to_tls(serve: Serve, authority: trustme.CA) -> None:
    context = server_context(authority.issue_cert("site.test"))
    result = check_in_time(f"https://site.test:{serve(SLOW_BODY, context).port}/", 2 * SHORT_TIMEOUT)
    assert (result.status, result.error) == (200, "no complete answer within 0.4 s")
    assert check_in_time(f"https://site.test:{serve(LONG_HEADERS, context).port}/").error == TOO_MANY_BYTES
