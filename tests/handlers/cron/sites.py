"""Functions that start local servers with good or bad answers, and a fake resolver for the names of the servers."""

import contextlib
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Behaviour = Callable[[socket.socket], object]
"""A function that answers on a connection, after the site has received the request."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Site:
    """A server on a port of 127.0.0.1 that behaves in the same way on every connection."""

    def __init__(self, behaviour: Behaviour, context: ssl.SSLContext | None) -> None:
        self.requests: list[bytes] = []
        self._behaviour = behaviour
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._sockets = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # raised when the listener is closed
            while True:
                connection, _ = self._listener.accept()
                self._sockets.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:  # raised when the client closes the connection
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                self.requests.append(connection.recv(4096))
                self._behaviour(connection)

    def close(self) -> None:
        for each_socket in self._sockets:
            with contextlib.suppress(OSError):
                each_socket.shutdown(socket.SHUT_RDWR)  # ends accept and recv in other threads; close() does not
            each_socket.close()


@contextlib.contextmanager
def run_site(behaviour: Behaviour, context: ssl.SSLContext | None = None) -> Iterator[Site]:
    site = Site(behaviour, context)
    yield site
    site.close()


def send(*parts: bytes) -> Behaviour:
    """Return a behaviour that sends the parts and closes the connection."""
    return lambda connection: connection.sendall(b"".join(parts))


def redirect_to(location: str, status: int = 302) -> Behaviour:
    return send(f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode("latin-1"))


def send_forever(start: bytes, chunk: bytes, interval: float = 0) -> Behaviour:
    """Return a behaviour that sends `start` and then the chunk every `interval` seconds."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in itertools.count():
            connection.sendall(chunk)
            threading.Event().wait(interval)

    return behave


def in_sequence(*behaviours: Behaviour) -> Behaviour:
    """Return a behaviour that runs several behaviours one after the other on the same connection."""
    return lambda connection: [behaviour(connection) for behaviour in behaviours]


def one_per_connection(*behaviours: Behaviour) -> Behaviour:
    """Return a behaviour that uses the next of these behaviours for each new connection."""
    remaining_behaviours = iter(behaviours)

    def behave(connection: socket.socket) -> None:
        next(remaining_behaviours)(connection)

    return behave


def hang(connection: socket.socket) -> None:
    """Send nothing until the client closes the connection."""
    connection.recv(1)


Addresses = Sequence[str] | Callable[[], Sequence[str]]


def fake_getaddrinfo(names: Mapping[str, Addresses]) -> Callable[..., list[Any]]:
    """Return a getaddrinfo that resolves only these names and IP addresses."""
    real_getaddrinfo = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *arguments: Any, **options: Any) -> list[Any]:
        answer = names.get(host, [host])
        addresses = answer() if callable(answer) else answer
        options["flags"] = socket.AI_NUMERICHOST
        return [info for address in addresses for info in real_getaddrinfo(address, port, *arguments, **options)]

    return getaddrinfo
