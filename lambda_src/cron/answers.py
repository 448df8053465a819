"""Reads answers as browsers do. http.client is stricter, and would count working sites as down.

http.client ends the check at status 102 and 103, at the 101st header, at a line of 64 KiB, and at a status line such as
`http/1.1 200`. It loses all headers after a line without a colon. The comments name the rules of Chrome, in its files
http_stream_parser.cc, http_util.cc, http_response_headers.cc and http_chunked_decoder.cc.
"""

import re
from collections.abc import Iterable, Iterator
from http.client import BadStatusLine, HTTPException, IncompleteRead
from typing import BinaryIO, Self

MAX_INTERIM_ANSWERS = 100
"""Maximum number of answers with a status 1xx before the final answer. Real servers send a few, such as 103 Early
Hints. A server that reports its progress with 102 every second still stays below this number."""

_SWITCHING_PROTOCOLS = 101
_REDIRECTS = {301, 302, 303, 307, 308}
_WITHOUT_BODY = {_SWITCHING_PROTOCOLS, 204, 304}
# Chrome skips up to 4 bytes before the status line. The version and the reason phrase do not matter.
_STATUS_LINE = re.compile(rb".{0,4}?HTTP(?:/[0-9]+(?:\.[0-9]+)?)?[ \t]+([0-9]{3})(?![0-9])", re.IGNORECASE | re.DOTALL)
_FOLD = re.compile(rb"\r?\n[ \t]+")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;.*)?\r?\n", re.DOTALL)


class Answer:
    """The final answer of a server. Leaving its context closes the stream."""

    def __init__(self, stream: BinaryIO) -> None:
        """Read the status line and the headers. The stream limits the bytes.

        Raises http.client.HTTPException if this is not HTTP, or if the stream ends too early, and the stream's errors.
        """
        self._stream = stream
        for _ in range(MAX_INTERIM_ANSWERS + 1):
            self.status = _read_status(stream)
            self._head = _read_headers(stream)
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

        Raises http.client.HTTPException if several locations differ.
        """
        return _same_value("Location", self._values("Location")) if self.status in _REDIRECTS else None

    def read_page(self, max_bytes: int) -> None:
        """Read the body up to this number of bytes.

        Raises http.client.HTTPException if the body ends too early, or if it has several lengths.
        """
        if self.status in _WITHOUT_BODY:
            return
        if "chunked" in (item.strip().lower() for item in self._items("Transfer-Encoding")):
            self._read_chunks(max_bytes)
            return
        length = _same_value("Content-Length", self._items("Content-Length"))
        # If a length is not a number, browsers read until the server closes the connection.
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
                raise IncompleteRead(line[:100])
            expected = min(int(size[1], 16), bytes_left)
            if expected == 0:  # the page is complete; its trailers do not matter
                return
            chunk = self._stream.read(expected)
            bytes_left -= expected
            if len(chunk) < expected or (bytes_left and self._stream.readline() not in (b"\r\n", b"\n")):
                raise IncompleteRead(chunk)

    def _items(self, name: str) -> Iterator[str]:
        return (item[0].strip() for value in self._values(name) for item in re.finditer("[^,]+", value))

    def _values(self, name: str) -> Iterator[str]:
        # A server decides how many headers there are. So they are found one by one, and no list of all is made.
        # Chrome ignores lines without a colon, and allows spaces before the colon.
        pattern = rb"^%s[ \t]*:[ \t]*([^\r\n]*)" % name.encode()
        for match in re.finditer(pattern, self._head, re.MULTILINE | re.IGNORECASE):
            yield match[1].rstrip(b" \t").decode("latin-1")


def _read_status(stream: BinaryIO) -> int:
    line = next((line for line in (stream.readline() for _ in range(3)) if line.strip()), b"")
    status = _STATUS_LINE.match(line)
    if status:
        return int(status[1])
    raise BadStatusLine(line[:100].decode("latin-1")) if line else IncompleteRead(line)


def _read_headers(stream: BinaryIO) -> bytes:
    head = bytearray()
    while (line := stream.readline()).strip(b"\r\n"):
        head += line
    if not line:
        raise IncompleteRead(b"")
    return _FOLD.sub(b" ", head)  # a line that starts with a space continues the line before it


def _same_value(name: str, values: Iterable[str]) -> str | None:
    """Return the only value, or None if all are empty. Browsers also refuse answers with several values."""
    found = None
    for value in values:
        if value and found not in (None, value):
            raise HTTPException(f"several different {name} headers")
        found = value or found
    return found
