"""One URL in, one result out: whatever the server does, and in time."""

import contextlib
import errno
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from cron.check import MAX_BYTES, MAX_ERROR, MAX_REDIRECTS, Result, check, in_words
from cron.connection import Connection, Limits, tls_context
from tests.handlers.cron.conftest import PRIVATE, Serve, serving
from tests.handlers.cron.sites import (
    OK,
    Behaviour,
    hangs,
    in_turn,
    redirects_to,
    resolver,
    says,
    site,
    then,
    without_end,
)

TIMEOUT = 0.2
"""Seconds; a server that never ends is cut off after as many."""
PATIENCE = 5.0


def checked(url: str, timeout: float = PATIENCE, *, allow_private: bool = True) -> Result:
    """The result, which has to come in time."""
    started = time.monotonic()
    result = check(url, timeout=timeout, allow_private=allow_private)
    assert time.monotonic() - started < timeout + 10, "a machine under load is slow, but not that slow"
    return result


# -- up


def test_a_site_that_answers_is_up(serve: Serve) -> None:
    served = serve(says(OK))
    before = time.time()
    result = checked(served.url + "path?query=1#fragment")
    assert (result.up, result.status, result.error) == (True, 200, None)
    assert before - 1 < result.checked_at <= time.time()
    assert 0 <= result.milliseconds < 5000
    assert result.certificate_days_left is None
    request = served.requests[0].decode()
    assert request.startswith("GET /path?query=1 HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{served.port}\r\n" in request
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
def test_the_host_is_told_as_browsers_do(url: str, host: str) -> None:
    client, server = socket.socketpair()
    with server, contextlib.closing(Connection(url, Limits(time.monotonic() + 5, 9999), allow_private=True)) as one:
        one.sock = client  # instead of connecting
        server.sendall(OK)
        with one.get():
            assert f"\r\nHost: {host}\r\n".encode() in server.recv(4096)


@pytest.mark.parametrize("status", [200, 201, 204, 206])
def test_every_2xx_is_up(serve: Serve, status: int) -> None:
    served = serve(says(f"HTTP/1.1 {status} Fine\r\nContent-Length: 0\r\n\r\n".encode()))
    assert checked(served.url).up


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, "it answers 404 Not Found"),
        (500, "it answers 500 Internal Server Error"),
        (503, "it answers 503 Service Unavailable"),
        (304, "it answers 304 Not Modified"),
        (302, "it answers 302 Found"),  # and does not say where
        (101, "it answers 101 Switching Protocols"),
        (599, "it answers 599"),
    ],
)
def test_everything_else_is_down(serve: Serve, status: int, error: str) -> None:
    served = serve(says(f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode()))
    result = checked(served.url)
    assert (result.up, result.status, result.error) == (False, status, error)


def test_the_status_is_that_of_the_page_at_the_end_of_the_redirects(serve: Serve) -> None:
    page = serve(says(OK))
    moved = serve(redirects_to(page.url + "über uns?a=b c", 301))
    result = checked(moved.url)
    assert (result.up, result.status) == (True, 200)
    assert page.requests[0].startswith(b"GET /%FCber%20uns?a=b%20c HTTP/1.1")


def test_redirects_may_be_relative(serve: Serve) -> None:
    served = serve(in_turn(redirects_to("../other"), says(OK)))
    assert checked(served.url + "a/b").up
    assert served.requests[1].startswith(b"GET /other HTTP/1.1")


# -- down, and in time

