"""Local servers that behave badly, and a fake resolver for their names."""

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
    """A server on a port of 127.0.0.1 with the same behaviour for every connection."""

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
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:  # the client may close the connection at any time
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
def run_site(behaviour: Behaviour, context: ssl.SSLContext | None = None) -> Iterator[Site]:
    site = Site(behaviour, context)
    yield site
    site.close()


def send(*parts: bytes) -> Behaviour:
    """Send the parts and close the connection."""
    return lambda connection: connection.sendall(b"".join(parts))


def redirect_to(location: str, status: int = 302) -> Behaviour:
    return send(f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode("latin-1"))


def send_forever(start: bytes, chunk: bytes, interval: float = 0) -> Behaviour:
    """Send `start`, then a chunk every `interval` seconds."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in itertools.count():
            connection.sendall(chunk)
            threading.Event().wait(interval)

    return behave


def in_sequence(*behaviours: Behaviour) -> Behaviour:
    """Run several behaviours one after the other on the same connection."""

    def behave(connection: socket.socket) -> None:
        for behaviour in behaviours:
            behaviour(connection)

    return behave


def one_per_connection(*behaviours: Behaviour) -> Behaviour:
    """Use the next behaviour for each new connection."""
    left = iter(behaviours)

    def behave(connection: socket.socket) -> None:
        next(left)(connection)

    return behave


def hang(connection: socket.socket) -> None:
    """Send nothing until the client closes the connection."""
    connection.recv(1)


Addresses = Sequence[str] | Callable[[], Sequence[str]]


def fake_getaddrinfo(names: Mapping[str, Addresses]) -> Callable[..., list[Any]]:
    """Return a getaddrinfo that resolves these names and IP addresses only."""
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *arguments: Any, **options: Any) -> list[Any]:
        answer = names.get(host, [host])
        addresses = answer() if callable(answer) else answer
        options["flags"] = socket.AI_NUMERICHOST
        return [info for address in addresses for info in real(address, port, *arguments, **options)]

    return getaddrinfo
