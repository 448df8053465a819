"""Servers on this machine that behave as no server should, and names that lead to them."""

import contextlib
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Behaviour = Callable[[socket.socket], object]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Site:
    """A server on a port of 127.0.0.1 that treats every connection alike."""

    behaviour: Behaviour
    context: ssl.SSLContext | None = None
    requests: list[bytes] = field(default_factory=list)
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0), backlog=128))
    _open: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:  # the client may leave as it likes
            if self.context:
                with self.context.wrap_socket(connection, server_side=True) as tls:
                    self._answer(tls)
            else:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        self.requests.append(connection.recv(4096))
        self.behaviour(connection)

    def close(self) -> None:
        # Shutting down wakes a thread that waits in accept or recv; closing alone does not.
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextlib.contextmanager
def site(behaviour: Behaviour, context: ssl.SSLContext | None = None) -> Iterator[Site]:
    served = Site(behaviour, context)
    yield served
    served.close()


def says(*parts: bytes) -> Behaviour:
    """Answers so, and closes."""
    return lambda connection: connection.sendall(b"".join(parts))


def redirects_to(location: str, status: int = 302) -> Behaviour:
    return says(f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode("latin-1"))


def without_end(start: bytes, chunk: bytes, every: float = 0) -> Behaviour:
    """Sends for ever, a chunk every so many seconds."""

    def send(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in itertools.count():
            connection.sendall(chunk)
            threading.Event().wait(every)

    return send


def then(*behaviours: Behaviour) -> Behaviour:
    """One after the other, on one connection."""

    def behave(connection: socket.socket) -> None:
        for behaviour in behaviours:
            behaviour(connection)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Each connection another."""
    left = iter(behaviours)

    def behave(connection: socket.socket) -> None:
        next(left)(connection)

    return behave


def hangs(connection: socket.socket) -> None:
    """Says nothing until the client leaves."""
    connection.recv(1)


Answer = Sequence[str] | Callable[[], Sequence[str]]


def resolver(names: Mapping[str, Answer]) -> Callable[..., list[Any]]:
    """A getaddrinfo that knows these names, and IP addresses."""
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *arguments: Any, **options: Any) -> list[Any]:
        answer = names.get(host, [host])
        found = answer() if callable(answer) else answer
        options["flags"] = socket.AI_NUMERICHOST
        return [one for address in found for one in real(address, port, *arguments, **options)]

    return getaddrinfo