LONG = b"a" * 60_000
NEVER_ENDING: dict[str, Behaviour] = {
    "says nothing": hangs,
    "a byte of the status line now and then": without_end(b"", b"H", 0.05),
    "a header now and then": without_end(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", 0.05),
    "headers and then no body": then(says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), hangs),
    "a byte of the body now and then": without_end(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b".", 0.05),
    "a chunk now and then": without_end(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n.\r\n", 0.05),
    "continue, now and then": without_end(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
}


@pytest.mark.parametrize("behaviour", NEVER_ENDING.values(), ids=NEVER_ENDING)
def test_what_never_ends_is_cut_off(serve: Serve, behaviour: Behaviour) -> None:
    result = checked(serve(behaviour).url, TIMEOUT)
    assert result.error == "no complete answer within 0.2 s"
    assert result.milliseconds >= 200


def test_a_handshake_that_never_comes_is_cut_off(serve: Serve) -> None:
    served = serve(hangs)
    result = checked(f"https://127.0.0.1:{served.port}/", TIMEOUT)
    assert result.error == "no complete answer within 0.2 s"


def test_redirects_share_the_time(serve: Serve) -> None:
    served = serve(then(lambda _: time.sleep(0.08), redirects_to("/")))
    result = checked(served.url, TIMEOUT)
    assert result.error == "no complete answer within 0.2 s"
    assert len(served.requests) <= 3


TOO_MUCH = f"it sends more than {MAX_BYTES:,} bytes before its page has begun"
HOSTILE: dict[str, tuple[Behaviour, str]] = {
    "long headers": (without_end(b"HTTP/1.1 200 OK\r\n", b"A: " + LONG + b"\r\n"), TOO_MUCH),
    "many headers": (without_end(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"), "it does not answer in HTTP: HTTPException("),
    "a header without end": (without_end(b"HTTP/1.1 200 OK\r\nA: ", LONG), "it does not answer in HTTP: LineTooLong("),
    "a status without end": (without_end(b"HTTP/1.1 200 ", LONG), "it does not answer in HTTP: LineTooLong("),
    "continue without end": (without_end(b"", b"HTTP/1.1 100 Continue\r\nA: " + LONG + b"\r\n\r\n"), TOO_MUCH),
    "another protocol": (says(b"SSH-2.0-OpenSSH_9.9\r\n"), "it does not answer in HTTP: BadStatusLine("),
    "much nonsense": (says(b"?" * 9000 + b"\n"), "it does not answer in HTTP: BadStatusLine("),
    "noise": (says(bytes(range(256)) * 9), "it does not answer in HTTP: BadStatusLine("),
    "a status that is none": (says(b"HTTP/1.1 two hundred\r\n\r\n"), "it does not answer in HTTP: BadStatusLine("),
    "nothing": (says(), "it closes the connection before the end of its answer"),
    "half a body": (
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
        "it closes the connection before the end of its answer",
    ),
    "no chunks": (
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n"),
        "it closes the connection before the end of its answer",
    ),
}


@pytest.mark.parametrize(("behaviour", "error"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_answer_is_a_result(serve: Serve, behaviour: Behaviour, error: str) -> None:
    result = checked(serve(behaviour).url)
    assert result.error is not None
    assert result.error.startswith(error)
    assert len(result.error) <= MAX_ERROR
    assert not result.up


@pytest.mark.parametrize(
    "start", [b"Content-Length: 99999999999\r\n", b"", b"Transfer-Encoding: chunked\r\n"], ids=["length", "", "chunked"]
)
def test_of_gigabytes_only_the_beginning_is_read(serve: Serve, start: bytes) -> None:
    chunk = b"8000\r\n" + b"." * 0x8000 + b"\r\n"
    sent = []

    def gigabytes(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + start + b"\r\n")
        while True:
            connection.sendall(chunk)
            sent.append(len(chunk))

    result = checked(serve(gigabytes).url)
    assert (result.up, result.status) == (True, 200)
    assert sum(sent) < 20 * 1024**2, "what fits into the two machines' buffers"


def test_redirects_without_end_are_given_up(serve: Serve) -> None:
    served = serve(redirects_to("/"))
    result = checked(served.url)
    assert (result.status, result.error) == (302, "it redirects more than 5 times")
    assert len(served.requests) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("ftp://127.0.0.1/", "only http and https are requested, not 'ftp'"),
        ("file:///etc/passwd", "only http and https are requested, not 'file'"),
        ("http://user:secret@127.0.0.1/", "a URL with a host and without a password is needed"),
        ("https://", "a URL with a host and without a password is needed"),
        ("http://[::1", "Invalid IPv6 URL"),
        ("http://127.0.0.1:99999/", "Port out of range 0-65535"),
        ("http://" + "a" * 64 + ".example/", "its name does not resolve"),
    ],
)
def test_redirects_to_what_is_no_site_are_a_result(serve: Serve, location: str, error: str) -> None:
    assert checked(serve(redirects_to(location)).url).error == error


def test_nobody_there_is_a_result() -> None:
    with site(hangs) as gone:
        url = gone.url
    result = checked(url)
    assert (result.status, result.error) == (None, "it refuses the connection")


def test_an_error_without_words_is_an_error_all_the_same() -> None:
    assert in_words(OSError(), 1) == "OSError()"


def test_a_name_that_does_not_resolve_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver({}))
    assert checked("http://no-such-name.invalid/").error == "its name does not resolve"


def test_a_resolver_that_hangs_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", resolver({"slow.example": lambda: [str(released.wait())]}))
    assert checked("http://slow.example/", TIMEOUT).error == "no complete answer within 0.2 s"
    released.set()


def test_an_address_that_does_not_answer_leaves_the_others(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve(says(OK))
    monkeypatch.setattr(socket, "getaddrinfo", resolver({"two.example": ["127.0.0.3", "::1", "127.0.0.1"]}))
    assert checked(f"http://two.example:{served.port}/").up


def test_an_address_that_hangs_leaves_time_for_the_others(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve(says(OK))
    connect = socket.socket.connect

    def hanging(sock: socket.socket, address: tuple[str, int]) -> None:
        if address[0] == "127.0.0.3":
            seconds = sock.gettimeout()
            assert seconds is not None
            time.sleep(seconds)
            raise TimeoutError
        connect(sock, address)

    monkeypatch.setattr("cron.connection._PlainSocket.connect", hanging)
    monkeypatch.setattr(socket, "getaddrinfo", resolver({"two.example": ["127.0.0.3", "127.0.0.1"]}))
    result = checked(f"http://two.example:{served.port}/", 1)
    assert result.up
    assert result.milliseconds >= 500, "half the time for each of two"


# -- only where it may go


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1"])
def test_private_addresses_are_not_requested_unless_allowed(serve: Serve, host: str) -> None:
    served = serve(says(OK))
    result = checked(f"http://{host}:{served.port}/", allow_private=False)
    assert result.error is not None
    assert result.error.endswith("and that is not a public address")
    assert served.requests == []


@pytest.mark.usefixtures("guarded")
def test_a_public_site_cannot_lead_to_a_private_one(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = serve(says(OK))
    monkeypatch.setattr(socket, "getaddrinfo", resolver({"public.example": ["127.0.0.1"], "inside": [PRIVATE]}))
    public = serve(redirects_to(f"http://inside:{secret.port}/"))
    result = checked(f"http://public.example:{public.port}/", allow_private=False)
    assert result.error == f"inside is at {PRIVATE}, and that is not a public address"
    assert len(public.requests) == 1
    assert secret.requests == []


@pytest.mark.usefixtures("guarded")
def test_the_address_that_was_judged_is_the_one_that_is_requested(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers with a public address first, and with a private one when asked again (DNS rebinding)."""
    served = serve(says(OK))
    answers = iter([["127.0.0.1"], [PRIVATE]])
    monkeypatch.setattr(socket, "getaddrinfo", resolver({"rebinding.example": lambda: next(answers)}))
    assert checked(f"http://rebinding.example:{served.port}/", allow_private=False).up
    assert next(answers) == [PRIVATE], "it was asked once"
    assert f"Host: rebinding.example:{served.port}".encode() in served.requests[0]


def test_no_way_to_one_address_does_not_hide_what_another_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a VPC, Lambda has no way to any IPv6 address; the site's own fault is that it refuses."""
    connect = socket.socket.connect

    def without_ipv6(sock: socket.socket, address: tuple[str, int]) -> None:
        if address[0] == "::1":
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        connect(sock, address)

    with site(hangs) as gone:
        port = gone.port
    monkeypatch.setattr("cron.connection._PlainSocket.connect", without_ipv6)
    monkeypatch.setattr(socket, "getaddrinfo", resolver({"two.example": ["127.0.0.1", "::1"], "six.example": ["::1"]}))
    assert checked(f"http://two.example:{port}/").error == "it refuses the connection"
    words = "there is no way to its address from here (Lambda has IPv6 only in a VPC)"
    assert checked(f"http://six.example:{port}/").error == words


# -- certificates


def test_certificates_are_judged_as_browsers_do_on_every_python() -> None:
    assert not tls_context().verify_flags & ssl.VERIFY_X509_STRICT


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver({"site.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]}))


def days_from_now(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


@pytest.mark.usefixtures("names")
def test_the_days_of_a_certificate_are_counted(serve: Serve, authority: trustme.CA) -> None:
    certificate = authority.issue_cert("site.test", not_after=days_from_now(30.5))
    served = serve(says(OK), serving(certificate))
    result = checked(f"https://site.test:{served.port}/")
    assert (result.up, result.certificate_days_left) == (True, 30)


@pytest.mark.usefixtures("names")
def test_the_first_certificate_to_end_counts(serve: Serve, authority: trustme.CA) -> None:
    page = serve(says(OK), serving(authority.issue_cert("other.test", not_after=days_from_now(90.5))))
    moved = serve(
        redirects_to(f"https://other.test:{page.port}/"),
        serving(authority.issue_cert("site.test", not_after=days_from_now(7.5))),
    )
    result = checked(f"https://site.test:{moved.port}/")
    assert (result.up, result.certificate_days_left) == (True, 7)


@pytest.mark.usefixtures("names")
def test_a_bad_certificate_is_a_result(serve: Serve, authority: trustme.CA) -> None:
    certificates = {
        "certificate has expired": authority.issue_cert("site.test", not_after=days_from_now(-1)),
        "certificate is not yet valid": authority.issue_cert("site.test", not_before=days_from_now(1)),
        "Hostname mismatch, certificate is not valid for 'site.test'.": authority.issue_cert("other.test"),
        "unable to get local issuer certificate": trustme.CA().issue_cert("site.test"),
    }
    for reason, certificate in certificates.items():
        served = serve(says(OK), serving(certificate))
        result = checked(f"https://site.test:{served.port}/")
        assert result.error == f"its certificate is not valid: {reason}"
        assert (result.up, result.status, result.certificate_days_left) == (False, None, None)
        assert served.requests == [], "nothing is said to a server that is not the one it claims to be"


@pytest.mark.usefixtures("names")
def test_a_self_signed_certificate_is_a_result(serve: Serve) -> None:
    """Without any authority of the tests'."""
    served = serve(says(OK), serving(trustme.CA().issue_cert("site.test")))
    result = checked(f"https://site.test:{served.port}/")
    assert result.error is not None
    assert result.error.startswith("its certificate is not valid: ")


@pytest.mark.usefixtures("names")
def test_what_never_ends_is_cut_off_under_tls_too(serve: Serve, authority: trustme.CA) -> None:
    context = serving(authority.issue_cert("site.test"))
    dripping = without_end(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b".", 0.05)
    result = checked(f"https://site.test:{serve(dripping, context).port}/", 2 * TIMEOUT)
    assert (result.status, result.error) == (200, "no complete answer within 0.4 s")
    headers = without_end(b"HTTP/1.1 200 OK\r\n", b"A: " + LONG + b"\r\n")
    assert checked(f"https://site.test:{serve(headers, context).port}/").error == TOO_MUCH


@pytest.mark.usefixtures("names")
def test_a_server_without_tls_is_a_result(serve: Serve) -> None:
    served = serve(says(OK))
    result = checked(f"https://site.test:{served.port}/")
    assert result.error is not None
    assert "SSL" in result.error
