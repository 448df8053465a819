"""Resolves names, and decides which addresses may be requested.

A function that requests any URL can be made to request what only the function can reach: Lambda's own runtime API,
link-local metadata services, a private network. So names are resolved here, and the connection goes to the very address
that was checked. Resolving again could give another address ("DNS rebinding").
"""

import ipaddress
import socket
import threading
from concurrent.futures import Future
from dataclasses import dataclass

NON_HOST_NETWORKS = tuple(map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4")))
"""Networks without public hosts that Python, or some version of it, counts as global: addresses of protocols, the 6to4
relay, multicast. https://www.iana.org/assignments/iana-ipv4-special-registry"""
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv6 addresses whose last 32 bits are the IPv4 address of the target (RFC 6052)."""
DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")
"""Addresses for examples (RFC 9637). Python excludes them from version 3.13 on."""
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All public addresses assigned so far. https://www.iana.org/assignments/ipv6-address-space"""
MAX_ADDRESSES = 8
"""Addresses of one name that are tried."""


class ForbiddenError(Exception):
    """The target may not be requested. The message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """The family and address for a socket to connect to."""

    family: socket.AddressFamily
    sockaddr: tuple[str, int] | tuple[str, int, int, int]


def allowed_addresses(host: str, port: int, *, seconds: float, allow_private: bool) -> list[Address]:
    """Return the addresses of a host that may be requested, in the resolver's order.

    Raises ForbiddenError if there are none, TimeoutError if resolving takes longer than `seconds`, and OSError or
    UnicodeError if the name does not resolve.
    """
    found = _resolve(host, port, seconds)
    allowed = [address for address in found if allow_private or is_public(address.sockaddr[0])]
    if not allowed:
        raise ForbiddenError(f"{host} is at {found[0].sockaddr[0]}, and that is not a public address")
    return allowed[:MAX_ADDRESSES]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to one machine on the public Internet.

    An IPv6 address that contains the IPv4 address of its target is judged by that one. Tunnels (6to4, Teredo) are
    never public.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not any(ip in network for network in NON_HOST_NETWORKS)
    if ip.ipv4_mapped:
        return is_public(str(ip.ipv4_mapped))
    if ip in NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)))
    return ip in GLOBAL_UNICAST and ip.is_global and ip.sixtofour is None and ip not in DOCUMENTATION


def _resolve(host: str, port: int, seconds: float) -> list[Address]:
    # In a thread, because getaddrinfo has no timeout. A thread that hangs is abandoned; it ends when the resolver
    # gives up.
    answer: Future[list[Address]] = Future()

    def resolve() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.set_result([Address(family, sockaddr) for family, _, _, _, sockaddr in found])  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - result() raises it in the caller's thread
            answer.set_exception(error)

    threading.Thread(target=resolve, daemon=True).start()
    return answer.result(timeout=seconds)
