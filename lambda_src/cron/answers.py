"""Reads answers as browsers do. http.client is stricter, and would count working sites as down.

http.client ends the check at status 102 and 103, at the 101st header, at a line of 64 KiB, and at a status line such as
`http/1.1 200`. It loses all headers after a line without a colon. This module follows the rules of Chrome, in its files
http_stream_parser.cc, http_util.cc, http_response_headers.cc and http_chunked_decoder.cc:
https://source.chromium.org/chromium/chromium/src/+/main:net/http/

This module is stricter than Chrome in these cases, because a working site does not send such an answer. Chrome shows an
answer without a status line as a page. It reads a missing status as 200, and accepts a status of four digits. After
101, it waits for another answer. Without TLS, it accepts headers that end early.

This module is less strict in these cases. Chrome refuses different Content-Disposition headers, and a byte 0 in the
headers. It also refuses a chunked page without the empty line at its end.
"""

import re
from collections.abc import Iterator
from http.client import BadStatusLine, HTTPException, IncompleteRead
from typing import BinaryIO, Self

MAX_INTERIM_ANSWERS = 100
"""Maximum number of answers with a status 1xx before the final answer. Real servers send a few, such as 103 Early
Hints. A server that reports its progress with 102 every second still stays below this number."""

_SWITCHING_PROTOCOLS = 101
_REDIRECTS = {301, 302, 303, 307, 308}
_WITHOUT_BODY = {_SWITCHING_PROTOCOLS, 204, 205, 304}
_MAX_BYTES_BEFORE_STATUS = 4
# The reason phrase does not matter. The version matters only for chunks.
_STATUS_LINE = re.compile(
    rb".{0,%d}?HTTP(?:/([0-9]+(?:\.[0-9]+)?))?[ \t]+([0-9]{3})(?![0-9])" % _MAX_BYTES_BEFORE_STATUS,
    re.IGNORECASE | re.DOTALL,
)
_FOLD = re.compile(rb"\r?\n[ \t]+")
# Spaces or tabs may come before an extension: RFC 9112, section 7.1.1. Chrome accepts spaces after each size.
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;.*)?\r?\n", re.DOTALL)


class Answer:
    """The final answer of a server. Leaving its context closes the stream."""

    def __init__(self, stream: BinaryIO) -> None:
        """Read the status line and the headers. The stream limits the bytes.

        Raises http.client.HTTPException if this is not HTTP, or if the stream ends too early, and the stream's errors.
        """
        self._stream = stream
        for _ in range(MAX_INTERIM_ANSWERS + 1):
            version, self.status = _read_status_line(stream)
            self._head = _read_headers(stream)
            # HTTP/1.0 has no chunks, so Chrome ignores the header Transfer-Encoding in such an answer.
            self._may_be_chunked = version >= b"1.1"
            # All other statuses 1xx announce another answer (RFC 9110, section 15.2). Nobody asked for 101.
            if self.status // 100 != 1 or self.status == _SWITCHING_PROTOCOLS:
                return
        raise HTTPException(f"more than {MAX_INTERIM_ANSWERS} answers with a status 1xx")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def cookies(self) -> Iterator[str]:
        """Return the values of the Set-Cookie headers."""
        return self._values("Set-Cookie")

    def location(self) -> str | None:
        """Return the location of a redirect, or None if the answer is no redirect.

        Raises http.client.HTTPException if several locations differ, even if the answer is no redirect.
        """
        location = _only_value("Location", self._values("Location"))
        return location if self.status in _REDIRECTS else None

    def read_page(self, max_bytes: int) -> None:
        """Read the body up to this number of bytes.

        Raises http.client.HTTPException if the body ends too early, has several lengths, or has a chunk with a wrong
        size.
        """
        is_chunked = self._may_be_chunked and "chunked" in map(str.lower, self._items("Transfer-Encoding"))
        length = None if is_chunked else _only_value("Content-Length", self._items("Content-Length"))
        if self.status in _WITHOUT_BODY:
            return
        if is_chunked:
            self._read_chunks(max_bytes)
            return
        # If a length is not a number, or a very large one, browsers read until the server closes the connection.
        known = length is not None and re.fullmatch("[0-9]{1,18}", length)
        expected = min(int(length), max_bytes) if length and known else None
        body = self._stream.read(max_bytes if expected is None else expected)
        if expected is not None and len(body) < expected:
            raise IncompleteRead(body, expected - len(body))

    def _read_chunks(self, bytes_left: int) -> None:
        while bytes_left > 0:
            line = self._stream.readline()
            size = _CHUNK_SIZE.fullmatch(line)
            if size is None:
                raise _chunk_error(line)
            expected = min(int(size[1], 16), bytes_left)
            if expected == 0:  # the page is complete; its trailers do not matter
                return
            chunk = self._stream.read(expected)
            bytes_left -= expected
            if len(chunk) < expected:
                raise IncompleteRead(chunk)
            if bytes_left and (line := self._stream.readline()) not in (b"\r\n", b"\n"):
                raise _chunk_error(line)

    def _items(self, name: str) -> Iterator[str]:
        return (item[0].strip() for value in self._values(name) for item in re.finditer("[^,]+|^$", value))

    def _values(self, name: str) -> Iterator[str]:
        # A server decides how many headers there are. So they are found one by one, and no list of all is made.
        # Chrome ignores lines without a colon, and allows spaces before the colon.
        pattern = rb"^%s[ \t]*:[ \t]*([^\r\n]*)" % name.encode()
        for match in re.finditer(pattern, self._head, re.MULTILINE | re.IGNORECASE):
            yield match[1].rstrip(b" \t").decode("latin-1")


def _read_status_line(stream: BinaryIO) -> tuple[bytes, int]:
    """Return the version of HTTP, which may be empty, and the status."""
    line = b""
    while len(line) <= _MAX_BYTES_BEFORE_STATUS and (next_line := stream.readline()):
        line += next_line
    match = _STATUS_LINE.match(line)
    if match:
        return match[1] or b"", int(match[2])
    raise BadStatusLine(line[:100].decode("latin-1")) if line.strip() else IncompleteRead(line)


def _read_headers(stream: BinaryIO) -> bytes:
    head = bytearray()
    while (line := stream.readline()).strip(b"\r\n"):
        head += line
    if not line:
        raise IncompleteRead(b"")
    return _FOLD.sub(b" ", head)  # a line that starts with a space continues the line before it


def _chunk_error(line: bytes) -> HTTPException:
    """Return the error for a wrong line before or after a chunk. The line has no end if the connection was closed."""
    if not line.endswith(b"\n"):
        return IncompleteRead(line[:100])
    return HTTPException("a chunk has a wrong size")


def _only_value(name: str, values: Iterator[str]) -> str | None:
    """Return the only value, or None if it is missing or empty. Chrome also refuses answers with different values."""
    first = next(values, None)
    if any(value != first for value in values):
        raise HTTPException(f"several different {name} headers")
    return first or None
