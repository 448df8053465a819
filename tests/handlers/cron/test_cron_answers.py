"""The check accepts every answer that browsers accept, and keeps its limits."""

import contextlib
import gzip
import socket
import ssl
import struct
import time

import pytest
import trustme

from cron.answers import MAX_INTERIM_ANSWERS
from cron.check import MAX_BYTES
from cron.connection import Connection, Limits
from tests.handlers.cron.conftest import Resolve, Serve, check_in_time, server_context
from tests.handlers.cron.sites import OK, Behaviour, hang, in_sequence, send

NOT_HTTP = "it does not answer in HTTP: "
ENDED_EARLY = "it closes the connection before the end of its answer"
TOO_MANY_BYTES = f"it sends more than {MAX_BYTES:,} bytes, but not the first part of its page"
WRONG_SIZE = f"{NOT_HTTP}HTTPException('a chunk has a wrong size')"
START = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 2\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
GZIP = gzip.compress(b"ok")
LENGTH_9 = b"Content-Length: 9\r\n"

# The site keeps each of these connections open. So the check is in time only if it finds the end of the answer.
ANSWERS = {
    "103": HINTS + OK,
    "102": b"HTTP/1.1 102 Processing\r\n\r\n" + OK,
    "unknown-interim-status": b"HTTP/1.1 199 Soon\r\n\r\n" + OK,
    "several-interim-answers": b"HTTP/1.1 100 Continue\r\n\r\n" + HINTS * (MAX_INTERIM_ANSWERS - 1) + OK,
    "many-headers": START + b"X-A: b\r\n" * 5000 + LENGTH + b"\r\nok",
    "long-header": START + b"Content-Security-Policy: " + b"a" * 200_000 + b"\r\n" + LENGTH + b"\r\nok",
    "long-reason": b"HTTP/1.1 200 " + b"O" * 70_000 + b"\r\n" + LENGTH + b"\r\nok",
    "empty-reason": b"HTTP/1.1 200 \r\n" + LENGTH + b"\r\nok",
    "no-reason": b"HTTP/1.1 200\r\n" + LENGTH + b"\r\nok",
    "non-ascii-reason": b"HTTP/1.1 200 \xc3\xbc\xfc\r\n" + LENGTH + b"\r\nok",
    "lower-case-protocol": b"http/1.1 200 ok\r\n" + LENGTH + b"\r\nok",
    "http-1.0": b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\nok",
    "http-2-in-text": b"HTTP/2 200\r\n" + LENGTH + b"\r\nok",
    "two-spaces-before-the-status": b"HTTP/1.1  200 OK\r\n" + LENGTH + b"\r\nok",
    "empty-lines-before-the-status": b"\r\n\r\n" + OK,
    "bytes-before-the-status": b"\xef\xbb\xbf" + OK,
    "lines-before-the-status": b"x\r\n\n" + OK,
    "line-feeds": b"HTTP/1.1 200 OK\nA: b\nContent-Length: 2\n\nok",
    "folded-header": START + b"A: b\r\n  Content-Length: 9\r\n\tc\r\n" + LENGTH + b"\r\nok",
    "folded-length": START + b"Content-Length:\r\n 2\r\n\r\nok",
    "fold-before-the-first-header": START + b" a\r\n" + LENGTH + b"\r\nok",
    "no-colon": START + b"nonsense\r\n" + LENGTH + b"\r\nok",
    "no-name": START + b": nonsense\r\n" + LENGTH + b"\r\nok",
    "space-before-colon": START + b"Content-Length : 2\r\n\r\nok",
    "no-space-after-colon": START + b"content-length:2 \r\n\r\nok",
    "non-ascii-header": START + b"Server: \xff\xc3\xbc\r\n\xfc: a\r\n" + LENGTH + b"\r\nok",
    "equal-lengths": START + LENGTH * 2 + b"\r\nok",
    "equal-lengths-in-one-line": START + b"Content-Length: 2, 2\r\n\r\nok",
    "chunked": START + CHUNKED + b"\r\n" + CHUNKS,
    "chunked-twice": START + CHUNKED * 2 + b"\r\n" + CHUNKS,
    "chunked-in-a-list": START + b"Transfer-Encoding: gzip, Chunked\r\n\r\n" + CHUNKS,
    "chunked-with-lengths": START + CHUNKED + LENGTH + LENGTH_9 + b"\r\n" + CHUNKS,
    "identity": START + b"Transfer-Encoding: identity\r\n" + LENGTH + b"\r\nok",
    "chunk-extensions": START + CHUNKED + b'\r\n2;a=b;c="d"\r\nok\r\n0;last\r\n\r\n',
    "no-chunks-in-http-1.0": b"HTTP/1.0 200 OK\r\n" + CHUNKED + LENGTH + b"\r\nok",
    "chunk-sizes": START + CHUNKED + b"\r\n0002 \r\nok\r\nA\r\n0123456789\r\n000\r\n\r\n",
    "chunks-with-line-feeds": b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n" + CHUNKS.replace(b"\r", b""),
    "trailers": START + CHUNKED + b"Trailer: A\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n",
    "body-longer-than-its-length": OK + b"more" * 9999,
    "gzip": START
    + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(gzip.compress(b""))
    + gzip.compress(b""),
    "204-with-a-length": b"HTTP/1.1 204 No Content\r\n" + LENGTH_9 + b"\r\n",
    "204-with-a-body": b"HTTP/1.1 204 No Content\r\n" + LENGTH + b"\r\nok",
    "205-with-a-length": b"HTTP/1.1 205 Reset Content\r\n" + LENGTH_9 + b"\r\n",
    "205-with-a-body": b"HTTP/1.1 205 Reset Content\r\n" + LENGTH + b"\r\nok",
    "keep-alive": START + b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n" + LENGTH + b"\r\nok",
    "refresh-and-location": START + b"Refresh: 0; url=/x\r\nLocation: /x\r\n" + LENGTH + b"\r\nok",
}
# The server closes these connections.
ANSWERS_UNTIL_THE_END = {
    "no-length": START + b"\r\nok",
    "no-headers-in-http-1.0": b"HTTP/1.0 200 OK\r\n\r\n",
    "length-in-words": START + b"Content-Length: two\r\n\r\nok",
    "negative-length": START + b"Content-Length: -1\r\n\r\nok",
    "empty-length": START + b"Content-Length:\r\n\r\nok",
    "endless-length": START + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nok",
    "no-empty-line-after-the-last-chunk": START + CHUNKED + b"\r\n2\r\nok\r\n0\r\n",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_site_is_up_although_its_answer_is_unusual(serve: Serve, answer: bytes) -> None:
    result = check_in_time(serve(in_sequence(send(answer), hang)).url)
    assert (result.error, result.up) == (None, True)


@pytest.mark.parametrize("answer", ANSWERS_UNTIL_THE_END.values(), ids=ANSWERS_UNTIL_THE_END)
def test_an_answer_without_a_valid_length_lasts_until_the_connection_closes(serve: Serve, answer: bytes) -> None:
    assert check_in_time(serve(send(answer)).url).error is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(b"HTTP/1.1 101 Switching\r\n\r\n" + OK, "it answers 101 Switching Protocols", id="101"),
        pytest.param(HINTS + b"HTTP/1.1 503 Down\r\n\r\n", "it answers 503 Service Unavailable", id="103-then-503"),
        pytest.param(b"HTTP/1.1 300 Choices\r\n\r\n", "it answers 300 Multiple Choices", id="300"),
        pytest.param(b"HTTP/1.1 304 Same\r\n" + LENGTH_9 + b"\r\n", "it answers 304 Not Modified", id="304"),
        pytest.param(b"HTTP/1.1 999 No\r\n\r\n", "it answers 999", id="999"),
        pytest.param(HINTS, ENDED_EARLY, id="103-then-nothing"),
        pytest.param(
            HINTS * (MAX_INTERIM_ANSWERS + 1) + OK,
            f"{NOT_HTTP}HTTPException('more than {MAX_INTERIM_ANSWERS} answers with a status 1xx')",
            id="too-many-interim-answers",
        ),
        pytest.param(START + b"A: b\r\n" * (MAX_BYTES // 6), TOO_MANY_BYTES, id="too-many-headers"),
        pytest.param(b"HTTP/1.1 2000 OK\r\n\r\n", f"{NOT_HTTP}BadStatusLine(", id="four-digits"),
        pytest.param(b"nonsense" + OK, f"{NOT_HTTP}BadStatusLine(", id="nonsense-before-the-status"),
        pytest.param(START + b"Content-Le", ENDED_EARLY, id="half-a-header"),
        pytest.param(START + LENGTH, ENDED_EARLY, id="no-empty-line-after-the-headers"),
        pytest.param(
            START + LENGTH + LENGTH_9 + b"\r\nok",
            f"{NOT_HTTP}HTTPException('several different Content-Length headers')",
            id="different-lengths",
        ),
        pytest.param(
            START + LENGTH + b"Content-Length:\r\n\r\nok",
            f"{NOT_HTTP}HTTPException('several different Content-Length headers')",
            id="length-and-empty-length",
        ),
        pytest.param(
            b"HTTP/1.1 204 No Content\r\n" + LENGTH + LENGTH_9 + b"\r\n",
            f"{NOT_HTTP}HTTPException('several different Content-Length headers')",
            id="different-lengths-without-a-body",
        ),
        pytest.param(
            b"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\n\r\n",
            f"{NOT_HTTP}HTTPException('several different Location headers')",
            id="different-locations",
        ),
        pytest.param(
            b"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation:\r\n\r\n",
            f"{NOT_HTTP}HTTPException('several different Location headers')",
            id="location-and-empty-location",
        ),
        pytest.param(
            START + b"Location: /a\r\nLocation: /b\r\n" + LENGTH + b"\r\nok",
            f"{NOT_HTTP}HTTPException('several different Location headers')",
            id="different-locations-without-a-redirect",
        ),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: \r\n\r\n", "it answers 302 Found", id="empty-location"),
        pytest.param(START + CHUNKED + b"\r\n9\r\nhalf", ENDED_EARLY, id="half-a-chunk"),
        pytest.param(START + CHUNKED + b"\r\nfffff\r\nhalf", ENDED_EARLY, id="half-a-large-chunk"),
        pytest.param(START + CHUNKED + b"\r\n2\r\nok\r\n", ENDED_EARLY, id="no-last-chunk"),
        pytest.param(START + CHUNKED + b"\r\n2", ENDED_EARLY, id="half-a-chunk-size"),
        pytest.param(START + CHUNKED + b"\r\n2\r\nok", ENDED_EARLY, id="no-line-end-after-a-chunk"),
        pytest.param(START + CHUNKED + b"\r\n1\r\nok\r\n0\r\n\r\n", WRONG_SIZE, id="wrong-chunk-size"),
        pytest.param(START + CHUNKED + b"\r\n-2\r\nok\r\n0\r\n\r\n", WRONG_SIZE, id="negative-chunk-size"),
        pytest.param(START + CHUNKED + b"\r\n\r\n", WRONG_SIZE, id="no-chunk-size"),
    ],
)
def test_a_site_with_a_wrong_answer_is_down(serve: Serve, answer: bytes, error: str) -> None:
    result = check_in_time(serve(send(answer)).url)
    assert result.error is not None
    assert result.error.startswith(error)


def send_byte_by_byte(connection: socket.socket) -> None:
    for byte in HINTS + START + CHUNKED + b"\r\n" + CHUNKS:
        connection.sendall(bytes([byte]))


def reset(connection: socket.socket) -> None:
    """Close the connection with the flag RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize(
    "behaviour", [send_byte_by_byte, in_sequence(send(OK), reset)], ids=["byte-by-byte", "reset-after-the-answer"]
)
def test_a_site_is_up_although_it_sends_its_answer_in_an_unusual_way(serve: Serve, behaviour: Behaviour) -> None:
    assert check_in_time(serve(behaviour).url).error is None


def test_an_answer_counts_even_if_the_server_closes_before_it_reads_the_request() -> None:
    client, server = socket.socketpair()
    limits = Limits(time.monotonic() + 5, MAX_BYTES)
    with contextlib.closing(Connection("http://site.test/", limits, allow_private=True)) as connection:
        connection.sock = client  # instead of a connection to the address in the URL
        with server:
            server.sendall(OK)
        with connection.get() as answer:
            assert answer.status == 200
            answer.read_page(9)


def test_a_page_over_tls_may_end_without_the_end_of_tls(serve: Serve, resolve: Resolve, authority: trustme.CA) -> None:
    """Many servers close the connection without TLS's own end (close_notify). Browsers accept this."""
    resolve({"site.test": ["127.0.0.1"]})
    site = serve(send(START + b"\r\nok"), server_context(authority.issue_cert("site.test")))
    assert check_in_time(f"https://site.test:{site.port}/").error is None


@pytest.mark.parametrize("host", ["127.0.0.1", "site.test."], ids=["ip-address", "trailing-dot"])
def test_the_certificate_may_belong_to_an_address_or_to_a_name_without_the_dot(
    serve: Serve, resolve: Resolve, authority: trustme.CA, host: str
) -> None:
    resolve({"site.test": ["127.0.0.1"]})
    context: ssl.SSLContext = server_context(authority.issue_cert(host.rstrip(".")))
    assert check_in_time(f"https://{host}:{serve(send(OK), context).port}/").error is None
